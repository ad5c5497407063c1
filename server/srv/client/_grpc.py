"""Calls over gRPC.

Source: "Inference Protocol - gRPC" of the Open Inference Protocol, and Triton's extensions of it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeVar

from srv._buffers import join_small
from srv.client._answer import Answer
from srv.client._call import Call
from srv.client._errors import ServerError
from srv_codecs.grpc import bind_response, lower_request
from srv_protocol.errors import InferenceError, InvalidInput, WireError
from srv_protocol.inference import (
    LogSettingsRequest,
    LogSettingsRequestSettingValue,
    LogSettingsResponse,
    ModelConfigRequest,
    ModelConfigResponse,
    ModelIndex,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ModelStatistics,
    ModelStatisticsRequest,
    ModelStatisticsResponse,
    ModelStreamInferResponse,
    Parameters,
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelLoadRequest,
    RepositoryModelLoadResponse,
    RepositoryModelUnloadRequest,
    RepositoryModelUnloadResponse,
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
    TraceSettingRequest,
    TraceSettingRequestSettingValue,
    TraceSettingResponse,
)
from srv_protocol.model_config import ModelConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from srv.client._call import HeaderItems, Reply
    from srv_protocol.inference import ModelInferRequest
    from srv_protocol.message import Message

_T = TypeVar("_T")
_M = TypeVar("_M", bound="Message")
_SERVICE: Final = "/inference.GRPCInferenceService/"
PREFIX: Final = struct.Struct(">?I")
"""What stands before a message: whether it is compressed, and its size ("Length-Prefixed-Message")."""
_LARGEST: Final = (1 << 32) - 1
# Parts that are shorter are joined with their neighbours: a copy costs less than another frame.
_SMALL: Final = 1 << 14
# Errors in streams have statuses, as those of single calls do.
_STATUSES: Final[HeaderItems] = (("triton_grpc_error", "true"),)


class Grpc:
    """Makes V2's calls over gRPC.

    Attributes:
        binary: tensors travel as raw contents; else as typed ones.
    """

    def __init__(self, *, binary: bool = True) -> None:
        self.binary = binary

    def is_live(self) -> Call[bool]:
        """Return the call that asks whether the server lives."""
        return _call("ServerLive", ServerLiveRequest(), ServerLiveResponse, lambda found: found.live)

    def is_ready(self) -> Call[bool]:
        """Return the call that asks whether the server is ready."""
        return _call("ServerReady", ServerReadyRequest(), ServerReadyResponse, lambda found: found.ready)

    def is_model_ready(self, model: str, version: str) -> Call[bool]:
        """Return the call that asks whether a model is ready."""
        return _call("ModelReady", ModelReadyRequest(model, version), ModelReadyResponse, lambda found: found.ready)

    def server_metadata(self) -> Call[ServerMetadataResponse]:
        """Return the call for the server's name, version and extensions."""
        return _call("ServerMetadata", ServerMetadataRequest(), ServerMetadataResponse, _itself)

    def model_metadata(self, model: str, version: str) -> Call[ModelMetadataResponse]:
        """Return the call for a model's inputs and outputs."""
        return _call("ModelMetadata", ModelMetadataRequest(model, version), ModelMetadataResponse, _itself)

    def model_config(self, model: str, version: str) -> Call[ModelConfig]:
        """Return the call for a model's configuration."""
        request = ModelConfigRequest(model, version)
        return _call("ModelConfig", request, ModelConfigResponse, lambda found: found.config or ModelConfig())

    def statistics(self, model: str, version: str) -> Call[list[ModelStatistics]]:
        """Return the call for what a model, or each of them, has done."""
        request = ModelStatisticsRequest(model, version)
        return _call("ModelStatistics", request, ModelStatisticsResponse, lambda found: found.model_stats)

    def index(self, *, ready: bool) -> Call[list[ModelIndex]]:
        """Return the call for the models of the repository."""
        request = RepositoryIndexRequest(ready=ready)
        return _call("RepositoryIndex", request, RepositoryIndexResponse, lambda found: found.models)

    def load(self, model: str, parameters: Mapping[str, object]) -> Call[None]:
        """Return the call that loads a model."""
        request = RepositoryModelLoadRequest(model_name=model, parameters=Parameters(parameters))
        return _call("RepositoryModelLoad", request, RepositoryModelLoadResponse, _nothing, repeatable=False)

    def unload(self, model: str, parameters: Mapping[str, object]) -> Call[None]:
        """Return the call that unloads a model."""
        request = RepositoryModelUnloadRequest(model_name=model, parameters=Parameters(parameters))
        return _call("RepositoryModelUnload", request, RepositoryModelUnloadResponse, _nothing, repeatable=False)

    def trace_settings(self, model: str, changes: Mapping[str, Sequence[str] | None]) -> Call[dict[str, list[str]]]:
        """Return the call for trace settings, changed or as they are."""
        settings = {name: TraceSettingRequestSettingValue(list(values or ())) for name, values in changes.items()}
        return _call(
            "TraceSetting",
            TraceSettingRequest(settings, model),
            TraceSettingResponse,
            lambda found: {name: list(each.value) for name, each in found.settings.items()},
        )

    def log_settings(self, changes: Mapping[str, bool | int | str]) -> Call[dict[str, bool | int | str]]:
        """Return the call for log settings, changed or as they are."""
        settings = {name: _log_value(name, value) for name, value in changes.items()}
        return _call("LogSettings", LogSettingsRequest(settings), LogSettingsResponse, _read_log)

    def infer(self, request: ModelInferRequest, headers: HeaderItems) -> Call[Answer]:
        """Return the call for an inference."""
        return _message_call("ModelInfer", lower_request(request, typed=not self.binary), headers, read_answer)

    def infer_stream(self, request: ModelInferRequest, headers: HeaderItems) -> Call[Answer]:
        """Return the call for a stream."""
        lowered = lower_request(request, typed=not self.binary)
        return _message_call("ModelStreamInfer", lowered, (*headers, *_STATUSES), read_response)


def _message_call(
    method: str, message: Message, headers: HeaderItems, read: Callable[[Reply], _T], *, repeatable: bool = False
) -> Call[_T]:
    parts = message.wire_parts()
    size = sum(map(len, parts))
    if size > _LARGEST:
        raise InvalidInput(f"the request has {size} bytes, gRPC carries {_LARGEST}")
    body = join_small((PREFIX.pack(False, size), *parts), _SMALL)  # noqa: FBT003  # the flag of the prefix
    return Call("POST", _SERVICE + method, body, size + PREFIX.size, headers, read, repeatable=repeatable)


def _call(
    method: str, message: Message, kind: type[_M], take: Callable[[_M], _T], *, repeatable: bool = True
) -> Call[_T]:
    return _message_call(method, message, (), lambda reply: take(_parse(kind, reply)), repeatable=repeatable)


def _parse(kind: type[_M], reply: Reply) -> _M:
    try:
        return kind.parse(reply.body)
    except WireError as error:
        raise ServerError(f"the server's answer: {error}") from None


def _itself(message: _M) -> _M:
    return message


def _nothing(_: Message) -> None:
    pass


def _log_value(name: str, value: bool | int | str) -> LogSettingsRequestSettingValue:  # noqa: FBT001  # one of three kinds
    if isinstance(value, bool):
        return LogSettingsRequestSettingValue(bool_param=value)
    if isinstance(value, int):
        if not 0 <= value < 1 << 32:
            raise InvalidInput(f"{name}: expected an integer of 32 bits, 0 or more, got {value}")
        return LogSettingsRequestSettingValue(uint32_param=value)
    return LogSettingsRequestSettingValue(string_param=value)


def _read_log(message: LogSettingsResponse) -> dict[str, bool | int | str]:
    found: dict[str, bool | int | str] = {}
    for name, each in message.settings.items():
        value = next((one for one in (each.bool_param, each.uint32_param, each.string_param) if one is not None), "")
        found[name] = value
    return found


def read_answer(reply: Reply) -> Answer:
    """Return what a model has answered; raw contents are views of the reply.

    Raises:
        InferenceError: an output's contents do not fit its description.
        ServerError: the reply is no message.
    """
    return _bound(_parse(ModelInferResponse, reply), reply)


def read_response(reply: Reply) -> Answer:
    """Return one response of a stream, or raise the error that it is."""
    message = _parse(ModelStreamInferResponse, reply)
    if message.error_message:
        raise ServerError(message.error_message)
    return _bound(message.infer_response or ModelInferResponse(), reply)


def _bound(message: ModelInferResponse, reply: Reply) -> Answer:
    try:
        bind_response(message)
    except InvalidInput as error:
        raise InferenceError(f"the answer: {error}") from None
    return Answer(message, reply.headers)
