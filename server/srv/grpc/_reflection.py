"""gRPC server reflection, ``v1`` and ``v1alpha``, from the descriptors that the generator wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from grpclib.const import Status

from srv.grpc._messages import requests
from srv_protocol.descriptors import DEPENDENCIES, FILES, SERVICES, SYMBOLS
from srv_protocol.reflection import ServerReflectionAlphaBase, ServerReflectionBase, v1, v1alpha

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

    from grpclib.server import Stream

_NOT_FOUND: Final = Status.NOT_FOUND.value


class ReflectionService(ServerReflectionBase):
    """``grpc.reflection.v1.ServerReflection``."""

    def __init__(self, draining: asyncio.Event) -> None:
        self._draining = draining

    async def ServerReflectionInfo(
        self, stream: Stream[v1.ServerReflectionRequest, v1.ServerReflectionResponse]
    ) -> None:
        async for request in requests(stream, self._draining.wait()):
            await stream.send_message(_answer(request))


class ReflectionAlphaService(ServerReflectionAlphaBase):
    """``grpc.reflection.v1alpha.ServerReflection``: the same messages on the wire, under an older name."""

    def __init__(self, draining: asyncio.Event) -> None:
        self._draining = draining

    async def ServerReflectionInfo(
        self, stream: Stream[v1alpha.ServerReflectionRequest, v1alpha.ServerReflectionResponse]
    ) -> None:
        async for request in requests(stream, self._draining.wait()):
            answer = _answer(v1.ServerReflectionRequest.parse(bytes(request)))
            await stream.send_message(v1alpha.ServerReflectionResponse.parse(bytes(answer)))


def _answer(request: v1.ServerReflectionRequest) -> v1.ServerReflectionResponse:
    response = v1.ServerReflectionResponse(valid_host=request.host, original_request=request)
    path: str | None = None
    if request.list_services is not None:
        services = [v1.ServiceResponse(name=name) for name in SERVICES]
        response.list_services_response = v1.ListServiceResponse(service=services)
        return response
    if request.file_by_filename is not None:
        path, wanted = request.file_by_filename, f"file {request.file_by_filename!r}"
    elif request.file_containing_symbol is not None:
        symbol = request.file_containing_symbol
        path, wanted = SYMBOLS.get(symbol, ""), f"symbol {symbol!r}"
    else:
        wanted = "extensions: proto3 has none"
    if path in FILES:
        files = [FILES[each] for each in _with_dependencies(path)]
        response.file_descriptor_response = v1.FileDescriptorResponse(file_descriptor_proto=files)
    else:
        response.error_response = v1.ErrorResponse(error_code=_NOT_FOUND, error_message=f"not found: {wanted}")
    return response


def _with_dependencies(path: str) -> Iterator[str]:
    yield path
    for dependency in DEPENDENCIES[path]:
        yield from _with_dependencies(dependency)
