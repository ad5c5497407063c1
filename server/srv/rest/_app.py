"""The Litestar applications: the REST front, and the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from litestar import Litestar, Response, get
from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from srv._metrics import METRICS_TYPE
from srv.rest._body import ClientDisconnectedError
from srv.rest._errors import handle_error
from srv.rest._routes import health_routes, inference_routes, repository_routes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from srv._controlplane import ControlPlane
    from srv._dataplane import DataPlane
    from srv._metrics import Metrics
    from srv._settings import CORSSettings, Settings


def rest_app(settings: Settings, dataplane: DataPlane, controlplane: ControlPlane, metrics: Metrics) -> ASGIApp:
    """Return the REST front as an ASGI application."""
    app = Litestar(
        [
            *health_routes(dataplane),
            *repository_routes(dataplane, controlplane, settings.max_request_size),
            *inference_routes(dataplane, settings),
        ],
        exception_handlers={Exception: handle_error},
        openapi_config=OpenAPIConfig(
            title=settings.server_name,
            version=settings.server_version,
            path="/v2/docs",
            render_plugins=[JsonRenderPlugin(path="/dataplane.json")],
        ),
        cors_config=_cors(settings.cors_settings),
        # read_body() has the limit, for every route.
        request_max_body_size=None,
        # Litestar would set up handlers of its own for the root logger.
        logging_config=None,
    )
    return _measured(app, metrics)


def metrics_app(path: str, metrics: Metrics) -> ASGIApp:
    """Return the application that serves the metrics."""

    @get(path, sync_to_thread=False)
    def show_metrics() -> Response[bytes]:
        return Response(metrics.render(), media_type=METRICS_TYPE)

    return Litestar(
        [show_metrics], exception_handlers={Exception: handle_error}, openapi_config=None, logging_config=None
    )


def _cors(settings: CORSSettings | None) -> CORSConfig | None:
    if settings is None:
        return None
    return CORSConfig(
        allow_origins=settings.allow_origins,
        allow_origin_regex=settings.allow_origin_regex,
        allow_credentials=settings.allow_credentials,
        allow_methods=settings.allow_methods,  # type: ignore[arg-type]  # any method that the settings name
        allow_headers=settings.allow_headers,
        expose_headers=settings.expose_headers,
        max_age=settings.max_age,
    )


def _measured(app: ASGIApp, metrics: Metrics) -> ASGIApp:
    """Count requests by route and status, health apart: its probes would drown the rest."""

    async def measure(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith("/v2/health/"):
            await app(scope, receive, send)
            return
        status = 499  # as nginx has it: the client went away before an answer

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = metrics.http_started()
        try:
            await app(scope, receive, watch)
        except ClientDisconnectedError:
            pass
        finally:
            # Only a request that found its route has one.
            route = cast("Mapping[str, str]", scope).get("path_template", "unmatched")
            metrics.http_finished(scope["method"], route, status, started)

    return measure
