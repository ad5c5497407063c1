"""The routes of Triton's "System Shared Memory Extension" and "CUDA Shared Memory Extension"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import Response, get, post

from srv._changes import Register, Unregister
from srv.rest._errors import AnyRequest
from srv.rest._requests import OK, json_response, read_plain_body
from srv_codecs.json import parse_json
from srv_protocol.inference_json import (
    SystemSharedMemoryRegisterRequestView,
    SystemSharedMemoryStatusResponseRegionStatusView,
)

if TYPE_CHECKING:
    from litestar.handlers import HTTPRouteHandler

    from srv._backend import Backend
    from srv._shared_memory import SharedMemory

_register_decoder: Final = msgspec.json.Decoder(SystemSharedMemoryRegisterRequestView)
_SYSTEM: Final = "/v2/systemsharedmemory"
_CUDA: Final = "/v2/cudasharedmemory"


def shared_memory_routes(backend: Backend) -> list[HTTPRouteHandler]:
    """Return the routes of shared memory; without a region in the path, they are about all of them."""
    limit = backend.settings.max_request_size
    return [*_system_routes(backend, limit), *_cuda_routes(backend.shared_memory, limit)]


def _system_routes(backend: Backend, limit: int) -> list[HTTPRouteHandler]:
    memory = backend.shared_memory

    @get([f"{_SYSTEM}/status", f"{_SYSTEM}/region/{{name:str}}/status"], summary="The regions of shared memory")
    async def status(request: AnyRequest) -> Response[bytes]:
        found = memory.status(_region(request))
        return json_response([SystemSharedMemoryStatusResponseRegionStatusView.from_message(each) for each in found])

    @post(f"{_SYSTEM}/region/{{name:str}}/register", status_code=OK, summary="Map shared memory of a client")
    async def register(request: AnyRequest) -> Response[bytes]:
        wanted = parse_json(_register_decoder, await read_plain_body(request, limit)).to_message()
        await backend.change(Register(_region(request), wanted.key, wanted.offset, wanted.byte_size))
        return json_response({})

    @post(
        [f"{_SYSTEM}/unregister", f"{_SYSTEM}/region/{{name:str}}/unregister"],
        status_code=OK,
        summary="Forget shared memory; requests that use it keep it until they end",
    )
    async def unregister(request: AnyRequest) -> Response[bytes]:
        await read_plain_body(request, limit)
        await backend.change(Unregister(_region(request)))
        return json_response({})

    return [status, register, unregister]


def _cuda_routes(memory: SharedMemory, limit: int) -> list[HTTPRouteHandler]:
    @get([f"{_CUDA}/status", f"{_CUDA}/region/{{name:str}}/status"], summary="The regions of CUDA memory: none")
    async def cuda_status(request: AnyRequest) -> Response[bytes]:
        memory.check_cuda_status(_region(request))
        return json_response([])

    @post(f"{_CUDA}/region/{{name:str}}/register", status_code=OK, summary="Refused: there is no support for GPUs")
    async def cuda_register(request: AnyRequest) -> Response[bytes]:
        await read_plain_body(request, limit)
        memory.register_cuda(_region(request))
        return json_response({})

    @post(
        [f"{_CUDA}/unregister", f"{_CUDA}/region/{{name:str}}/unregister"],
        status_code=OK,
        summary="Forget CUDA memory, of which there is none",
    )
    async def cuda_unregister(request: AnyRequest) -> Response[bytes]:
        await read_plain_body(request, limit)
        memory.unregister_cuda()
        return json_response({})

    return [cuda_status, cuda_register, cuda_unregister]


def _region(request: AnyRequest) -> str:
    """Return the region that the path names, ``""`` for all."""
    name: str = request.path_params.get("name", "")
    return name
