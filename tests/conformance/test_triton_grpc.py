"""tritonclient.grpc and tritonclient.grpc.aio against the gRPC front."""

from __future__ import annotations

import asyncio
import queue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tensors import SAMPLES, same, variants
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from serving import Gate, Server


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Any]:
    """Return a client of the plain kind."""
    with triton.InferenceServerClient(server.grpc_address) as made:
        yield made


def run_aio(server: Server, use: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """Call `use` with a client of the asyncio kind."""

    async def run() -> None:
        async with triton_aio.InferenceServerClient(server.grpc_address) as client:
            await use(client)

    asyncio.run(run())


def tensor(name: str, datatype: str, array: Any) -> Any:
    """Return an input of the client's."""
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def test_live_ready_and_model_ready(client: Any) -> None:
    """All are true; what does not exist is not ready, without an error."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("identity")
    assert client.is_model_ready("versions", "2")
    assert not client.is_model_ready("versions", "3")
    assert not client.is_model_ready("nobody")


def test_metadata_of_server_and_models(client: Any) -> None:
    """Every field that the protocol has is there."""
    metadata = client.get_server_metadata(as_json=True)
    assert metadata["name"] == "srv"
    assert "binary_tensor_data" in metadata["extensions"]
    found = client.get_model_metadata("declared")
    assert (found.name, found.platform, list(found.versions)) == ("declared", "test_sum", [])
    assert [(each.name, each.datatype, list(each.shape)) for each in found.inputs] == [
        ("a", "FP32", [-1, 2]),
        ("b", "FP32", [-1, 2]),
    ]
    assert [each.name for each in found.outputs] == ["sum", "difference"]
    assert list(client.get_model_metadata("versions").versions) == ["1", "2", "10"]


def test_repository_index(client: Any) -> None:
    """It lists every version of every model with its state."""
    index = client.get_model_repository_index().models
    assert [(entry.version, entry.state) for entry in index if entry.name == "versions"] == [
        ("1", "READY"),
        ("2", "READY"),
        ("10", "READY"),
    ]


@pytest.mark.parametrize("datatype", SAMPLES)
def test_raw_tensors_of_every_datatype(client: Any, datatype: str) -> None:
    """Whatever the shape, what goes in comes out."""
    for name, array in variants(datatype).items():
        result = client.infer("identity", [tensor(name, datatype, array)])
        assert same(result.as_numpy(name), array), name
        assert result.get_output(name).datatype == datatype
        assert list(result.get_output(name).shape) == list(array.shape)


def test_request_id_version_and_parameters(client: Any) -> None:
    """The id comes back, the version that was asked for answers, and without one the highest."""
    inputs = [tensor("x", "INT32", np.array([1], np.int32))]
    response = client.infer("versions", inputs, model_version="2", request_id="me-7").get_response()
    assert (response.id, response.model_name, response.model_version) == ("me-7", "versions", "2")
    assert client.infer("versions", inputs).as_numpy("version").tolist() == [b"10"]
    response = client.infer("headers", inputs, headers={"x-echo": "said"}, parameters={"k": "v"}).get_response()
    assert response.parameters["echo"].string_param == "said"
    assert response.parameters["flag"].bool_param
    assert response.parameters["number"].int64_param == 7
    assert "headers" not in response.parameters


def test_requested_outputs_are_filtered_and_ordered(client: Any) -> None:
    """Only what was asked for comes, in that order, with one raw entry each."""
    array = np.array([[1, 2], [3, 4]], np.float32)
    inputs = [tensor("a", "FP32", array), tensor("b", "FP32", array)]
    outputs = [triton.InferRequestedOutput("difference"), triton.InferRequestedOutput("sum")]
    result = client.infer("declared", inputs, outputs=outputs)
    assert [each.name for each in result.get_response().outputs] == ["difference", "sum"]
    assert result.as_numpy("sum").tolist() == [[2, 4], [6, 8]]
    result = client.infer("declared", inputs, outputs=outputs[:1])
    assert [each.name for each in result.get_response().outputs] == ["difference"]
    assert len(result.get_response().raw_output_contents) == 1


def test_errors_have_texts_and_statuses(client: Any) -> None:
    """Each is an InferenceServerException whose status and text say what was wrong."""
    array = np.array([[1, 2]], np.float32)
    good = [tensor("a", "FP32", array), tensor("b", "FP32", array)]

    def fails(status: str, match: str, *args: Any, **options: Any) -> None:
        with pytest.raises(InferenceServerException, match=match) as caught:
            client.infer(*args, **options)
        assert caught.value.status() == f"StatusCode.{status}"

    fails("NOT_FOUND", "Request for unknown model: 'nobody' is not found", "nobody", good)
    fails("NOT_FOUND", "unknown model: 'versions' version 9 is not found", "versions", good, model_version="9")
    fails("INVALID_ARGUMENT", "expected 2 inputs but got 1 inputs for model 'declared'", "declared", good[:1])
    wrong = [tensor("a", "INT32", array.astype(np.int32)), good[1]]
    fails("INVALID_ARGUMENT", "data-type is 'INT32', but model 'declared' expects 'FP32'", "declared", wrong)
    wrong = [tensor("a", "FP32", np.zeros((1, 3), np.float32)), good[1]]
    fails("INVALID_ARGUMENT", r"unexpected shape for input 'a' .*Expected \[-1,2\], got \[1,3\]", "declared", wrong)
    fails("INVALID_ARGUMENT", "unexpected inference input 'c'", "declared", [*good, tensor("c", "FP32", array)])
    fails("INVALID_ARGUMENT", "input 'a' already exists in request", "declared", [good[0], good[0]])
    outputs = [triton.InferRequestedOutput("nothing")]
    fails("INVALID_ARGUMENT", "unexpected inference output 'nothing'", "declared", good, outputs=outputs)
    fails("UNIMPLEMENTED", "decoupled", "stream", good)
    with pytest.raises(InferenceServerException, match="unknown model: 'nöbody'") as caught:
        client.get_model_metadata("nöbody")
    assert caught.value.status() == "StatusCode.NOT_FOUND"


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [1, 10_000, 1_000_000])
def test_compressed_messages_are_understood(client: Any, algorithm: str, size: int) -> None:
    """The answer to a compressed request is compressed in the same way, which the client undoes."""
    array = np.arange(size, dtype=np.int32)
    result = client.infer("identity", [tensor("x", "INT32", array)], compression_algorithm=algorithm)
    np.testing.assert_array_equal(result.as_numpy("x"), array)


def test_a_deadline_is_kept(client: Any, gate: Gate) -> None:
    """The client gets DEADLINE_EXCEEDED, and the request in the server is cancelled."""
    inputs = [tensor("port", "INT32", np.array([gate.port], np.int32))]
    with pytest.raises(InferenceServerException) as caught:
        client.infer("gate", inputs, client_timeout=0.3)
    assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    gate.wait().wait_closed()


def test_a_cancelled_call_is_cancelled_in_the_server(client: Any, gate: Gate) -> None:
    """The runtime's coroutine ends when the client gives up."""
    results: queue.Queue[Any] = queue.Queue()
    inputs = [tensor("port", "INT32", np.array([gate.port], np.int32))]
    call = client.async_infer("gate", inputs, lambda result, error: results.put((result, error)))
    visit = gate.wait()
    call.cancel()
    visit.wait_closed()
    result, error = results.get(timeout=60)
    assert result is None
    assert "Locally cancelled" in str(error)


def test_the_stream_of_the_client(server: Server) -> None:
    """Responses come in the requests' order; an error is a message, after which the stream goes on."""
    results: queue.Queue[Any] = queue.Queue()
    with triton.InferenceServerClient(server.grpc_address) as client:
        client.start_stream(lambda result, error: results.put((result, error)))
        for number in range(10):
            array = np.array([number], np.int32)
            client.async_stream_infer("identity", [tensor("x", "INT32", array)], request_id=str(number))
        client.async_stream_infer("nobody", [tensor("x", "INT32", np.zeros(1, np.int32))], request_id="lost")
        client.async_stream_infer("stream", [tensor("count", "INT32", np.array([3], np.int32))], request_id="many")
        client.stop_stream()
    got = [results.get(timeout=60) for _ in range(14)]
    assert results.empty()
    assert [error for _, error in got[:10]] == [None] * 10
    assert [result.as_numpy("x").tolist() for result, _ in got[:10]] == [[number] for number in range(10)]
    assert [result.get_response().id for result, _ in got[:10]] == [str(number) for number in range(10)]
    assert got[10][0] is None
    assert "unknown model: 'nobody'" in str(got[10][1])
    assert [result.as_numpy("number").tolist() for result, _ in got[11:]] == [[0], [1], [2]]
    assert {result.get_response().id for result, _ in got[11:]} == {"many"}


def test_the_asyncio_client(server: Server) -> None:
    """Health, metadata, index, inference, a stream and errors."""

    async def requests() -> AsyncIterator[dict[str, Any]]:
        for number in range(3):
            yield {"model_name": "identity", "inputs": [tensor("x", "INT32", np.array([number], np.int32))]}

    async def use(client: Any) -> None:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("identity")
        assert not await client.is_model_ready("nobody")
        assert (await client.get_server_metadata()).name == "srv"
        assert (await client.get_model_metadata("declared")).platform == "test_sum"
        assert any(entry.name == "identity" for entry in (await client.get_model_repository_index()).models)
        for datatype, array in SAMPLES.items():
            result = await client.infer("identity", [tensor("x", datatype, array)], request_id=datatype)
            assert same(result.as_numpy("x"), array), datatype
            assert result.get_response().id == datatype
        with pytest.raises(InferenceServerException, match="unknown model: 'nobody'") as caught:
            await client.infer("nobody", [tensor("x", "INT32", SAMPLES["INT32"])])
        assert caught.value.status() == "StatusCode.NOT_FOUND"
        seen = [result.as_numpy("x").tolist() async for result, error in client.stream_infer(requests()) if not error]
        assert seen == [[0], [1], [2]]

    run_aio(server, use)


def test_64_parallel_requests_on_one_connection(server: Server) -> None:
    """Everybody gets their own answer, out of models on the event loop and on threads."""

    async def use(client: Any) -> None:
        async def one(number: int) -> None:
            for round_ in range(3):
                array = np.full((16, 4), number * 1000 + round_, np.int64)
                result = await client.infer("identity", [tensor("x", "INT64", array)], request_id=f"{number}-{round_}")
                assert same(result.as_numpy("x"), array)
                assert result.get_response().id == f"{number}-{round_}"

        await asyncio.gather(*map(one, range(64)))

    run_aio(server, use)
