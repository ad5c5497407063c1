"""2.7: what a running server writes when clients ask for traces, over every way to infer."""

from __future__ import annotations

import json
import queue
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from grpc_client import Grpc
from serving import MODELS, eventually
from tensors import NOT_IN_JSON, SAMPLES, binary_body, grpc_request, json_body, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from serving import Serve, Server

KEYS: Final = ("trace_level", "trace_rate", "trace_count", "log_frequency")
STAMPS: Final = {
    front: [
        f"{receive}_START",
        f"{receive}_END",
        "REQUEST_START",
        "QUEUE_START",
        "COMPUTE_START",
        "COMPUTE_INPUT_END",
        "COMPUTE_OUTPUT_START",
        "COMPUTE_END",
        "REQUEST_END",
        f"{send}_START",
        f"{send}_END",
    ]
    for front, receive, send in (("http", "HTTP_RECV", "HTTP_SEND"), ("grpc", "GRPC_WAITREAD", "GRPC_SEND"))
}
"""The stations of a request, in the order in which it comes to them."""


class Traced:
    """A server and the file of its traces."""

    def __init__(self, server: Server, file: Path) -> None:
        self.server = server
        self.file = file
        self.marks = 0

    def set(self, model: str = "", **settings: Any) -> None:
        """Change trace settings."""
        with triton_http.InferenceServerClient(self.server.http_address) as client:
            client.update_trace_settings(model_name=model or None, settings=settings)

    def trace(self, ask: Callable[[], object]) -> list[dict[str, Any]]:
        """Return what is traced of what `ask` does: for each request, its members, its stamps and its tensors."""
        before = f"mark {self.marks}"
        ask()
        # The requests before are in the file when this one is.
        self.marks += 1
        mark = f"mark {self.marks}"
        self.server.post("/v2/models/headers/infer", json_body({"x:INT32": np.zeros(1, np.int32)}, id=mark))
        eventually(lambda: mark in self._ids(), self._ids)
        traces, ids = group(self.file), self._ids()
        return traces[ids.index(before) + 1 if before in ids else 0 : ids.index(mark)]

    def _ids(self) -> list[str]:
        try:
            return [each.get("request_id", "") for each in group(self.file)]
        except json.JSONDecodeError:
            return []  # a trace is just being written


def group(file: Path) -> list[dict[str, Any]]:
    """Read a file as Triton's trace_summary.py does: whole JSON, whose items belong together by their ids."""
    found: dict[int, dict[str, Any]] = {}
    for item in json.loads(file.read_bytes() or b"[]") if file.exists() else []:
        trace = found.setdefault(item["id"], {"timestamps": [], "tensors": []})
        trace["timestamps"] += item.pop("timestamps", [])
        if "activity" in item:
            trace["tensors"].append((item["activity"], item["tensor"]))
        else:
            trace |= item
    return [found[number] for number in sorted(found)]


@pytest.fixture(scope="module")
def _server(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    file = tmp_path_factory.mktemp("traces") / "t.json"
    return Traced(serve_module(MODELS / "shared", trace_file=file).wait_started(), file)


@pytest.fixture
def traced(_server: Traced) -> Iterator[Traced]:
    """Return a server that traces the model of the marks, and nothing else."""
    _server.set("headers", trace_level=["TIMESTAMPS"], trace_rate="1")
    yield _server
    for model in ("", "identity", "headers"):
        _server.set(model, **dict.fromkeys(KEYS))


def numbers(model: str = "identity", **members: Any) -> Any:
    """Return a gRPC request with two numbers."""
    return grpc_request(model, {"x:INT32": np.array([5, -1], np.int32)}, **members)


BODY: Final = json_body({"x:INT32": np.array([5, -1], np.int32)}, id="r")


def _stream(server: Server) -> None:
    with Grpc(server) as client:
        list(client.stream([numbers(id="r")]))


def _infer(server: Server) -> None:
    with Grpc(server) as client:
        client.infer(numbers(id="r"))


WAYS: Final[dict[str, tuple[str, Callable[[Server], object]]]] = {
    "infer": ("http", lambda server: server.post("/v2/models/identity/infer", BODY)),
    "infer_stream": ("http", lambda server: server.post("/v2/models/identity/infer_stream", BODY)),
    "generate": ("http", lambda server: server.post("/v2/models/identity/generate", BODY)),
    "generate_stream": ("http", lambda server: server.post("/v2/models/identity/generate_stream", BODY)),
    "ModelInfer": ("grpc", _infer),
    "ModelStreamInfer": ("grpc", _stream),
}


@pytest.mark.parametrize("way", WAYS)
def test_2_7_a_request_has_its_stations_in_order(traced: Traced, way: str) -> None:
    """Those that Triton's trace_summary.py takes the differences of, whatever way the request comes."""
    front, ask = WAYS[way]
    traced.set("identity", trace_level=["TIMESTAMPS"], trace_rate="1")
    (trace,) = traced.trace(lambda: ask(traced.server))
    assert (trace["model_name"], trace["request_id"], trace["model_version"]) == ("identity", "r", "")
    assert [each["name"] for each in trace["timestamps"]] == STAMPS[front]
    times = [each["ns"] for each in trace["timestamps"]]
    assert times == sorted(times)
    assert trace["tensors"] == []


@pytest.mark.parametrize("way", WAYS)
def test_2_7_tensors_are_traced_as_text(traced: Traced, way: str) -> None:
    """What came, and what the model gave for it."""
    traced.set("identity", trace_level=["TENSORS"], trace_rate="1")
    (trace,) = traced.trace(lambda: WAYS[way][1](traced.server))
    tensor = {"name": "x", "data": "5,-1", "shape": "2", "dtype": "INT32"}
    assert trace["tensors"] == [("TENSOR_QUEUE_INPUT", tensor), ("TENSOR_BACKEND_OUTPUT", tensor)]
    assert trace["timestamps"] == []


def test_2_7_tensors_of_every_datatype_are_traced(traced: Traced) -> None:
    """Whatever they hold, on their way in and out, over both protocols."""
    traced.set("identity", trace_level=["TENSORS"], trace_rate="1")

    def ask() -> None:
        with Grpc(traced.server) as client:
            for datatype, array in SAMPLES.items():
                client.infer(grpc_request("identity", {f"x:{datatype}": array}))
                body, headers = binary_body({f"x:{datatype}": array})
                assert traced.server.post("/v2/models/identity/infer", body, headers).status == 200
                if datatype not in NOT_IN_JSON:
                    body = json_body({f"x:{datatype}": array})
                    assert traced.server.post("/v2/models/identity/infer", body).status == 200

    for trace in traced.trace(ask):
        (_, given), (_, answered) = trace["tensors"]
        assert given == answered
        assert given["shape"] == "2,3"
        if given["dtype"] != "BYTES":
            array = SAMPLES[given["dtype"]]
            values = [array.dtype.type(int(each) if array.dtype == bool else each) for each in given["data"].split(",")]
            assert same(np.array(values, array.dtype).reshape(array.shape), array)


def test_2_7_a_stream_of_responses_is_one_trace(traced: Traced) -> None:
    """With the tensors of all of them; the sending of each would be stations of its own, and is left out."""
    traced.set("stream", trace_level=["TIMESTAMPS", "TENSORS"], trace_rate="1")
    results: queue.Queue[Any] = queue.Queue()

    def ask() -> None:
        with triton_grpc.InferenceServerClient(traced.server.grpc_address) as client:
            client.start_stream(lambda result, error: results.put((result, error)))
            tensor = triton_grpc.InferInput("count", [1], "INT32")
            tensor.set_data_from_numpy(np.array([2], np.int32))
            client.async_stream_infer("stream", [tensor], request_id="s")
            client.stop_stream()

    (trace,) = traced.trace(ask)
    traced.set("stream", **dict.fromkeys(KEYS))
    assert results.qsize() == 2
    assert [each["name"] for each in trace["timestamps"]] == STAMPS["grpc"][:-2]
    assert [(activity, tensor["data"]) for activity, tensor in trace["tensors"]] == [
        ("TENSOR_QUEUE_INPUT", "2"),
        ("TENSOR_BACKEND_OUTPUT", "0"),
        ("TENSOR_BACKEND_OUTPUT", "1"),
    ]


def test_2_7_a_request_that_fails_is_traced_as_far_as_it_came(traced: Traced) -> None:
    """It has an end, but no answer."""
    traced.set("stream", trace_level=["TIMESTAMPS"], trace_rate="1")
    (trace,) = traced.trace(
        lambda: traced.server.post("/v2/models/stream/infer_stream", json_body({"count:INT32": -np.ones(1, np.int32)}))
    )
    traced.set("stream", **dict.fromkeys(KEYS))
    names = [each["name"] for each in trace["timestamps"]]
    assert (names[0], "REQUEST_START" in names, names[-1]) == ("HTTP_RECV_START", True, "REQUEST_END")


def test_2_7_every_nth_request_is_traced_until_the_count_is_used_up(traced: Traced) -> None:
    """Over both protocols, which count together; what remains of the count can be read."""
    traced.set("identity", trace_level=["TIMESTAMPS"], trace_rate="3", trace_count="2")

    def ask() -> None:
        with Grpc(traced.server) as client:
            for number in range(1, 13, 2):
                client.infer(numbers(id=str(number)))
                traced.server.post(
                    "/v2/models/identity/infer", json_body({"x:INT32": np.ones(1, "i4")}, id=str(number + 1))
                )

    assert [each["request_id"] for each in traced.trace(ask)] == ["3", "6"]
    with triton_http.InferenceServerClient(traced.server.http_address) as client:
        assert client.get_trace_settings("identity")["trace_count"] == "0"


def test_2_7_a_model_is_traced_by_its_own_settings(traced: Traced) -> None:
    """Which rank above those of all."""
    traced.set(trace_level=["TIMESTAMPS"], trace_rate="1")
    traced.set("identity", trace_level=["OFF"])

    def ask() -> None:
        with Grpc(traced.server) as client:
            client.infer(numbers(id="no"))
            client.infer(numbers("report", id="yes"))

    assert [(each["model_name"], each["request_id"]) for each in traced.trace(ask)] == [("report", "yes")]


def test_2_7_a_file_may_have_so_many_traces(traced: Traced) -> None:
    """Then the next one begins, with a number behind its name; each is whole JSON."""
    traced.set("identity", trace_level=["TIMESTAMPS"], trace_rate="1", log_frequency="2")

    def ask() -> None:
        with Grpc(traced.server) as client:
            for number in range(5):
                client.infer(numbers(id=str(number)))

    assert traced.trace(ask) == []
    files = [traced.file.with_name(f"{traced.file.name}.{index}") for index in range(3)]
    assert [[each["request_id"] for each in group(file)] for file in files] == [["0", "1"], ["2", "3"], ["4"]]


def test_2_7_the_file_is_whole_after_each_trace(traced: Traced) -> None:
    """While the server runs."""
    traced.set("identity", trace_level=["TIMESTAMPS", "TENSORS"], trace_rate="1")
    with Grpc(traced.server) as client:
        for number in range(20):
            request = grpc_request("identity", {"x:INT32": np.full(1000, number, np.int32)}, id=str(number))
            (trace,) = traced.trace(partial(client.infer, request))
            assert (trace["request_id"], len(trace["tensors"])) == (str(number), 2)


def test_2_7_a_version_has_no_settings_of_its_own(traced: Traced) -> None:
    """As in Triton, whose path has none."""
    for path in ("/v2/models/versions/versions/1/trace/setting", "/v2/trace/settings"):
        assert traced.server.get(path).status == 404
