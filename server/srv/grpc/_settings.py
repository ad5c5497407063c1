"""The settings that clients may change: Triton's trace and logging RPCs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv._changes import ChangeLog, ChangeTrace
from srv.grpc._messages import receive_one
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import (
    LogSettingsRequest,
    LogSettingsRequestSettingValue,
    LogSettingsResponse,
    LogSettingsResponseSettingValue,
    TraceSettingRequest,
    TraceSettingResponse,
    TraceSettingResponseSettingValue,
)
from srv_protocol.inference_grpc import GRPCInferenceServiceBase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from grpclib.server import Stream

    from srv._backend import Backend
    from srv._log_settings import LogValue

_LOG_VALUES: Final[Mapping[type[LogValue], Callable[[LogValue], LogSettingsResponseSettingValue]]] = {
    bool: lambda value: LogSettingsResponseSettingValue(bool_param=bool(value)),
    int: lambda value: LogSettingsResponseSettingValue(uint32_param=int(value)),
    str: lambda value: LogSettingsResponseSettingValue(string_param=str(value)),
}


class SettingsRpcs(GRPCInferenceServiceBase):
    """The RPCs of Triton's "Trace Extension" and "Logging Extension"."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def TraceSetting(self, stream: Stream[TraceSettingRequest, TraceSettingResponse]) -> None:
        request = await receive_one(stream)
        # No values take a choice back, as null does in JSON.
        changes = {key: setting.value or None for key, setting in request.settings.items()}
        await self._backend.change(ChangeTrace(changes, request.model_name))
        settings = self._backend.trace_settings({}, request.model_name)
        values = {key: TraceSettingResponseSettingValue(value=each) for key, each in settings.items()}
        await stream.send_message(TraceSettingResponse(settings=values))

    async def LogSettings(self, stream: Stream[LogSettingsRequest, LogSettingsResponse]) -> None:
        request = await receive_one(stream)
        log_settings = self._backend.log_settings
        changes = {key: _value(key, setting) for key, setting in request.settings.items()}
        await self._backend.change(ChangeLog({**changes}))
        values = {key: _LOG_VALUES[type(value)](value) for key, value in log_settings.settings().items()}
        await stream.send_message(LogSettingsResponse(settings=values))


def _value(key: str, setting: LogSettingsRequestSettingValue) -> LogValue:
    for value in (setting.bool_param, setting.uint32_param, setting.string_param):
        if value is not None:
            return value
    raise InvalidInput(f"settings[{key[:40]!r}]: expected bool_param, uint32_param or string_param, got no value")
