"""Shared memory of the client's machine: Triton's RPCs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv._changes import Register, Unregister
from srv.grpc._messages import receive_one
from srv_protocol.inference import (
    CudaSharedMemoryRegisterRequest,
    CudaSharedMemoryRegisterResponse,
    CudaSharedMemoryStatusRequest,
    CudaSharedMemoryStatusResponse,
    CudaSharedMemoryUnregisterRequest,
    CudaSharedMemoryUnregisterResponse,
    SystemSharedMemoryRegisterRequest,
    SystemSharedMemoryRegisterResponse,
    SystemSharedMemoryStatusRequest,
    SystemSharedMemoryStatusResponse,
    SystemSharedMemoryUnregisterRequest,
    SystemSharedMemoryUnregisterResponse,
)
from srv_protocol.inference_grpc import GRPCInferenceServiceBase

if TYPE_CHECKING:
    from grpclib.server import Stream

    from srv._backend import Backend


class SharedMemoryRpcs(GRPCInferenceServiceBase):
    """The RPCs of Triton's "System Shared Memory Extension" and "CUDA Shared Memory Extension"."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._memory = backend.shared_memory

    async def SystemSharedMemoryStatus(
        self, stream: Stream[SystemSharedMemoryStatusRequest, SystemSharedMemoryStatusResponse]
    ) -> None:
        request = await receive_one(stream)
        found = self._memory.status(request.name)
        await stream.send_message(SystemSharedMemoryStatusResponse(regions={each.name: each for each in found}))

    async def SystemSharedMemoryRegister(
        self, stream: Stream[SystemSharedMemoryRegisterRequest, SystemSharedMemoryRegisterResponse]
    ) -> None:
        request = await receive_one(stream)
        await self._backend.change(Register(request.name, request.key, request.offset, request.byte_size))
        await stream.send_message(SystemSharedMemoryRegisterResponse())

    async def SystemSharedMemoryUnregister(
        self, stream: Stream[SystemSharedMemoryUnregisterRequest, SystemSharedMemoryUnregisterResponse]
    ) -> None:
        request = await receive_one(stream)
        await self._backend.change(Unregister(request.name))
        await stream.send_message(SystemSharedMemoryUnregisterResponse())

    async def CudaSharedMemoryStatus(
        self, stream: Stream[CudaSharedMemoryStatusRequest, CudaSharedMemoryStatusResponse]
    ) -> None:
        request = await receive_one(stream)
        self._memory.check_cuda_status(request.name)
        await stream.send_message(CudaSharedMemoryStatusResponse())

    async def CudaSharedMemoryRegister(
        self, stream: Stream[CudaSharedMemoryRegisterRequest, CudaSharedMemoryRegisterResponse]
    ) -> None:
        request = await receive_one(stream)
        self._memory.register_cuda(request.name)
        await stream.send_message(CudaSharedMemoryRegisterResponse())

    async def CudaSharedMemoryUnregister(
        self, stream: Stream[CudaSharedMemoryUnregisterRequest, CudaSharedMemoryUnregisterResponse]
    ) -> None:
        await receive_one(stream)
        self._memory.unregister_cuda()
        await stream.send_message(CudaSharedMemoryUnregisterResponse())
