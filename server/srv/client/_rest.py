"""Calls over REST.

Source: "Inference Protocol - HTTP/REST" and Triton's extensions of it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

import msgspec

from srv.client._answer import Answer
from srv.client._call import Call
from srv.client._errors import ServerError, http_error
from srv_codecs.rest import HEADER_LENGTH, decode_response, encode_request
from srv_protocol.errors import InvalidInput, SrvError
from srv_protocol.inference import (
    ModelIndex,
    ModelMetadataResponse,
    ModelStatistics,
    ModelStatisticsResponse,
    ServerMetadataResponse,
    TensorMetadata,
)
from srv_protocol.model_config import ModelConfig
from srv_protocol.proto_json import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srv.client._call import HeaderItems, Reply
    from srv_protocol.inference import ModelInferRequest

_T = TypeVar("_T")
_OK: Final = 200
_EXCERPT: Final = 200
_HEADER_LENGTH: Final = HEADER_LENGTH.lower()
_JSON: Final[HeaderItems] = (("content-type", "application/json"),)
_TRACE_LEVEL: Final = "trace_level"


class Rest:
    """Makes V2's calls over REST.

    Attributes:
        binary: tensors travel as binary data, which MLServer does not understand; else as JSON.
    """

    def __init__(self, prefix: str = "", *, binary: bool = True) -> None:
        self._prefix = prefix
        self.binary = binary

    def is_live(self) -> Call[bool]:
        """Return the call that asks whether the server lives."""
        return self._get("/v2/health/live", _is_ok)

    def is_ready(self) -> Call[bool]:
        """Return the call that asks whether the server is ready."""
        return self._get("/v2/health/ready", _is_ok)

    def is_model_ready(self, model: str, version: str) -> Call[bool]:
        """Return the call that asks whether a model is ready."""
        return self._get(f"{model_path(model, version)}/ready", _is_ok)

    def server_metadata(self) -> Call[ServerMetadataResponse]:
        """Return the call for the server's name, version and extensions."""
        return self._get("/v2", _read_server)

    def model_metadata(self, model: str, version: str) -> Call[ModelMetadataResponse]:
        """Return the call for a model's inputs and outputs."""
        return self._get(model_path(model, version), _read_model)

    def model_config(self, model: str, version: str) -> Call[ModelConfig]:
        """Return the call for a model's configuration."""
        path = f"{model_path(model, version)}/config"
        return self._get(path, lambda reply: from_json(ModelConfig, _json(reply), "config"))

    def statistics(self, model: str, version: str) -> Call[list[ModelStatistics]]:
        """Return the call for what a model, or each of them, has done."""
        path = f"{model_path(model, version)}/stats" if model else "/v2/models/stats"
        return self._get(path, lambda reply: from_json(ModelStatisticsResponse, _json(reply), "statistics").model_stats)

    def index(self, *, ready: bool) -> Call[list[ModelIndex]]:
        """Return the call for the models of the repository."""
        body = {"ready": True} if ready else {}
        return self._post("/v2/repository/index", body, _read_index)

    def load(self, model: str, parameters: Mapping[str, object]) -> Call[None]:
        """Return the call that loads a model."""
        return self._change(model, "load", parameters)

    def unload(self, model: str, parameters: Mapping[str, object]) -> Call[None]:
        """Return the call that unloads a model."""
        return self._change(model, "unload", parameters)

    def _change(self, model: str, verb: str, parameters: Mapping[str, object]) -> Call[None]:
        path = f"/v2/repository/models/{_escape(model)}/{verb}"
        call = self._post(path, {"parameters": dict(parameters)} if parameters else {}, _check)
        call.repeatable = False
        return call

    def trace_settings(self, model: str, changes: Mapping[str, Sequence[str] | None]) -> Call[dict[str, list[str]]]:
        """Return the call for trace settings, changed or as they are."""
        path = f"/v2/models/{_escape(model)}/trace/setting" if model else "/v2/trace/setting"
        body: dict[str, object] = {}
        for name, values in changes.items():
            if values is not None and name != _TRACE_LEVEL and len(values) != 1:
                raise InvalidInput(f"{name}: expected one value, got {len(values)}")
            body[name] = list(values) if values is not None and name == _TRACE_LEVEL else values and values[0]
        return self._post(path, body, _read_trace) if body else self._get(path, _read_trace)

    def log_settings(self, changes: Mapping[str, bool | int | str]) -> Call[dict[str, bool | int | str]]:
        """Return the call for log settings, changed or as they are."""
        if changes:
            return self._post("/v2/logging", dict(changes), _read_log)
        return self._get("/v2/logging", _read_log)

    def infer(self, request: ModelInferRequest, headers: HeaderItems) -> Call[Answer]:
        """Return the call for an inference."""
        body = encode_request(request, binary=self.binary)
        if body.header_length is not None:
            headers = (*headers, (_HEADER_LENGTH, str(body.header_length)))
        path = f"{self._prefix}{model_path(request.model_name, request.model_version)}/infer"
        return Call("POST", path, body.parts, body.size, headers, read_answer, repeatable=False)

    def infer_stream(self, request: ModelInferRequest, headers: HeaderItems) -> Call[Answer]:
        """Return the call for a stream, which is one of JSON: events have no binary form."""
        body = encode_request(request, binary=False)
        path = f"{self._prefix}{model_path(request.model_name, request.model_version)}/generate_stream"
        return Call("POST", path, body.parts, body.size, (*headers, *_JSON), read_event, repeatable=False)

    def _get(self, path: str, read: Callable[[Reply], _T]) -> Call[_T]:
        return Call("GET", f"{self._prefix}{path}", (), 0, (), _reading(read))

    def _post(self, path: str, body: object, read: Callable[[Reply], _T]) -> Call[_T]:
        data = msgspec.json.encode(body)
        return Call("POST", f"{self._prefix}{path}", (data,), len(data), _JSON, _reading(read))


def _escape(name: str) -> str:
    if not name or name in {".", ".."}:
        raise InvalidInput(f"expected the name of a model, got {name!r}")
    return quote(name, safe="")


@lru_cache(maxsize=256)
def model_path(model: str, version: str) -> str:
    """Return the path of a model."""
    path = f"/v2/models/{_escape(model)}"
    return f"{path}/versions/{_escape(version)}" if version else path


def _is_ok(reply: Reply) -> bool:
    return reply.status == _OK


def _check(reply: Reply) -> None:
    """Raise the error that a reply is, if it is one."""
    if reply.status == _OK:
        return
    text = f"the server answers with status {reply.status}"
    try:
        document = msgspec.json.decode(reply.body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        document = {}
        found = bytes(reply.body[:_EXCERPT]).decode("utf-8", "replace").strip()
        text = f"{text}: {found}" if found else text
    # FastAPI's errors, which MLServer's clients get, have a detail.
    error = document.get("error") or document.get("detail")
    raise http_error(reply.status, str(error) if error else text)


def _json(reply: Reply) -> object:
    _check(reply)
    return msgspec.json.decode(reply.body)


class _Server(msgspec.Struct):
    """Server metadata, as any server has it."""

    name: str
    version: str = ""
    extensions: list[str] = []


class _Tensor(msgspec.Struct):
    """An input or output in model metadata."""

    name: str
    datatype: str = ""
    shape: list[int] = []
    parameters: dict[str, object] | None = None


class _Model(msgspec.Struct):
    """Model metadata; MLServer leaves out or makes null what it does not know."""

    name: str
    versions: list[str] | None = None
    platform: str | None = None
    inputs: list[_Tensor] | None = None
    outputs: list[_Tensor] | None = None


class _Indexed(msgspec.Struct):
    """A model of the repository; Triton leaves out what was never loaded."""

    name: str
    version: str | None = None
    state: str | None = None
    reason: str | None = None


def _read_server(reply: Reply) -> ServerMetadataResponse:
    found = msgspec.convert(_json(reply), _Server)
    return ServerMetadataResponse(found.name, found.version, found.extensions)


def _read_model(reply: Reply) -> ModelMetadataResponse:
    found = msgspec.convert(_json(reply), _Model)
    inputs, outputs = (
        [TensorMetadata(each.name, each.datatype, each.shape, each.parameters) for each in tensors or ()]
        for tensors in (found.inputs, found.outputs)
    )
    return ModelMetadataResponse(found.name, found.versions or [], found.platform or "", inputs, outputs)


def _read_index(reply: Reply) -> list[ModelIndex]:
    found = msgspec.convert(_json(reply), list[_Indexed])
    return [ModelIndex(each.name, each.version or "", each.state or "", each.reason or "") for each in found]


def _reading(read: Callable[[Reply], _T]) -> Callable[[Reply], _T]:
    """Return `read` with errors that say that the server's answer is wrong, and not the caller's question."""

    def checked(reply: Reply) -> _T:
        try:
            return read(reply)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ServerError(f"the server's answer is no JSON: {error}") from None
        except SrvError as error:
            if error.status_code is None:
                raise ServerError(f"the server's answer: {error}") from None
            raise

    return checked


def _read_trace(reply: Reply) -> dict[str, list[str]]:
    document = msgspec.convert(_json(reply), dict[str, str | list[str]])
    return {name: value if isinstance(value, list) else [value] for name, value in document.items()}


def _read_log(reply: Reply) -> dict[str, bool | int | str]:
    return msgspec.convert(_json(reply), dict[str, bool | int | str])


def read_answer(reply: Reply) -> Answer:
    """Return what a model has answered.

    Raises:
        InferenceError: the reply is no inference answer.
        And the error that the reply is.
    """
    if reply.status != _OK:
        _check(reply)
    headers = reply.headers
    return Answer(decode_response(reply.body, headers.get(_HEADER_LENGTH)), headers)


def read_event(reply: Reply) -> Answer:
    """Return what one event of a stream holds, or raise the error that it is."""
    if reply.status != _OK:
        _check(reply)
    if bytes(reply.body[:9]) == b'{"error":':
        text = msgspec.json.decode(reply.body, type=dict[str, object]).get("error")
        raise ServerError(str(text))
    return Answer(decode_response(reply.body), reply.headers)
