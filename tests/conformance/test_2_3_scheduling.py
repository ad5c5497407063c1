"""2.3: sequences, priorities, timeouts, and the parameters that are Triton's own."""

from __future__ import annotations

import asyncio
import json
import queue
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from grpc_client import Grpc
from tensors import grpc_outputs, grpc_request, json_body, rest_outputs
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Gate, Server

BOTH = pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
AIO = pytest.mark.parametrize("triton", [triton_http_aio, triton_grpc_aio], ids=["http", "grpc"])
IDS = pytest.mark.parametrize("sequence", [7, 2**63 - 1, "seven", "7"], ids=["7", "the largest", "seven", "7 as text"])
MODEL = "simple_sequence"


def address(server: Server, triton: Any) -> str:
    return server.http_address if "http" in triton.__name__ else server.grpc_address


def number(triton: Any, value: int, name: str = "INPUT") -> list[Any]:
    """Return the one input of a model with one number."""
    made = triton.InferInput(name, [1, 1], "INT32")
    made.set_data_from_numpy(np.array([[value]], np.int32))
    return [made]


def add(client: Any, triton: Any, value: int, sequence: object, *, start: bool = False, end: bool = False) -> int:
    """Add a number to a sequence, and return its sum."""
    result = client.infer(MODEL, number(triton, value), sequence_id=sequence, sequence_start=start, sequence_end=end)
    return int(result.as_numpy("OUTPUT")[0, 0])


# ---- Sequences


@BOTH
@IDS
def test_2_3_a_sequence_goes_from_its_start_to_its_end(triton_server: Server, triton: Any, sequence: object) -> None:
    """Under a number or a text; 7 and "7" are two."""
    with triton.InferenceServerClient(address(triton_server, triton)) as client:
        assert add(client, triton, 1, sequence, start=True) == 1
        assert add(client, triton, 2, sequence) == 3
        assert add(client, triton, 4, sequence, end=True) == 7
        with pytest.raises(InferenceServerException, match="must specify the START flag"):
            add(client, triton, 8, sequence)


@BOTH
def test_2_3_sequences_are_apart(triton_server: Server, triton: Any) -> None:
    """Whatever their order; one request may be a whole sequence; a start begins anew."""
    with triton.InferenceServerClient(address(triton_server, triton)) as client:
        assert add(client, triton, 1, 1, start=True) == 1
        assert add(client, triton, 10, "1", start=True) == 10
        assert add(client, triton, 100, 3, start=True, end=True) == 100
        assert add(client, triton, 2, 1) == 3
        assert add(client, triton, 20, "1", end=True) == 30
        assert add(client, triton, 5, 1, start=True) == 5
        assert add(client, triton, 1, 1, end=True) == 6


@AIO
def test_2_3_the_asyncio_clients_have_sequences(triton_server: Server, triton: Any) -> None:
    """One after the other."""

    async def run() -> list[int]:
        async with triton.InferenceServerClient(address(triton_server, triton)) as client:
            sums: list[int] = []
            for value in (1, 2, 4):
                result = await client.infer(
                    MODEL, number(triton, value), sequence_id=5, sequence_start=value == 1, sequence_end=value == 4
                )
                sums.append(int(result.as_numpy("OUTPUT")[0, 0]))
            return sums

    assert asyncio.run(run()) == [1, 3, 7]


def test_2_3_sequences_interleave_on_one_stream(triton_server: Server) -> None:
    """Without waiting for an answer between their requests, as Triton's example does."""
    results: queue.Queue[Any] = queue.Queue()
    # The client's own hints know no text.
    sequences: list[tuple[Any, int]] = [(1000, 1), ("text", -1)]
    with triton_grpc.InferenceServerClient(triton_server.grpc_address) as client:
        client.start_stream(lambda result, error: results.put((result, error)))
        values = [*range(1, 40)]
        for value in values:
            for sequence, factor in sequences:
                client.async_stream_infer(
                    MODEL,
                    number(triton_grpc, factor * value),
                    request_id=f"{sequence}_{value}",
                    sequence_id=sequence,
                    sequence_start=value == values[0],
                    sequence_end=value == values[-1],
                )
        client.stop_stream()
    found = [results.get_nowait() for _ in range(2 * len(values))]
    assert [error for _, error in found] == [None] * len(found)
    sums = {result.get_response().id: int(result.as_numpy("OUTPUT")[0, 0]) for result, _ in found}
    totals = np.cumsum(values).tolist()
    assert [sums[f"1000_{value}"] for value in values] == totals
    assert [sums[f"text_{value}"] for value in values] == [-each for each in totals]


@BOTH
@pytest.mark.parametrize("sequence", [0, ""])
def test_2_3_a_stateful_model_needs_a_sequence(triton_server: Server, triton: Any, sequence: object) -> None:
    """0 and no text are none."""
    with (
        triton.InferenceServerClient(address(triton_server, triton)) as client,
        pytest.raises(InferenceServerException) as caught,
    ):
        add(client, triton, 1, sequence, start=True)
    assert f"to model '{MODEL}' must specify a non-zero or non-empty correlation ID" in caught.value.message()
    assert caught.value.status() in {"400", "StatusCode.INVALID_ARGUMENT"}


@BOTH
@pytest.mark.parametrize("sequence", [11, "eleven"])
def test_2_3_a_sequence_needs_a_start(triton_server: Server, triton: Any, sequence: object) -> None:
    """In Triton's words."""
    with (
        triton.InferenceServerClient(address(triton_server, triton)) as client,
        pytest.raises(InferenceServerException) as caught,
    ):
        add(client, triton, 1, sequence)
    assert caught.value.message() == (
        f"inference request for sequence {sequence} to model '{MODEL}' must specify the START flag on the first "
        "request of the sequence"
    )


@BOTH
def test_2_3_other_models_take_no_notice_of_sequences(server: Server, triton: Any) -> None:
    """Their runtimes see the parameters."""
    with triton.InferenceServerClient(address(server, triton)) as client:
        result = client.infer("report", number(triton, 1, "x"), sequence_id="s", sequence_end=True, priority=3)
    seen = json.loads(result.as_numpy("report")[0])["parameters"]
    assert {name: seen[name] for name in sorted(seen) if name != "binary_data_output"} == {
        "priority": 3,
        "sequence_end": True,
        "sequence_id": "s",
        "sequence_start": False,
    }


# ---- The types of the parameters


REST_VALUES: dict[str, list[Any]] = {
    "sequence_id": [True, 1.5],
    "sequence_start": [1, "true"],
    "sequence_end": [0, "false"],
    "priority": [True, "1", -1, 1.5],
    "timeout": [True, "1", -1, 1.5],
}
GRPC_VALUES: dict[str, list[dict[str, Any]]] = {
    "sequence_id": [{"bool_param": True}, {"double_param": 1.5}],
    "sequence_start": [{"int64_param": 1}, {"string_param": "true"}],
    "sequence_end": [{"int64_param": 0}, {"string_param": "false"}],
    "priority": [{"bool_param": True}, {"string_param": "1"}, {"int64_param": -1}],
    "timeout": [{"bool_param": True}, {"string_param": "1"}, {"int64_param": -1}],
}
EXPECTED = {
    "sequence_id": "int64_param or string_param",
    "sequence_start": "bool_param",
    "sequence_end": "bool_param",
    "priority": "int64_param",
    "timeout": "int64_param",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_2_3_a_parameter_of_another_type_is_refused(server: Server, name: str) -> None:
    """With Triton's words for gRPC in both protocols."""
    text = f"invalid value type for '{name}' parameter, expected {EXPECTED[name]}."
    one = {"x:INT32": np.zeros(1, np.int32)}
    for value in REST_VALUES[name]:
        answer = server.post("/v2/models/identity/infer", json_body(one, parameters={name: value}))
        assert (answer.status, text in answer.error()) == (400, True), value
    with Grpc(server) as client:
        for members in GRPC_VALUES[name]:
            request = grpc_request("identity", one)
            for member, value in members.items():
                setattr(request.parameters[name], member, value)
            status, details = client.fails(request)
            assert (status, text in details) == ("INVALID_ARGUMENT", True), members


def test_2_3_either_kind_of_integer_will_do(server: Server) -> None:
    """Tritonclient sends priorities as uint64, and timeouts as int64; Triton takes a timeout as int64 only."""
    with Grpc(server) as client:
        for member in ("int64_param", "uint64_param"):
            request = grpc_request("identity", {"x:INT32": np.ones(1, np.int32)})
            for name in ("priority", "timeout", "sequence_id"):
                setattr(request.parameters[name], member, 60_000_000)
            assert grpc_outputs(client.infer(request))["x"].tolist() == [1]


@BOTH
def test_2_3_a_timeout_of_zero_is_none(server: Server, triton: Any) -> None:
    """And a priority of zero is the model's own."""
    with triton.InferenceServerClient(address(server, triton)) as client:
        result = client.infer("identity", number(triton, 3, "x"), priority=0, timeout=0)
        assert result.as_numpy("x").tolist() == [[3]]


@BOTH
def test_2_3_a_timeout_that_is_over_is_said(server: Server, gate: Gate, triton: Any) -> None:
    """The model's code is told; test_queue.py has those that wait."""
    port = triton.InferInput("port", [1], "INT32")
    port.set_data_from_numpy(np.array([gate.port], np.int32))
    with triton.InferenceServerClient(address(server, triton)) as client:
        with pytest.raises(InferenceServerException) as caught:
            client.infer("gate", [port], timeout=200_000)
        gate.wait().wait_closed()
    assert caught.value.message().startswith("Request timeout expired")
    assert caught.value.status() in {"504", "StatusCode.DEADLINE_EXCEEDED"}


@pytest.fixture(scope="module")
def reserved(server: Server) -> Iterator[Grpc]:
    with Grpc(server) as made:
        yield made


@pytest.mark.parametrize("name", ["triton_x", "triton_", "triton_final_response"])
def test_2_3_names_of_tritons_own_are_refused(server: Server, reserved: Grpc, name: str) -> None:
    """In its words; a runtime could not tell what they mean."""
    text = "parameter keys starting with 'triton_' are reserved for Triton usage"
    one = {"x:INT32": np.zeros(1, np.int32)}
    answer = server.post("/v2/models/identity/infer", json_body(one, parameters={name: 1}))
    assert (answer.status, text in answer.error()) == (400, True)
    request = grpc_request("identity", one)
    request.parameters[name].int64_param = 1
    status, details = reserved.fails(request)
    assert (status, text in details) == ("INVALID_ARGUMENT", True)


def test_2_3_a_client_cannot_write_the_headers(server: Server, reserved: Grpc) -> None:
    """A runtime reads them where Triton and MLServer put them, whatever a parameter of that name says."""
    body = json_body({"x:INT32": np.zeros(1, np.int32)}, parameters={"headers": {"x-real": "forged"}})
    (text,) = rest_outputs(server.post("/v2/models/report/infer", body, {"x-real": "yes"}))["report"]
    assert json.loads(text)["headers"]["x-real"] == "yes"
    request = grpc_request("report", {"x:INT32": np.zeros(1, np.int32)})
    request.parameters["headers"].string_param = "forged"
    (text,) = grpc_outputs(reserved.infer(request, metadata=(("x-real", "yes"),)))["report"]
    assert json.loads(text)["headers"]["x-real"] == "yes"
