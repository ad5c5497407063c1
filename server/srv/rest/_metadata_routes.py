"""The routes of health and metadata.

Source: "Inference Protocol - HTTP/REST"; Triton's "Model Configuration Extension" and "Statistics Extension".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Response, get

from srv.rest._errors import AnyRequest, error_response
from srv.rest._requests import json_response, path_model
from srv_protocol.inference import ModelStatistics, ModelStatisticsResponse
from srv_protocol.inference_json import ModelMetadataResponseView, ServerMetadataResponseView
from srv_protocol.proto_json import to_json

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend


def metadata_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes of health and metadata."""
    dataplane = backend.dataplane

    @get("/v2/health/live", summary="Whether the server lives")
    async def live() -> Response[bytes]:
        return json_response({"live": dataplane.is_live(), "ready": dataplane.is_ready()})

    @get("/v2/health/ready", summary="Whether the server and all its models are ready")
    async def ready() -> Response[bytes]:
        if dataplane.is_ready():
            return json_response({"live": True, "ready": True})
        return error_response(503, "the server is not ready", live=True, ready=False)

    @get("/v2", summary="Server metadata")
    async def server_metadata() -> Response[bytes]:
        return json_response(ServerMetadataResponseView.from_message(dataplane.server_metadata()))

    @get("/v2/models", summary="The models that are ready")
    async def models() -> Response[bytes]:
        return json_response({"models": dataplane.model_names()})

    @get(["/v2/models/{name:str}", "/v2/models/{name:str}/versions/{version:str}"], summary="Model metadata")
    async def model_metadata(request: AnyRequest) -> Response[bytes]:
        return json_response(
            ModelMetadataResponseView.from_message(await dataplane.model_metadata(*path_model(request)))
        )

    @get(
        ["/v2/models/{name:str}/config", "/v2/models/{name:str}/versions/{version:str}/config"],
        summary="Model configuration in Triton's form",
    )
    async def config(request: AnyRequest) -> Response[bytes]:
        return json_response(to_json(dataplane.model_config(*path_model(request))))

    @get("/v2/models/stats", summary="What every model has done so far")
    async def all_statistics() -> Response[bytes]:
        return json_response(_statistics(await backend.statistics()))

    @get(
        ["/v2/models/{name:str}/stats", "/v2/models/{name:str}/versions/{version:str}/stats"],
        summary="What a model has done so far",
    )
    async def statistics(request: AnyRequest) -> Response[bytes]:
        return json_response(_statistics(await backend.statistics(*path_model(request))))

    @get(
        ["/v2/models/{name:str}/ready", "/v2/models/{name:str}/versions/{version:str}/ready"],
        summary="Whether a model is ready",
    )
    async def model_ready(request: AnyRequest) -> Response[bytes]:
        name, version = path_model(request)
        if dataplane.is_model_ready(name, version):
            return json_response({"name": name, "ready": True})
        return error_response(503, f"model '{name}' is not ready", name=name, ready=False)

    return [live, ready, server_metadata, models, model_metadata, config, all_statistics, statistics, model_ready]


def _statistics(models: list[ModelStatistics]) -> dict[str, object]:
    return to_json(ModelStatisticsResponse(model_stats=models))
