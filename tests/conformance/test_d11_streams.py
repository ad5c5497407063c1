"""D11: ModelStreamInfer in MLServer's dialect, which a setting chooses."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_client import SERVICE, Grpc
from serving import MODELS, PATIENCE
from tensors import grpc_outputs, grpc_request, pb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from serving import Gate, Serve


def number(model: str, name: str, value: int, request_id: str = "", **others: int) -> Any:
    """Return a request whose inputs are one number each."""
    arrays = {f"{each}:INT32": np.array([given], np.int32) for each, given in {name: value, **others}.items()}
    return grpc_request(model, arrays, id=request_id)


@pytest.fixture(scope="module")
def mlserver(serve_module: Serve) -> Iterator[Grpc]:
    """Return a client of a server that answers streams as MLServer does."""
    with Grpc(serve_module(MODELS / "shared", grpc_stream_dialect="mlserver").wait_started()) as made:
        yield made


def bare(client: Grpc, requests: Iterable[Any]) -> Any:
    """Start a ModelStreamInfer whose responses are ModelInferResponse."""
    method = client.channel.stream_stream(
        SERVICE + "ModelStreamInfer", response_deserializer=pb.ModelInferResponse.FromString
    )
    return method((each.SerializeToString() for each in requests), timeout=PATIENCE)


def test_d11_mlservers_dialect_has_bare_responses(mlserver: Grpc) -> None:
    """Of a model that streams, and of one that does not; no mark says which one is the last."""
    responses = list(bare(mlserver, [number("stream", "count", 3, "s")]))
    assert [grpc_outputs(each)["number"].tolist() for each in responses] == [[0], [1], [2]]
    assert [(each.model_name, each.id, dict(each.parameters)) for each in responses] == [("stream", "s", {})] * 3
    responses = list(bare(mlserver, [number("identity", "x", each, str(each)) for each in range(3)]))
    assert [grpc_outputs(each)["x"].tolist() for each in responses] == [[0], [1], [2]]
    assert [each.id for each in responses] == ["0", "1", "2"]


def test_d11_a_runtime_reads_the_whole_stream_in_mlservers_dialect(mlserver: Grpc) -> None:
    """As the requests come, each with its id: one is answered before the next is sent."""
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    call = bare(mlserver, iter(requests.get, None))
    totals: list[tuple[str, int]] = []
    for value in (1, 2, 4):
        requests.put(number("talk", "x", value, str(value)))
        response = next(call)
        totals.append((response.id, grpc_outputs(response)["total"][0]))
    requests.put(None)
    assert list(call) == []
    assert totals == [("1", 1), ("2", 3), ("4", 7)]


def test_d11_each_request_of_a_stream_says_which_outputs_it_wants(mlserver: Grpc) -> None:
    """A response is one to the request that the runtime has read last."""
    second = number("talk", "x", 1)
    second.outputs.add(name="nothing")
    call = bare(mlserver, [number("talk", "x", 1), second])
    assert grpc_outputs(next(call))["total"].tolist() == [1]
    with pytest.raises(grpc.RpcError, match="unexpected inference output 'nothing'"):
        next(call)


def test_d11_requests_that_a_runtime_leaves_are_answered_too(mlserver: Grpc) -> None:
    """By another call of it; this one reads no more than the first."""
    responses = list(bare(mlserver, [number("stream", "count", 2, each) for each in "ab"]))
    assert [(each.id, grpc_outputs(each)["number"].tolist()) for each in responses] == [
        ("a", [0]), ("a", [1]), ("b", [0]), ("b", [1]),
    ]  # fmt: skip


def test_d11_an_error_is_the_status_in_mlservers_dialect(mlserver: Grpc) -> None:
    """Behind the responses so far."""
    call = bare(mlserver, [number("stream", "count", -2), number("stream", "count", 1)])
    assert [grpc_outputs(next(call))["number"].tolist() for _ in range(2)] == [[0], [1]]
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    error: Any = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "the end is at 2")


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (number("identity", "x", 2), "expected the model and version of the stream's first request, ('talk', '')"),
        (grpc_request("talk", {"x:INT32": np.ones(1, np.int32)}, model_version="1"), "got ('talk', '1')"),
    ],
    ids=["model", "version"],
)
def test_d11_a_runtime_reads_no_requests_to_others(mlserver: Grpc, second: Any, text: str) -> None:
    """Its answer to them would be wrong."""
    call = bare(mlserver, [number("talk", "x", 1), second])
    assert grpc_outputs(next(call))["total"].tolist() == [1]
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    error: Any = caught.value
    assert (error.code(), text in error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, True)


def test_d11_the_parameters_of_every_request_are_checked(mlserver: Grpc) -> None:
    """Those that are reserved too; the mark of the end is none of a runtime's business."""
    second = number("talk", "x", 1)
    second.parameters["triton_x"].bool_param = True
    call = bare(mlserver, [number("talk", "x", 1), second])
    next(call)
    with pytest.raises(grpc.RpcError, match="are reserved for Triton usage"):
        next(call)


def test_d11_headers_are_trailing_metadata_in_mlservers_dialect(mlserver: Grpc) -> None:
    """Those of the last response: metadata has one place in a call."""
    call = bare(mlserver, [number("talk", "x", each) for each in (1, 2)])
    assert len(list(call)) == 2
    assert dict(call.trailing_metadata())["x-total"] == "3"


def test_d11_a_cancelled_stream_is_cancelled_in_mlservers_dialect(mlserver: Grpc, gate: Gate) -> None:
    """The model's code is told."""
    call = bare(mlserver, [number("stream", "count", 1_000_000, port=gate.port)])
    next(call)
    visit = gate.wait()
    call.cancel()
    visit.wait_closed()
