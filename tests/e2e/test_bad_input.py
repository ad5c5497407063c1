"""Whatever clients send: each gets an error of the right status that names the place, and the server goes on."""

from __future__ import annotations

import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from serving import MODELS, PATIENCE, parse_answer, receive_all, send_raw
from tensors import binary_body, grpc_request, json_body, pb, rest_outputs, same

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serving import Serve, Server

A: dict[str, Any] = {"name": "a", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
B: dict[str, Any] = {**A, "name": "b"}
INFER = "/v2/models/declared/infer"
HEADER = "Inference-Header-Content-Length"


def assert_answers(server: Server) -> None:
    """Say whether the server still serves both protocols."""
    body = {"inputs": [A, B]}
    array = np.array([[1, 2]], np.float32)
    assert same(rest_outputs(server.post(INFER, body))["sum"], array * 2)
    with Grpc(server) as grpc:
        grpc.infer(grpc_request("declared", {"a:FP32": array, "b:FP32": array}))


@pytest.fixture(scope="module", autouse=True)
def _still_answers(server: Server) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """After all of it the server answers as before."""
    yield
    assert_answers(server)


def x(**members: object) -> dict[str, Any]:
    """Return a request to the identity model, whose one input has these members."""
    return {"inputs": [{"name": "x", "datatype": "INT32", "shape": [2], "data": [1, 2], **members}]}


REST_CASES: dict[str, tuple[object, str]] = {
    "too few elements": (x(data=[1]), "inputs[0].data: expected 2 elements for shape [2], got 1"),
    "too many elements": (x(data=[1, 2, 3]), "inputs[0].data: expected 2 elements for shape [2], got 3"),
    "too many nested": (x(data=[[1, 2], [3, 4]]), "inputs[0].data: expected 2 elements for shape [2]"),
    "nested unevenly": (x(shape=[2, 2], data=[[1, 2], [3]]), "inputs[0].data: is nested unevenly"),
    "nested otherwise": (x(shape=[2, 3], data=[[1, 2], [3, 4], [5, 6]]), "inputs[0].data"),
    "no data": ({"inputs": [{"name": "x", "datatype": "INT32", "shape": [2]}]}, "inputs[0].data"),
    "null data": (x(data=None), "inputs[0].data"),
    "data is no array": (x(data=7), "inputs[0].data"),
    "data is an object": (x(data={"a": 1}), "inputs[0].data"),
    "text for a number": (x(data=["1", 2]), "inputs[0].data[0]"),
    "a boolean for a number": (x(data=[True, 2]), "inputs[0].data[0]"),
    "a float for an integer": (x(data=[1.5, 2]), "inputs[0].data[0]"),
    "null for a number": (x(data=[1, None]), "inputs[0].data[1]"),
    "a number for a boolean": (x(datatype="BOOL", data=[1, 0]), "inputs[0].data[0]"),
    "a number for text": (x(datatype="BYTES", data=["a", 1]), "inputs[0].data[1]"),
    "beyond the range": (x(datatype="UINT8", data=[1, 256]), "inputs[0].data[1]"),
    "negative for unsigned": (x(datatype="UINT64", data=[1, -1]), "inputs[0].data[1]"),
    "beyond every integer": (x(datatype="INT64", data=[2**63, 1]), "inputs[0].data[0]"),
    "beyond FP32": (x(datatype="FP32", data=[1e39, 1]), "inputs[0].data[0]"),
    "unknown datatype": (x(datatype="FLOAT"), "inputs[0].datatype: expected one of BOOL"),
    "datatype in small letters": (x(datatype="int32"), "inputs[0].datatype"),
    "no datatype": ({"inputs": [{"name": "x", "shape": [1], "data": [1]}]}, "inputs[0]"),
    "no name": ({"inputs": [{"datatype": "INT32", "shape": [1], "data": [1]}]}, "inputs[0]"),
    "no shape": ({"inputs": [{"name": "x", "datatype": "INT32", "data": [1]}]}, "inputs[0]"),
    "name is a number": (x(name=7), "inputs[0].name"),
    "negative shape": (x(shape=[-1]), "inputs[0].shape[0]"),
    "shape is no list": (x(shape=2), "inputs[0].shape"),
    "shape of floats": (x(shape=[2.0]), "inputs[0].shape[0]"),
    "shape of text": (x(shape=["2"]), "inputs[0].shape[0]"),
    "shape of 2^63": (x(shape=[2**63]), "inputs[0].shape"),
    "shape of 2^64 + 2": (x(shape=[2**64 + 2]), "inputs[0].shape"),
    "product that wraps to 2": (x(shape=[2**32, 2**32, 2]), "inputs[0].shape"),
    "huge shape": (x(shape=[10**6, 10**6]), "inputs[0].data: expected 1000000000000 elements"),
    "huge shape without elements": (x(shape=[0, 2**62, 2**62], data=[]), "inputs[0].shape"),
    "too many dimensions": (x(shape=[1] * 33), "inputs[0].shape"),
    "a million dimensions": (x(shape=[1] * 10**6), "inputs[0].shape"),
    "unknown input": ({"inputs": [A, B, {**A, "name": "c"}]}, "inputs[2]: unexpected inference input 'c'"),
    "missing input": ({"inputs": [A]}, "missing required input(s) ['b']"),
    "no inputs": ({"inputs": []}, "missing required input(s) ['a','b']"),
    "input twice": ({"inputs": [A, B, A]}, "inputs[2]: input 'a' already exists in request"),
    "wrong datatype": ({"inputs": [{**A, "datatype": "FP64"}, B]}, "inputs[0].datatype: inference input 'a'"),
    "wrong shape": ({"inputs": [A, {**B, "shape": [2]}]}, "inputs[1].shape: unexpected shape for input 'b'"),
    "unknown output": ({"inputs": [A, B], "outputs": [{"name": "z"}]}, "outputs[0]: unexpected inference output 'z'"),
    "output twice": (
        {"inputs": [A, B], "outputs": [{"name": "sum"}, {"name": "sum"}]},
        "outputs[1]: output 'sum' already exists",
    ),
    "inputs missing": ({}, "inputs"),
    "inputs no list": ({"inputs": {}}, "inputs"),
    "input no object": ({"inputs": [1]}, "inputs[0]"),
    "outputs no list": ({"inputs": [A, B], "outputs": 1}, "outputs"),
    "id no text": ({"id": 1, "inputs": [A, B]}, "id"),
    "parameters no object": ({"inputs": [A, B], "parameters": []}, "parameters"),
    "binary_data no flag": (
        {"inputs": [A, B], "outputs": [{"name": "sum", "parameters": {"binary_data": "yes"}}]},
        "outputs[0].parameters.binary_data",
    ),
    "a list": ([], "the request body"),
    "a number": (1, "the request body"),
    "empty": (b"", "the request body is empty"),
    "no JSON": (b"{'inputs': []}", "the request body is no valid JSON"),
    "unfinished": (b'{"inputs": [', "the request body is no valid JSON"),
    "something behind": (b'{"inputs": []} 1', "the request body is no valid JSON"),
    "a byte order mark": (b'\xef\xbb\xbf{"inputs": []}', "the request body is no valid JSON"),
    "no UTF-8": (b'{"inputs": [], "id": "\xff\xfe"}', "the request body is no valid JSON"),
    "no UTF-8 in data": (json_body({}).replace(b"[]", b'[{"name":"x","datatype":"BYTES","shape":[1],"data":["\xff"]}]'),
                         ""),
    "UTF-16": ('{"inputs": []}'.encode("utf-16"), "the request body is no valid JSON"),
    "a lone surrogate": (b'{"inputs": [], "id": "\\ud800"}', "the request body is no valid JSON"),
    "10,000 arrays deep": (b'{"inputs": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", ""),
    "10,000 objects deep": (b'{"id": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b', "inputs": []}', ""),
    "10,000 deep in unknown members": (
        b'{"inputs": [], "unknown": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        "the request body",
    ),
    "10,000 deep in data": (
        json.dumps(x(data="@")).encode().replace(b'"@"', b"[" * 10_000 + b"]" * 10_000),
        "nested too deeply",
    ),
    "101 deep in data": (
        json.dumps(x(data="@")).encode().replace(b'"@"', b"[" * 101 + b"]" * 101),
        "inputs[0].data: JSON nesting depth exceeds maximum allowed limit (100)",
    ),
    "a million deep in data": (
        json.dumps(x(data="@")).encode().replace(b'"@"', b"[" * 10**6 + b"]" * 10**6),
        "",
    ),
    "a number of a million digits": (
        json.dumps(x(data="@")).encode().replace(b'"@"', b"[1, " + b"9" * 10**6 + b"]"),
        "inputs[0].data",
    ),
    "a million digits of FP64": (
        json.dumps(x(datatype="FP64", data="@")).encode().replace(b'"@"', b"[1, " + b"9" * 10**6 + b"]"),
        "inputs[0].data",
    ),
    "a shape of a million digits": (
        json.dumps(x(shape="@")).encode().replace(b'"@"', b"[" + b"9" * 10**6 + b"]"),
        "shape",
    ),
    "1e999": (json.dumps(x(datatype="FP64", data="@")).encode().replace(b'"@"', b"[1, 1e999]"), "inputs[0].data"),
    "NaN": (json.dumps(x(datatype="FP64", data="@")).encode().replace(b'"@"', b"[1, NaN]"), ""),
}  # fmt: skip


def path_of(body: object) -> str:
    """Return the route for a case: that of the model with metadata, or for the input ``x`` the one without."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    about_x = b'"datatype"' in text and b'"name": "a"' not in text
    return "/v2/models/identity/infer" if about_x else INFER


@pytest.mark.parametrize("case", REST_CASES)
def test_bad_json_is_400_and_names_the_place(server: Server, case: str) -> None:
    """Every error is the client's, and its text is short enough to be read."""
    body, text = REST_CASES[case]
    answer = server.post(path_of(body), body)
    assert text in answer.error()
    assert answer.status == 400
    assert len(answer.body) < 2000


@pytest.mark.parametrize(
    ("length", "text"),
    [
        ("-1", "inference header size should be in range"),
        ("999999", "inference header size should be in range"),
        ("99999999999999999999", "Unable to parse"),
        ("9" * 5000, "Unable to parse"),
        ("abc", "Unable to parse"),
        ("12abc", "Unable to parse"),
        ("+12", "Unable to parse"),
        ("1_0", "Unable to parse"),
        ("0x10", "Unable to parse"),
        ("", "Unable to parse"),
        ("1.0", "Unable to parse"),
        ("10", "the request body is no valid JSON"),
        ("٣".encode().decode("latin-1"), "Unable to parse"),
    ],
)
def test_a_bad_header_length_is_400(server: Server, length: str, text: str) -> None:
    """Only digits, and not beyond the body."""
    body, _ = binary_body({"x:INT32": np.zeros(2, np.int32)})
    answer = server.post("/v2/models/identity/infer", body, {HEADER: length})
    assert text in answer.error()
    assert answer.status == 400
    assert len(answer.body) < 500


def binary(tail: bytes, **members: object) -> tuple[bytes, dict[str, str]]:
    """Return a binary request with one input that has these members."""
    tensor = {"name": "x", "datatype": "INT32", "shape": [2], "parameters": {"binary_data_size": len(tail)}, **members}
    head = json.dumps({"inputs": [tensor]}).encode()
    return head + tail, {HEADER: str(len(head))}


STRINGS = b"\x01\0\0\0a\x02\0\0\0bc"

BINARY_CASES: dict[str, tuple[tuple[bytes, dict[str, str]], str]] = {
    "too few bytes": (binary(bytes(4)), "Expected 8, got 4 bytes for INT32 of shape [2]"),
    "too many bytes": (binary(bytes(12)), "inputs[0].data: input byte size mismatch for input 'x'"),
    "shorter than it says": (binary(bytes(8), parameters={"binary_data_size": 9}), "expecting 1 additional bytes"),
    "longer than it says": (binary(bytes(9), parameters={"binary_data_size": 8}), "unexpected additional input data"),
    "a size of 2^64": (binary(bytes(8), parameters={"binary_data_size": 2**64}), "binary_data_size"),
    "a negative size": (binary(bytes(8), parameters={"binary_data_size": -8}), "binary_data_size"),
    "a size of text": (binary(bytes(8), parameters={"binary_data_size": "8"}), "binary_data_size"),
    "a size that is true": (binary(bytes(1), parameters={"binary_data_size": True}), "binary_data_size"),
    "data as well": (binary(bytes(8), data=[1, 2]), "Input must set only one of the following fields"),
    "a bool byte of 2": (binary(b"\x01\x02", datatype="BOOL"), "inputs[0].data[1]: expected a BOOL byte of 0 or 1"),
    "strings cut short": (binary(STRINGS[:-1], datatype="BYTES"), "expecting string of length 2 but only 1"),
    "a length cut short": (binary(STRINGS[:7], datatype="BYTES"), "inputs[0].data"),
    "a length of 4 GiB": (binary(b"\xff" * 8, datatype="BYTES"), "expecting string of length 4294967295"),
    "a string too many": (binary(STRINGS, datatype="BYTES", shape=[1]), "inputs[0].data"),
    "a string too few": (binary(STRINGS, datatype="BYTES", shape=[3]), "inputs[0].data"),
    "a shape of 10^18 strings": (binary(STRINGS, datatype="BYTES", shape=[10**9, 10**9]), "inputs[0].data"),
    "a shape of 10^18": (binary(bytes(8), shape=[10**9, 10**9]), "inputs[0].data"),
}


@pytest.mark.parametrize("case", BINARY_CASES)
def test_bad_binary_data_is_400_and_names_the_place(server: Server, case: str) -> None:
    """Sizes are checked against what is there before anything is made for them."""
    (body, headers), text = BINARY_CASES[case]
    answer = server.post("/v2/models/identity/infer", body, headers)
    assert text in answer.error()
    assert answer.status == 400


def test_binary_data_without_the_header_is_400(server: Server) -> None:
    """The text names the header that is missing."""
    tensor = {"name": "x", "datatype": "INT32", "shape": [2], "parameters": {"binary_data_size": 8}}
    answer = server.post("/v2/models/identity/infer", {"inputs": [tensor]})
    assert "inputs[0].parameters.binary_data_size: must specify valid 'Infer-Header-Content-Length'" in answer.error()
    assert f"there is no header {HEADER}" in answer.error()


@pytest.mark.parametrize("parameters", [{"shared_memory_region": "r", "shared_memory_byte_size": 8}])
def test_shared_memory_is_501(server: Server, parameters: dict[str, Any]) -> None:
    """For inputs and outputs, over REST and gRPC, unless a setting allows it."""
    answer = server.post("/v2/models/identity/infer", x(parameters=parameters))
    assert (answer.status, "inputs[0]" in answer.error()) == (501, True)
    answer = server.post(INFER, {"inputs": [A, B], "outputs": [{"name": "sum", "parameters": parameters}]})
    assert (answer.status, "outputs[0]" in answer.error()) == (501, True)
    request = grpc_request("identity", {"x:INT32": np.zeros(2, np.int32)})
    request.inputs[0].parameters["shared_memory_region"].string_param = "r"
    request.inputs[0].parameters["shared_memory_byte_size"].int64_param = 8
    with Grpc(server) as grpc:
        status, text = grpc.fails(request)
    assert (status, "inputs[0]" in text) == ("UNIMPLEMENTED", True)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_an_unknown_content_encoding_is_501(server: Server, encoding: str) -> None:
    """Nothing is made of it, and the client learns why."""
    body = gzip.compress(json.dumps(x()).encode())
    answer = server.post("/v2/models/identity/infer", body, {"Content-Encoding": encoding})
    assert answer.status == 501
    assert "Unsupported compression type" in answer.error()


@pytest.mark.parametrize(
    "path",
    [
        "/v2/repository/index",
        "/v2/repository/models/identity/load",
        "/v2/repository/models/identity/unload",
        "/v2/trace/setting",
        "/v2/logging",
        "/v2/systemsharedmemory/region/r/register",
        "/v2/systemsharedmemory/unregister",
        "/v2/cudasharedmemory/unregister",
    ],
)
def test_only_inference_may_be_compressed(server: Server, path: str) -> None:
    """Rather than take the bytes for JSON, or not look at them."""
    answer = server.post(path, gzip.compress(b"{}"), {"Content-Encoding": "gzip"})
    assert (answer.status, answer.error()) == (400, "Unsupported content-encoding, only 'identity' is supported.")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("index", b"{"),
        ("index", b'{"ready": 1}'),
        ("index", b"[]"),
        ("index", b"[" * 10_000),
        ("models/identity/load", b"{"),
        ("models/identity/load", b'{"parameters": 1}'),
        ("models/identity/load", b'{"parameters": {"unknown": 1}}'),
        ("models/identity/load", b'{"parameters": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001),
        ("models/nobody/load", b""),
        ("models/%20/load", b""),
        ("models/../load", b""),
        ("models/%2e%2e/load", b""),
        ("models/identity/unload", b"{"),
    ],
)
def test_bad_requests_to_the_repository_are_400(server: Server, path: str, body: bytes) -> None:
    """Or 404, where dots lead to another route; the models stay."""
    answer = server.post(f"/v2/repository/{path}", body)
    assert answer.error()
    assert answer.status in {400, 404}
    assert server.get("/v2/models/identity/ready").status == 200


GRPC_CASES: dict[str, tuple[Callable[[Any], object], str]] = {
    "too few bytes": (lambda r: r.raw_input_contents.__setitem__(0, bytes(4)), "Expected 8, got 4 bytes for"),
    "too many bytes": (lambda r: r.raw_input_contents.__setitem__(1, bytes(16)), "Expected 8, got 16 bytes for"),
    "a shape of 2^61": (
        lambda r: r.inputs[0].shape.append(2**60),
        "inputs[0].shape: byte size overflow for input 'a'",
    ),
    "a product that wraps": (lambda r: r.inputs[0].shape.extend([2**32, 2**32]), "inputs[0].shape"),
    "a negative shape": (lambda r: r.inputs[0].shape.append(-1), "inputs[0].shape[2]"),
    "unknown datatype": (lambda r: setattr(r.inputs[0], "datatype", "STRING"), "inputs[0].datatype"),
    "no datatype": (lambda r: r.inputs[0].ClearField("datatype"), "inputs[0].datatype"),
    "wrong datatype": (lambda r: setattr(r.inputs[0], "datatype", "INT32"), "inputs[0].datatype: inference input 'a'"),
    "strings cut short": (lambda r: setattr(r.inputs[0], "datatype", "BYTES"), ""),
    "wrong shape": (lambda r: r.inputs[0].shape.__setitem__(slice(None), [2, 1]), "inputs[0].shape: unexpected shape"),
    "input twice": (lambda r: setattr(r.inputs[1], "name", "a"), "inputs[1]: input 'a' already exists"),
    "unknown input": (lambda r: setattr(r.inputs[1], "name", "c"), "inputs[1]: unexpected inference input 'c'"),
    "missing input": (lambda r: (r.inputs.pop(), r.raw_input_contents.pop()), "missing required input(s) ['b']"),
    "unknown output": (lambda r: r.outputs.add(name="z"), "outputs[0]: unexpected inference output 'z'"),
    "output twice": (lambda r: (r.outputs.add(name="sum"), r.outputs.add(name="sum")), "outputs[1]: output 'sum'"),
}


@pytest.mark.parametrize("case", GRPC_CASES)
def test_bad_messages_are_invalid_arguments_that_name_the_place(server: Server, case: str) -> None:
    """The same checks, the same texts as over REST."""
    array = np.array([[1, 2]], np.float32)
    request = grpc_request("declared", {"a:FP32": array, "b:FP32": array})
    change, text = GRPC_CASES[case]
    change(request)
    with Grpc(server) as grpc:
        status, found = grpc.fails(request)
    assert text in found
    assert status == "INVALID_ARGUMENT"


TYPED_CASES: dict[str, tuple[Callable[[Any], object], str]] = {
    "too few": (lambda c: c.int_contents.pop(), "inputs[0].contents: expected 2 elements for shape [2], got 1"),
    "too many": (lambda c: c.int_contents.append(1), "inputs[0].contents: expected 2 elements for shape [2], got 3"),
    "another list": (lambda c: (c.Clear(), c.fp32_contents.extend([1, 2])), "inputs[0].contents.fp32_contents"),
    "two lists": (lambda c: c.int64_contents.append(1), "inputs[0].contents.int64_contents"),
    "beyond the range": (lambda c: c.int_contents.__setitem__(1, 128), "inputs[0].data[1]: 128"),
}


@pytest.mark.parametrize("case", TYPED_CASES)
def test_bad_typed_contents_are_invalid_arguments(server: Server, case: str) -> None:
    """A value beyond INT8 is no longer cut to its low byte."""
    request = grpc_request("identity", {"x:INT8": np.zeros(2, np.int8)}, typed=True)
    change, text = TYPED_CASES[case]
    change(request.inputs[0].contents)
    with Grpc(server) as grpc:
        status, found = grpc.fails(request)
    assert text in found
    assert status == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x05abc",
        b"\x0a\x02\xff\xfe",
        b"\x0b",
        b"\x00\x00",
        b"\x80" * 11,
        b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x2a\x04\x1a\x05\x01\x02",
        b"\x22\x00" * 3 + b"\x22\x05\x0a\x01a\x12\x09",
    ],
)
def test_malformed_protobuf_is_an_invalid_argument(server: Server, data: bytes) -> None:
    """Not an internal error, and the text says where in the message."""
    with Grpc(server) as grpc:
        status, text = grpc.fails(data)
        assert status == "INVALID_ARGUMENT"
        assert text
        assert "Traceback" not in text
        assert pb.ServerReadyResponse.FromString(grpc.call("ServerReady", b"")).ready


@pytest.fixture(scope="module")
def small(serve_module: Serve) -> Server:
    """Return a server that takes requests of 10,000 bytes at most."""
    return serve_module(MODELS / "shared", max_request_size=10_000).wait_started()


@pytest.mark.parametrize("size", [10_001, 1_000_000])
def test_a_body_beyond_max_request_size_is_413(small: Server, size: int) -> None:
    """With Content-Length and in chunks; the connection is of use afterwards, and the limit itself is allowed."""
    body = json_body({"x:INT32": np.zeros(2, np.int32)})
    exact = body + b" " * (10_000 - len(body))
    with small.rest() as rest:
        assert rest.request("POST", "/v2/models/identity/infer", exact).status == 200
        for path in ("/v2/models/identity/infer", "/v2/repository/index"):
            answer = rest.request("POST", path, body + b" " * (size - len(body)))
            assert answer.status == 413
            assert "max_request_size" in answer.error()
            chunks = iter([b" " * 5000] * (size // 5000) + [b" "])
            rest.connection.request("POST", path, chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
            with rest.connection.getresponse() as response:
                assert response.status == 413
                assert response.headers["content-type"] == "application/json"
                assert "max_request_size" in json.loads(response.read())["error"]
        assert rest.request("GET", "/v2/health/ready").status == 200


def test_a_claimed_length_beyond_max_request_size_is_413_at_once(small: Server) -> None:
    """Before any of it has come."""
    head = f"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {10**15}\r\n\r\n".encode()
    with send_raw(small.http_port, head) as connection:
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_a_message_beyond_max_request_size_is_resource_exhausted(small: Server) -> None:
    """Other calls of the connection go on, and the limit itself is allowed."""
    request = grpc_request("identity", {"x:INT8": np.zeros(9_000, np.int8)})
    padding = 10_000 - request.ByteSize()
    request.id = "i" * (padding - 3)
    assert request.ByteSize() == 10_000
    with Grpc(small) as grpc:
        grpc.infer(request)
        request.id += "i"
        for size in (0, 1_000_000):
            request.id += "i" * size
            status, text = grpc.fails(request)
            assert status == "RESOURCE_EXHAUSTED"
            assert "max_request_size" in text
        calls = [grpc.start(request) for _ in range(20)]
        assert {call.code().name for call in calls} == {"RESOURCE_EXHAUSTED"}
        assert pb.ServerReadyResponse.FromString(grpc.call("ServerReady", b"")).ready
        stream = grpc.stream([request])
        with pytest.raises(Exception, match="RESOURCE_EXHAUSTED"):
            list(stream)


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
        b"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /v2/repository/index HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v2\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_http_is_400_and_the_connection_ends(server: Server, data: bytes) -> None:
    """In the form of every other error."""
    answer = parse_answer(receive_all(send_raw(server.http_port, data)))
    assert answer.status == 400
    assert answer.error()


def test_http_on_the_grpc_port_ends_the_connection(server: Server) -> None:
    """Whatever HTTP/1 client strayed there."""
    assert b"HTTP/1.1 200" not in receive_all(send_raw(server.ports["gRPC"], b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"))


def test_a_million_tiny_chunks_are_one_body(server: Server) -> None:
    """The body is what they make together; the server stays responsive and small."""
    body = json_body({"x:INT32": np.zeros(2, np.int32)})
    body += b" " * (200_000 - len(body))
    head = (
        b"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", server.http_port), PATIENCE)
    connection.sendall(head + chunks)
    assert parse_answer(receive_all(connection)).status == 200


def test_many_parameters_names_and_outputs(server: Server) -> None:
    """Large members are no errors, and no trouble."""
    body = json_body(
        {"x:INT32": np.zeros(2, np.int32)}, parameters={f"p{i}": i for i in range(100_000)}, id="i" * 10**6
    )
    assert server.post("/v2/models/identity/infer", body).status == 200
    body = json_body({"x:INT32": np.zeros(2, np.int32)}, outputs=[{"name": "x"}] * 100_000)
    answer = server.post("/v2/models/identity/infer", body)
    assert (answer.status, "already exists" in answer.error()) == (400, True)
    name = "n" * 60_000
    answer = server.get(f"/v2/models/{name}")
    assert answer.status in {400, 404, 431}
    assert answer.error()
