"""What tritonclient's example programs and Triton's own tests check, where no other test of ours does."""

from __future__ import annotations

import queue
import secrets
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
import tritonclient.utils.shared_memory as shm
from grpc_client import Grpc
from serving import MODELS, PATIENCE
from tensors import from_raw, grpc_request, to_raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Serve, Server

CLIENTS = pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
A = np.arange(16, dtype=np.int32).reshape(1, 16)
B = np.ones((1, 16), np.int32)
SEQUENCES: dict[int | str, list[int]] = {1000: [0, 11, 7, 5], 1001: [100, -11, -7], "a-b": [20, 1], "1000": [3, 4]}


@pytest.fixture(scope="module")
def own(serve_module: Serve) -> Server:
    """Return a server with the settings that the examples need."""
    return serve_module(MODELS / "triton", allow_client_shm="true", grpc_output="raw").wait_started()


def client_of(server: Server, triton: Any) -> Any:
    return triton.InferenceServerClient(server.http_address if triton is triton_http else server.grpc_address)


def tensor(triton: Any, name: str, datatype: str, array: Any) -> Any:
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


def sequences(triton: Any) -> Iterator[dict[str, Any]]:
    """Yield requests of all sequences, mixed; their ids say which and when."""
    for index in range(max(map(len, SEQUENCES.values()))):
        for key, values in SEQUENCES.items():
            if index < len(values):
                yield {
                    "model_name": "simple_sequence",
                    "inputs": [tensor(triton, "INPUT", "INT32", np.array([[values[index]]], np.int32))],
                    "request_id": f"{key!r}/{index}",
                    "sequence_id": key,
                    "sequence_start": index == 0,
                    "sequence_end": index == len(values) - 1,
                }


SUMS = {
    f"{key!r}/{index}": sum(values[: index + 1]) for key, values in SEQUENCES.items() for index in range(len(values))
}


@CLIENTS
def test_sequences_side_by_side(own: Server, triton: Any) -> None:
    """A text is another id than the number that it spells."""
    with client_of(own, triton) as client:
        got = {each["request_id"]: client.infer(**each).as_numpy("OUTPUT").item() for each in sequences(triton)}
    assert got == SUMS


def test_sequences_side_by_side_on_one_stream(own: Server) -> None:
    """Whose requests are sent without a wait for any answer."""
    results: queue.Queue[Any] = queue.Queue()
    with client_of(own, triton_grpc) as client:
        client.start_stream(lambda result, error: results.put((result, error)))
        for each in sequences(triton_grpc):
            client.async_stream_infer(**each)
        got = [results.get(timeout=PATIENCE) for _ in SUMS]
        client.stop_stream()
    assert [error for _, error in got if error] == []
    assert {result.get_response().id: result.as_numpy("OUTPUT").item() for result, _ in got} == SUMS


@CLIENTS
def test_the_same_objects_make_requests_with_shared_memory_and_without(own: Server, triton: Any) -> None:
    """What a client has said of a tensor before does not count."""
    inputs = [tensor(triton, "INPUT0", "INT32", A), tensor(triton, "INPUT1", "INT32", B)]
    outputs = [triton.InferRequestedOutput("OUTPUT0"), triton.InferRequestedOutput("OUTPUT1")]
    key = f"/srv-tests-{secrets.token_hex(8)}"
    memory = shm.create_shared_memory_region("mine", key, 256)
    try:
        with client_of(own, triton) as client:
            client.register_system_shared_memory("mine", key, 256)
            shm.set_shared_memory_region(memory, [A, B])
            for shared in (True, False, True):
                if shared:
                    for offset, each in zip(range(0, 256, 64), [*inputs, *outputs], strict=True):
                        each.set_shared_memory("mine", 64, offset)
                else:
                    inputs[0].set_data_from_numpy(A)
                    inputs[1].set_data_from_numpy(B * 2)
                    for each in outputs:
                        each.unset_shared_memory()
                result = client.infer("simple", inputs, outputs=outputs)
                if shared:
                    found = [shm.get_contents_as_numpy(memory, np.int32, [1, 16], offset) for offset in (128, 192)]
                    expected = [A + B, A - B]
                else:
                    found = [result.as_numpy("OUTPUT0"), result.as_numpy("OUTPUT1")]
                    expected = [A + B * 2, A - B * 2]
                np.testing.assert_array_equal(found, expected)
            client.unregister_system_shared_memory("mine")
    finally:
        shm.destroy_shared_memory_region(memory)


@pytest.mark.parametrize(("model", "datatype"), [("simple", "INT32"), ("simple_string", "BYTES")])
def test_d1_typed_contents_are_answered_raw_where_the_setting_says_so(own: Server, model: str, datatype: str) -> None:
    """As the examples with explicit contents read them."""
    given, expected = [A, B], [A + B, A - B]
    if datatype == "BYTES":
        given, expected = (
            [np.array([str(item).encode() for item in each.flat], object).reshape(1, 16) for each in arrays]
            for arrays in (given, expected)
        )
    arrays = {f"INPUT{index}:{datatype}": each for index, each in enumerate(given)}
    with Grpc(own) as client:
        answer = client.infer(grpc_request(model, arrays, typed=True))
    assert [output.HasField("contents") for output in answer.outputs] == [False, False]
    assert list(answer.raw_output_contents) == [to_raw(each) for each in expected]
    assert from_raw(answer.raw_output_contents[0], datatype, [1, 16]).tolist() == expected[0].tolist()


@pytest.mark.parametrize("empty_final", [False, True])
@pytest.mark.parametrize("responses", [0, 1, 5])
@pytest.mark.parametrize("count", [1, 5])
def test_a_decoupled_model_answers_each_request_as_often_as_it_likes(
    own: Server, count: int, responses: int, empty_final: bool
) -> None:
    """Never, once or often; who asks for it learns of the end of each."""
    values = np.arange(100, 100 + responses, dtype=np.int32)
    delays = np.zeros(responses, np.uint32)
    inputs = [
        tensor(triton_grpc, "IN", "INT32", values),
        tensor(triton_grpc, "DELAY", "UINT32", delays),
        tensor(triton_grpc, "WAIT", "UINT32", np.zeros(1, np.uint32)),
    ]
    results: queue.Queue[Any] = queue.Queue()
    with client_of(own, triton_grpc) as client:
        client.start_stream(lambda result, error: results.put((result, error)))
        for index in range(count):
            client.async_stream_infer(
                "repeat_int32", inputs, request_id=str(index), enable_empty_final_response=empty_final
            )
        # The stream ends after the last response.
        client.stop_stream()
    got: dict[str, list[Any]] = {}
    while not results.empty():
        result, error = results.get()
        assert error is None
        response = result.get_response()
        got.setdefault(response.id, []).append(
            (
                result.as_numpy("OUT").item() if response.outputs else None,
                response.parameters["triton_final_response"].bool_param,
            )
        )
    each = [(value, False) for value in values.tolist()] + [(None, True)] * empty_final
    assert got == ({str(index): each for index in range(count)} if each else {})


def test_the_statistics_of_responses_are_the_same_over_both_protocols(own: Server) -> None:
    """One entry for each place in the stream, and one for its end."""
    values = np.arange(2, dtype=np.int32)
    inputs = [
        tensor(triton_grpc, "IN", "INT32", values),
        tensor(triton_grpc, "DELAY", "UINT32", np.zeros(2, np.uint32)),
        tensor(triton_grpc, "WAIT", "UINT32", np.zeros(1, np.uint32)),
    ]
    results: queue.Queue[Any] = queue.Queue()
    with client_of(own, triton_grpc) as client, client_of(own, triton_http) as other:
        client.start_stream(lambda result, error: results.put((result, error)))
        client.async_stream_infer("repeat_int32", inputs)
        client.stop_stream()
        assert results.qsize() == len(values)
        (over_grpc,) = client.get_inference_statistics("repeat_int32").model_stats
        (over_http,) = other.get_inference_statistics("repeat_int32")["model_stats"]
    assert {"0", "1", "2"} <= over_http["response_stats"].keys()
    assert over_http["response_stats"] == {
        position: {
            name: {"count": getattr(stats, name).count, "ns": getattr(stats, name).ns}
            for name in ("compute_infer", "compute_output", "success", "fail", "empty_response", "cancel")
        }
        for position, stats in over_grpc.response_stats.items()
    }
