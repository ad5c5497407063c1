"""tritonclient's system shared memory, over HTTP and gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
import tritonclient.utils.shared_memory as shm
from serving import MODELS, PATIENCE, eventually
from tensors import SAMPLES, from_raw, same, to_raw
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import Generator

    from serving import Gate, Serve, Server

CLIENTS = pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
AIO_CLIENTS = pytest.mark.parametrize("triton", [triton_http_aio, triton_grpc_aio], ids=["http", "grpc"])


@pytest.fixture(scope="module")
def own(serve_module: Serve) -> Server:
    """Return a server on which clients may register memory."""
    return serve_module(MODELS / "shared", allow_client_shm="true").wait_started()


def address(server: Server, triton: Any) -> str:
    return server.http_address if "http" in triton.__name__ else server.grpc_address


@contextlib.contextmanager
def shared(size: int) -> Generator[tuple[Any, str]]:
    """Make memory; return its handle and its key."""
    key = f"/srv-tests-{secrets.token_hex(8)}"
    handle = shm.create_shared_memory_region("mine", key, size)
    try:
        yield handle, key
    finally:
        shm.destroy_shared_memory_region(handle)


@contextlib.contextmanager
def registered(client: Any, size: int, name: str = "r") -> Generator[Any]:
    """Make memory and register it; return its handle."""
    with shared(size) as (handle, key):
        client.register_system_shared_memory(name, key, size)
        try:
            yield handle
        finally:
            client.unregister_system_shared_memory(name)


def tensor(triton: Any, name: str, datatype: str, shape: list[int], size: int, offset: int = 0) -> Any:
    """Return an input in region ``r``."""
    made = triton.InferInput(name, shape, datatype)
    made.set_shared_memory("r", size, offset)
    return made


def output(triton: Any, name: str, size: int, offset: int = 0) -> Any:
    """Return an output in region ``r``."""
    made = triton.InferRequestedOutput(name)
    made.set_shared_memory("r", size, offset)
    return made


def regions(status: Any) -> dict[str, tuple[str, int, int]]:
    """Return the key, offset and size of each region by its name."""
    found = status if isinstance(status, list) else status["regions"].values() if status else ()
    # JSON made of protobuf has 64-bit integers as text, and leaves zeros out.
    return {each["name"]: (each["key"], int(each.get("offset", 0)), int(each["byte_size"])) for each in found}


def listed(client: Any, name: str = "") -> dict[str, tuple[str, int, int]]:
    json = {} if isinstance(client, triton_http.InferenceServerClient) else {"as_json": True}
    return regions(client.get_system_shared_memory_status(name, **json))


@CLIENTS
def test_register_infer_status_and_unregister(own: Server, triton: Any) -> None:
    """Triton's own example: two inputs in one region, two outputs in another."""
    with (
        triton.InferenceServerClient(address(own, triton)) as client,
        shared(64) as (first, first_key),
        shared(64) as (second, second_key),
    ):
        client.unregister_system_shared_memory()
        assert listed(client) == {}
        client.register_system_shared_memory("in", first_key, 32)
        client.register_system_shared_memory("out", second_key, 40, offset=8)
        assert listed(client) == {"in": (first_key, 0, 32), "out": (second_key, 8, 40)}
        assert listed(client, "out") == {"out": (second_key, 8, 40)}

        a, b = np.array([[1, 2], [3, 4]], np.float32), np.ones((2, 2), np.float32)
        shm.set_shared_memory_region(first, [a])
        shm.set_shared_memory_region(first, [b], offset=16)
        inputs = [triton.InferInput(name, [2, 2], "FP32") for name in "ab"]
        inputs[0].set_shared_memory("in", 16)
        inputs[1].set_shared_memory("in", 16, offset=16)
        outputs = [triton.InferRequestedOutput(name) for name in ("sum", "difference")]
        outputs[0].set_shared_memory("out", 16)
        outputs[1].set_shared_memory("out", 24, offset=16)
        result = client.infer("declared", inputs, outputs=outputs)

        described = result.get_output("sum")
        if triton is triton_http:
            assert described == {"name": "sum", "datatype": "FP32", "shape": [2, 2]}
        else:
            assert (described.datatype, list(described.shape), list(described.parameters)) == ("FP32", [2, 2], [])
            assert list(result.get_response().raw_output_contents) == [b"", b""]
        assert same(shm.get_contents_as_numpy(second, np.float32, [2, 2], offset=8), a + b)
        assert same(shm.get_contents_as_numpy(second, np.float32, [2, 2], offset=24), a - b)

        client.unregister_system_shared_memory("in")
        assert list(listed(client)) == ["out"]
        with pytest.raises(InferenceServerException, match="Unable to find shared memory region: 'in'"):
            client.infer("declared", inputs, outputs=outputs)
        client.unregister_system_shared_memory()
        assert listed(client) == {}


@AIO_CLIENTS
def test_the_asyncio_clients(own: Server, triton: Any) -> None:
    """They do the same."""

    async def run() -> None:
        async with triton.InferenceServerClient(address(own, triton)) as client:
            with shared(8) as (handle, key):
                await client.register_system_shared_memory("r", key, 8)
                shm.set_shared_memory_region(handle, [np.array([7], np.int32)])
                inputs, outputs = [tensor(triton, "x", "INT32", [1], 4)], [output(triton, "x", 4, 4)]
                await client.infer("identity", inputs, outputs=outputs)
                assert shm.get_contents_as_numpy(handle, np.int32, [2]).tolist() == [7, 7]
                await client.unregister_system_shared_memory("r")
                assert not regions(
                    await client.get_system_shared_memory_status(
                        **({} if triton is triton_http_aio else {"as_json": True})
                    )
                )

    asyncio.run(run())


@CLIENTS
@pytest.mark.parametrize("datatype", SAMPLES)
def test_tensors_of_every_datatype(own: Server, triton: Any, datatype: str) -> None:
    """In and out, at odd offsets."""
    array = SAMPLES[datatype]
    data = to_raw(array)
    with (
        triton.InferenceServerClient(address(own, triton)) as client,
        registered(client, 2 * len(data) + 3) as handle,
    ):
        handle._mpsm_handle.buf[1 : 1 + len(data)] = data
        inputs = [tensor(triton, "x", datatype, list(array.shape), len(data), 1)]
        client.infer("identity", inputs, outputs=[output(triton, "x", len(data) + 1, len(data) + 2)])
        found = bytes(handle._mpsm_handle.buf[len(data) + 2 : 2 * len(data) + 2])
        assert same(from_raw(found, datatype, array.shape), array)


@CLIENTS
def test_text_by_the_clients_own_functions(own: Server, triton: Any) -> None:
    """As its examples have it."""
    words = np.array([b"a", b"", "é€".encode()], object)
    packed = triton_http.serialize_byte_tensor(words)
    size = len(packed.item())
    with triton.InferenceServerClient(address(own, triton)) as client, registered(client, 2 * size) as handle:
        shm.set_shared_memory_region(handle, [packed])
        outputs = [output(triton, "x", size, size)]
        client.infer("identity", [tensor(triton, "x", "BYTES", [3], size)], outputs=outputs)
        assert shm.get_contents_as_numpy(handle, np.object_, [3], offset=size).tolist() == words.tolist()


@CLIENTS
def test_inputs_alone_and_outputs_alone(own: Server, triton: Any) -> None:
    """What lies elsewhere travels in the message, whatever the order."""
    one, two = np.array([1], np.int32), np.array([2], np.int32)
    plain = triton.InferInput("y", [1], "INT32")
    plain.set_data_from_numpy(two)
    with triton.InferenceServerClient(address(own, triton)) as client, registered(client, 4) as handle:
        shm.set_shared_memory_region(handle, [one])
        for inputs in ([tensor(triton, "x", "INT32", [1], 4), plain], [plain, tensor(triton, "x", "INT32", [1], 4)]):
            result = client.infer("identity", inputs)
            assert (result.as_numpy("x"), result.as_numpy("y")) == (one, two)
        outputs = [output(triton, "y", 4)]
        client.infer("identity", [plain], outputs=outputs)
        assert same(shm.get_contents_as_numpy(handle, np.int32, [1]), two)
        outputs = [triton.InferRequestedOutput("x"), output(triton, "y", 4)]
        result = client.infer("identity", [tensor(triton, "x", "INT32", [1], 4), plain], outputs=outputs)
        assert same(result.as_numpy("x"), two)


@CLIENTS
def test_errors_have_the_words_of_triton(own: Server, triton: Any) -> None:
    """And its statuses."""
    http = triton is triton_http
    small = [triton.InferRequestedOutput("x")]
    small[0].set_shared_memory("r", 3)
    with (
        triton.InferenceServerClient(address(own, triton)) as client,
        registered(client, 8),
        shared(8) as (_, key),
    ):

        def fails(call: Any, *arguments: Any, **named: Any) -> str:
            with pytest.raises(InferenceServerException) as caught:
                call(*arguments, **named)
            return f"{caught.value.status()} {caught.value.message()}"

        register, status = client.register_system_shared_memory, client.get_system_shared_memory_status
        taken = "400" if http else "StatusCode.ALREADY_EXISTS"
        assert fails(register, "r", key, 8) == f"{taken} shared memory region 'r' already in manager"
        invalid = "400" if http else "StatusCode.INVALID_ARGUMENT"
        text = f"{invalid} failed to register shared memory region 's': invalid args"
        assert fails(register, "s", key, 9).startswith(text)
        assert fails(register, "s", key, 8, offset=1).startswith(text)
        assert fails(register, "s", key, 2**64 - 1, offset=2**64 - 1).startswith(text)
        missing = "404" if http else "StatusCode.NOT_FOUND"
        assert fails(status, "s") == f"{missing} Unable to find system shared memory region: 's'"
        beyond = [tensor(triton, "x", "INT32", [1], 4, 5)]
        text = f"{invalid} inputs[0].parameters.shared_memory_region: Invalid offset + byte size for shared memory"
        assert fails(client.infer, "identity", beyond).startswith(text)
        behind = [tensor(triton, "x", "INT32", [1], 4, 8)]
        text = f"{invalid} inputs[0].parameters.shared_memory_region: Invalid offset for shared memory region: 'r'"
        assert fails(client.infer, "identity", behind).startswith(text)
        internal = "500" if http else "StatusCode.INTERNAL"
        text = "should be at least 4 bytes to hold the results"
        given = [tensor(triton, "x", "INT32", [1], 4)]
        found = fails(client.infer, "identity", given, outputs=small)
        assert found.startswith(internal)
        assert found.endswith(f"request for output 'x' (3 bytes) {text}")
        client.unregister_system_shared_memory("s")


@CLIENTS
def test_cuda_memory_is_listed_as_none_and_cannot_be_registered(own: Server, triton: Any) -> None:
    """The server does not claim the extension, either."""
    with triton.InferenceServerClient(address(own, triton)) as client:
        status = client.get_cuda_shared_memory_status()
        assert status == [] if isinstance(status, list) else not status.regions
        client.unregister_cuda_shared_memory()
        client.unregister_cuda_shared_memory("g")
        with pytest.raises(InferenceServerException, match="Unable to find cuda shared memory region: 'g'"):
            client.get_cuda_shared_memory_status("g")
        with pytest.raises(InferenceServerException, match="region: 'g', GPUs not supported"):
            client.register_cuda_shared_memory("g", b"bm90aGluZw==", 0, 8)
        metadata = client.get_server_metadata()
        extensions = metadata["extensions"] if isinstance(metadata, dict) else metadata.extensions
        assert "system_shared_memory" in extensions
        assert "cuda_shared_memory" not in extensions


@CLIENTS
def test_without_the_setting_nothing_can_be_registered(server: Server, triton: Any) -> None:
    """There are no regions, and the error names the setting."""
    with triton.InferenceServerClient(address(server, triton)) as client, shared(8) as (_, key):
        for call in (
            lambda: client.register_system_shared_memory("r", key, 8),
            client.unregister_system_shared_memory,
            lambda: client.register_cuda_shared_memory("g", b"bm90aGluZw==", 0, 8),
            client.unregister_cuda_shared_memory,
            lambda: client.infer("identity", [tensor(triton, "x", "INT32", [1], 4)]),
        ):
            with pytest.raises(InferenceServerException, match="SRV_ALLOW_CLIENT_SHM") as caught:
                call()
            assert caught.value.status() in {"501", "StatusCode.UNIMPLEMENTED"}
        assert listed(client) == {}
        metadata = client.get_server_metadata()
        extensions = metadata["extensions"] if isinstance(metadata, dict) else metadata.extensions
        assert "system_shared_memory" not in extensions


@CLIENTS
def test_a_region_that_is_unregistered_during_a_request_is_there_until_it_ends(
    own: Server, gate: Gate, triton: Any
) -> None:
    """The output is written, and nothing stays open."""
    inputs, outputs = [tensor(triton, "port", "INT32", [1], 4)], [output(triton, "port", 4, 4)]

    def infer() -> None:
        with triton.InferenceServerClient(address(own, triton)) as client:
            client.infer("gate", inputs, outputs=outputs)

    with triton_grpc.InferenceServerClient(own.grpc_address) as client, shared(8) as (handle, key):
        assert listed(client) == {}
        before = own.open_files()
        client.register_system_shared_memory("r", key, 8)
        shm.set_shared_memory_region(handle, [np.array([gate.port], np.int32)])
        with ThreadPoolExecutor() as pool:
            running = pool.submit(infer)
            visit = gate.wait()
            client.unregister_system_shared_memory("r")
            assert listed(client) == {}
            visit.release()
            running.result()
        assert shm.get_contents_as_numpy(handle, np.int32, [2]).tolist() == [gate.port] * 2
        eventually(lambda: own.open_files() == before, own.open_files)


def test_a_stream_writes_each_response(own: Server) -> None:
    """The client reads one before it lets the next come; the last one stays."""
    results: queue.Queue[Any] = queue.Queue()
    with triton_grpc.InferenceServerClient(own.grpc_address) as client, registered(client, 8) as handle:
        shm.set_shared_memory_region(handle, [np.array([3], np.int32)])
        client.start_stream(lambda result, error: results.put((result, error)))
        inputs = [tensor(triton_grpc, "count", "INT32", [1], 4)]
        client.async_stream_infer("stream", inputs, outputs=[output(triton_grpc, "number", 4, 4)])
        answers = [results.get(timeout=PATIENCE) for _ in range(3)]
        client.stop_stream()
        assert [error for _, error in answers] == [None] * 3
        assert [list(result.get_response().raw_output_contents) for result, _ in answers] == [[b""]] * 3
        assert shm.get_contents_as_numpy(handle, np.int32, [1], offset=4).tolist() == [2]
