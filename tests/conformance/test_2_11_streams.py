"""2.11: ModelStreamInfer as Triton answers it; test_d11_streams.py has MLServer's dialect."""

from __future__ import annotations

import asyncio
import queue
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from grpc_client import SERVICE, Grpc
from http2 import Http2, message
from serving import Gate
from tensors import grpc_outputs, grpc_request, json_body, pb
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from serving import Server

FINAL = "triton_final_response"
ERRORS_AS_STATUS = (("triton_grpc_error", "true"),)


def number(model: str, name: str, value: int, request_id: str = "", **others: int) -> Any:
    """Return a request whose inputs are one number each."""
    arrays = {f"{each}:INT32": np.array([given], np.int32) for each, given in {name: value, **others}.items()}
    return grpc_request(model, arrays, id=request_id)


def repeat(*values: int, request_id: str = "", model: str = "repeat_int32") -> Any:
    """Return a request to Triton's decoupled model, which answers with one response to each value."""
    arrays = {
        "IN:INT32": np.array(values, np.int32),
        "DELAY:UINT32": np.zeros(len(values), np.uint32),
        "WAIT:UINT32": np.zeros(1, np.uint32),
    }
    return grpc_request(model, arrays, id=request_id)


def with_end(request: Any) -> Any:
    """Ask for an empty response at the end."""
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    return request


def final(response: Any) -> bool | None:
    """Return whether a response says that it is the last one, and None if it says nothing."""
    parameters = response.infer_response.parameters
    return parameters[FINAL].bool_param if FINAL in parameters else None


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Grpc]:
    """Return a client of the usual models."""
    with Grpc(server) as made:
        yield made


@pytest.fixture(scope="module")
def repeater(triton_server: Server) -> Iterator[Grpc]:
    """Return a client of Triton's models."""
    with Grpc(triton_server) as made:
        yield made


@pytest.fixture
def later() -> Iterator[Gate]:
    """Return a second gate."""
    opened = Gate()
    yield opened
    opened.close()


# ---- Order


def test_2_11_models_with_one_response_answer_in_the_order_of_the_requests(
    client: Grpc, gate: Gate, later: Gate
) -> None:
    """Although they run side by side, and the second is done first."""
    call = client.stream([number("gate", "port", gate.port, "1"), number("gate", "port", later.port, "2")])
    first, second = gate.wait(), later.wait()
    second.release()
    second_has_left = client.infer(number("identity", "x", 1))
    assert second_has_left.model_name == "identity"
    first.release()
    assert [response.infer_response.id for response in call] == ["1", "2"]


def test_2_11_an_error_keeps_the_order_too(client: Grpc, gate: Gate) -> None:
    """It is known at once, and comes behind the response that is owed before it."""
    call = client.stream([number("gate", "port", gate.port, "1"), number("nobody", "x", 1, "2")])
    gate.wait().release()
    assert [(each.infer_response.id, bool(each.error_message)) for each in call] == [("1", False), ("2", True)]


def test_2_11_decoupled_responses_interleave(client: Grpc) -> None:
    """A short stream ends in the middle of a long one, and so does a request to a model with one response."""
    call = client.stream(
        [
            number("stream", "count", 1_000_000, "long"),
            with_end(number("stream", "count", 2, "short")),
            number("identity", "x", 7, "one"),
        ]
    )
    ended: set[str] = set()
    for response in call:
        if final(response):
            ended.add(response.infer_response.id)
        if ended == {"short", "one"}:
            break
    assert next(call).infer_response.id == "long"
    call.cancel()


def test_2_11_there_may_be_many_requests_on_one_stream(client: Grpc) -> None:
    """More than run at the same time."""
    requests = [number("identity", "x", each, str(each)) for each in range(300)]
    responses = list(client.stream(requests))
    assert [response.infer_response.id for response in responses] == [str(each) for each in range(300)]
    assert [grpc_outputs(each.infer_response)["x"][0] for each in responses] == list(range(300))


def test_2_11_the_responses_to_a_decoupled_request_have_their_order(repeater: Grpc) -> None:
    """Each with the request's id, whatever else is on the stream."""
    requests = [repeat(*range(start, start + 20), request_id=str(start)) for start in range(0, 200, 20)]
    found: dict[str, list[int]] = {}
    for response in repeater.stream(requests):
        answer = response.infer_response
        found.setdefault(answer.id, []).extend(grpc_outputs(answer)["OUT"].tolist())
    assert found == {str(start): list(range(start, start + 20)) for start in range(0, 200, 20)}


# ---- The last response


def test_2_11_every_response_says_whether_it_is_the_last(repeater: Grpc, client: Grpc) -> None:
    """The one of predict is, and so is an error; of a stream nobody knows before its end."""
    assert [final(each) for each in repeater.stream([repeat(4, 2, 0)])] == [False, False, False]
    requests = [number("identity", "x", 1), number("nobody", "x", 1), number("stream", "count", -1)]
    by_model = {
        (each.infer_response.model_name, bool(each.error_message)): final(each) for each in client.stream(requests)
    }
    assert by_model == {
        ("identity", False): True,
        ("nobody", True): True,
        ("stream", False): False,
        ("stream", True): True,
    }  # fmt: skip


def test_2_11_the_end_is_a_response_for_those_who_ask(repeater: Grpc) -> None:
    """Without outputs, with the request's id and the model's name; also where there are no others."""
    *responses, end = repeater.stream([with_end(repeat(4, 2, request_id="7"))])
    assert [final(each) for each in responses] == [False, False]
    answer = end.infer_response
    assert (answer.id, answer.model_name, answer.model_version, final(end)) == ("7", "repeat_int32", "", True)
    assert (end.error_message, len(answer.outputs), len(answer.raw_output_contents)) == ("", 0, 0)
    (end,) = repeater.stream([with_end(repeat())])
    assert (final(end), len(end.infer_response.outputs)) == (True, 0)
    assert list(repeater.stream([repeat()])) == []


def test_2_11_a_model_with_one_response_has_no_empty_one(client: Grpc) -> None:
    """Its only one is the last."""
    (response,) = client.stream([with_end(number("identity", "x", 1))])
    assert (final(response), len(response.infer_response.outputs)) == (True, 1)


def test_2_11_a_runtime_may_say_which_one_is_the_last(client: Grpc) -> None:
    """Then there is no empty one behind it; and an empty one that it yields goes to those who ask."""
    request = grpc_request("mock_llm", {"PROMPT:BYTES": np.array([[b"a"]], object), "STREAM:BOOL": np.array([[False]])})
    assert [final(each) for each in client.stream([with_end(request)])] == [True]
    request = grpc_request("mock_llm", {"PROMPT:BYTES": np.array([[b"a"]], object), "STREAM:BOOL": np.array([[True]])})
    assert [final(each) for each in client.stream([request])] == [False]
    assert [final(each) for each in client.stream([with_end(request)])] == [False, True]


def test_2_11_the_parameter_of_the_end_is_accepted_everywhere(client: Grpc, server: Server) -> None:
    """perf_analyzer sends it with unary calls; the runtime does not see it, and the answer has no mark."""
    answer = client.infer(with_end(number("report", "x", 1)))
    assert FINAL not in answer.parameters
    assert b"triton_" not in grpc_outputs(answer)["report"][0]
    body = json_body({"x:INT32": np.zeros(1, np.int32)}, parameters={"triton_enable_empty_final_response": True})
    assert server.post("/v2/models/identity/infer", body).status == 200


# ---- Errors


def test_2_11_an_error_is_a_message_and_the_stream_goes_on(client: Grpc) -> None:
    """With the request's id; those behind it are answered."""
    requests = [
        number("nobody", "x", 1, "lost"),
        number("stream", "count", -2, "half"),
        number("identity", "x", 3, "ok"),
    ]
    found = [(each.infer_response.id, each.error_message) for each in client.stream(requests)]
    assert ("lost", "Request for unknown model: 'nobody' is not found") in found
    assert [text for request_id, text in found if request_id == "half"] == ["", "", "the end is at 2"]
    assert ("ok", "") in found


def test_2_11_errors_become_the_status_for_those_who_ask(client: Grpc, gate: Gate, later: Gate) -> None:
    """The first one ends the stream, behind the responses that are owed before it."""
    late = number("gate", "port", later.port, "2")
    late.parameters["timeout"].int64_param = 200_000
    requests = [number("gate", "port", gate.port, "1"), late, number("identity", "x", 3, "3")]
    call = client.stream(requests, metadata=ERRORS_AS_STATUS)
    visit = gate.wait()
    later.wait().wait_closed()
    visit.release()
    assert next(call).infer_response.id == "1"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert error.details().startswith("Request timeout expired")


def test_2_11_an_error_that_is_the_status_ends_what_else_runs(client: Grpc, gate: Gate) -> None:
    """The code of the other models on the stream is told."""
    requests = [number("stream", "count", 1_000_000, port=gate.port), number("stream", "count", -1)]
    call = client.stream(requests, metadata=ERRORS_AS_STATUS)
    visit = gate.wait()
    with pytest.raises(grpc.RpcError) as caught:
        list(call)
    error: Any = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "the end is at 1")
    visit.wait_closed()


@pytest.mark.parametrize("value", ["false", "True", ""])
def test_2_11_other_values_of_that_metadata_ask_for_nothing(client: Grpc, value: str) -> None:
    (response,) = client.stream([number("nobody", "x", 1)], metadata=(("triton_grpc_error", value),))
    assert "unknown model" in response.error_message


def test_2_11_what_came_before_a_message_that_cannot_be_read_is_answered(server: Server, gate: Gate) -> None:
    """Then the stream ends with its status: nobody could say which request it was."""
    with Http2(server.ports["gRPC"]) as http2:
        stream = http2.open(SERVICE + "ModelStreamInfer")
        http2.send(stream, message(number("gate", "port", gate.port, "1").SerializeToString()) + message(b"\xff"))
        http2.flush()
        gate.wait().release()
        status, text = http2.status(stream)
    (response,) = framed_messages(bytes(http2.data[stream]))
    assert response.infer_response.id == "1"
    assert (status, text) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], "protobuf: the message is truncated at byte 1")


def framed_messages(data: bytes) -> list[Any]:
    """Return the messages behind their prefixes."""
    messages: list[Any] = []
    while data:
        size = int.from_bytes(data[1:5], "big")
        messages.append(pb.ModelStreamInferResponse.FromString(data[5 : 5 + size]))
        data = data[5 + size :]
    return messages


# ---- The end of a stream


def test_2_11_a_client_that_has_sent_all_gets_all(client: Grpc, gate: Gate) -> None:
    """It half-closes; what runs is answered, and then the status is OK."""
    call = client.stream([number("gate", "port", gate.port, "1"), number("stream", "count", 3, "2")])
    assert [next(call).infer_response.id for _ in range(3)] == ["2"] * 3
    gate.wait().release()
    assert [response.infer_response.id for response in call] == ["1"]
    assert call.code() is grpc.StatusCode.OK


def test_2_11_the_end_of_tritonclients_stream(server: Server) -> None:
    """stop_stream() returns when every request has been answered."""
    results: queue.Queue[Any] = queue.Queue()
    with triton.InferenceServerClient(server.grpc_address) as made:
        made.start_stream(lambda result, error: results.put((result, error)))
        for each in range(100):
            made.async_stream_infer("identity", [tensor("x", each)], request_id=str(each))
        made.async_stream_infer("stream", [tensor("count", 3)], request_id="s", enable_empty_final_response=True)
        made.stop_stream()
    found = [results.get_nowait() for _ in range(104)]
    assert results.empty()
    assert [error for _, error in found] == [None] * 104
    answers = [result.get_response() for result, _ in found]
    assert [answer.id for answer in answers if answer.id != "s"] == [str(each) for each in range(100)]
    marks = [answer.parameters[FINAL].bool_param for answer in answers if answer.id == "s"]
    assert marks == [False, False, False, True]


@pytest.mark.parametrize(("model", "name"), [("gate", "port"), ("stream", "port")])
def test_2_11_a_cancelled_stream_cancels_its_requests(server: Server, gate: Gate, model: str, name: str) -> None:
    """The model's code is told."""
    inputs = [tensor(name, gate.port), *([tensor("count", 1_000_000)] if model == "stream" else [])]
    with triton.InferenceServerClient(server.grpc_address) as made:
        made.start_stream(lambda **_: None)
        made.async_stream_infer(model, inputs)
        visit = gate.wait()
        made.stop_stream(cancel_requests=True)
        visit.wait_closed()


def test_2_11_a_deadline_ends_the_stream_and_its_requests(client: Grpc, gate: Gate) -> None:
    """Of the whole call, as gRPC has it."""
    method = client.channel.stream_stream(SERVICE + "ModelStreamInfer")
    with pytest.raises(grpc.RpcError) as caught:
        list(method(iter([number("gate", "port", gate.port).SerializeToString()]), timeout=0.3))
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    gate.wait().wait_closed()


def tensor(name: str, value: int) -> Any:
    """Return an input of tritonclient's with one number."""
    made = triton.InferInput(name, [1], "INT32")
    made.set_data_from_numpy(np.array([value], np.int32))
    return made


def test_2_11_the_asyncio_client_gets_results_and_errors(server: Server) -> None:
    """In pairs, one of which is None."""

    async def requests() -> AsyncIterator[dict[str, Any]]:
        for model, value in (("identity", 1), ("nobody", 2), ("identity", 3)):
            yield {"model_name": model, "inputs": [tensor("x", value)], "request_id": str(value)}

    async def run() -> list[object]:
        async with triton_aio.InferenceServerClient(server.grpc_address) as made:
            results: Any = made.stream_infer(requests())
            return [each.get_response().id if error is None else error.message() async for each, error in results]

    assert asyncio.run(run()) == ["1", "Request for unknown model: 'nobody' is not found", "3"]


@pytest.mark.parametrize("model", ["stream", "talk"])
def test_2_11_a_decoupled_model_has_no_single_answer(server: Server, model: str) -> None:
    """UNIMPLEMENTED and 501, in Triton's words."""
    text = f"ModelInfer RPC doesn't support models with decoupled transaction policy: model '{model}'"
    with (
        triton.InferenceServerClient(server.grpc_address) as made,
        pytest.raises(InferenceServerException) as caught,
    ):
        made.infer(model, [tensor("count", 1)])
    assert (caught.value.status(), text in str(caught.value)) == ("StatusCode.UNIMPLEMENTED", True)
    answer = server.post(f"/v2/models/{model}/infer", json_body({"count:INT32": np.ones(1, np.int32)}))
    assert (answer.status, text in answer.error()) == (501, True)


def test_2_11_each_request_is_a_stream_of_its_own_to_a_runtime(client: Grpc) -> None:
    """Its requests are those of one call in MLServer's dialect only."""
    responses = list(client.stream([number("talk", "x", each) for each in (1, 2, 4)]))
    assert [grpc_outputs(each.infer_response)["total"].tolist() for each in responses] == [[1], [2], [4]]
