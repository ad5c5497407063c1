"""What goes over a REST connection, to the byte."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from serving import parse_answer, receive_all, send_raw
from tensors import json_body

if TYPE_CHECKING:
    from serving import Gate, Server

PATH: Final = b"POST /v2/models/identity/infer HTTP/1.1\r\nHost: x\r\n"


def request(body: bytes, *headers: bytes) -> bytes:
    """Return an inference request as a client writes it."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return PATH + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def control(path: bytes, body: bytes) -> bytes:
    """Return a request to the repository."""
    return b"POST /v2/repository/" + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def answer(status: bytes, content_type: bytes, body: bytes, *headers: bytes) -> bytes:
    """Return a response as the server writes it."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return (
        b"HTTP/1.1 " + status + b"\r\n" + lines
        + b"content-type: " + content_type + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    )  # fmt: skip


AGENT: Final = b"User-Agent: python/gevent-http-client-2.6.1\r\nHost: x\r\n"


def triton(path: bytes, body: bytes, header_length: int | None, extra: bytes = b"") -> bytes:
    """Return an inference request as tritonclient writes it: no Accept, no Content-Type, no Connection."""
    length = b"" if header_length is None else b"Inference-Header-Content-Length: %d\r\n" % header_length
    head = b"POST /v2/models/" + path + b" HTTP/1.1\r\n" + AGENT + extra + length
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


JSON: Final = b"application/json"
FLOATS: Final = bytes.fromhex("00000000 0000803f 00000040 00004040")
CASES: Final = {
    "live": (
        b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n",
        answer(b"200 OK", JSON, b'{"live":true,"ready":true}'),
    ),
    "model ready": (
        b"GET /v2/models/identity/ready HTTP/1.1\r\nHost: x\r\n\r\n",
        answer(b"200 OK", JSON, b'{"name":"identity","ready":true}'),
    ),
    "unknown model": (
        b"GET /v2/models/nope HTTP/1.1\r\nHost: x\r\n\r\n",
        answer(b"404 Not Found", JSON, b'{"error":"Request for unknown model: \'nope\' is not found"}'),
    ),
    "log settings": (
        b"GET /v2/logging HTTP/1.1\r\nHost: x\r\n\r\n",
        answer(
            b"200 OK",
            JSON,
            b'{"log_file":"","log_info":true,"log_warning":true,"log_error":true,"log_verbose_level":0,'
            b'"log_format":"default"}',
        ),
    ),
    "log settings without a body": (
        b"POST /v2/logging HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        answer(
            b"200 OK",
            JSON,
            b'{"log_file":"","log_info":true,"log_warning":true,"log_error":true,"log_verbose_level":0,'
            b'"log_format":"default"}',
        ),
    ),
    "trace settings": (
        b"GET /v2/models/identity/trace/setting HTTP/1.1\r\nHost: x\r\n\r\n",
        answer(
            b"200 OK",
            JSON,
            b'{"trace_level":["OFF"],"trace_rate":"1000","trace_count":"-1","log_frequency":"0","trace_file":"",'
            b'"trace_mode":"triton"}',
        ),
    ),
    "trace settings that clear nothing": (
        b'POST /v2/trace/setting HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{"trace_count":null}',
        answer(
            b"200 OK",
            JSON,
            b'{"trace_level":["OFF"],"trace_rate":"1000","trace_count":"-1","log_frequency":"0","trace_file":"",'
            b'"trace_mode":"triton"}',
        ),
    ),
    "trace file": (
        b'POST /v2/trace/setting HTTP/1.1\r\nHost: x\r\nContent-Length: 18\r\n\r\n{"trace_file":"x"}',
        answer(
            b"501 Not Implemented",
            JSON,
            b'{"error":"trace file location can not be updated through network protocol"}',
        ),
    ),
    "shared memory": (
        b"GET /v2/systemsharedmemory/status HTTP/1.1\r\nHost: x\r\n\r\n",
        answer(b"200 OK", JSON, b"[]"),
    ),
    "shared memory without the setting": (
        b"POST /v2/systemsharedmemory/region/reg/register HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n%b"
        % b'{"key":"/key","offset":0,"byte_size":64}',
        answer(
            b"501 Not Implemented",
            JSON,
            b'{"error":"Client shared memory is disabled. Start the server with the setting \'allow_client_shm\' '
            b'(SRV_ALLOW_CLIENT_SHM=true) to enable."}',
        ),
    ),
    "config": (
        b"GET /v2/models/batched/config HTTP/1.1\r\nHost: x\r\n\r\n",
        answer(
            b"200 OK",
            JSON,
            b'{"name":"batched","platform":"","version_policy":{"all":{}},"max_batch_size":8,"input":[{"name":"x",'
            b'"data_type":"TYPE_INT32","format":"FORMAT_NONE","dims":[16],"is_shape_tensor":false,'
            b'"allow_ragged_batch":false,"optional":false,"is_non_linear_format_io":false}],"output":[],'
            b'"instance_group":[{"name":"batched","count":1,"gpus":[],"kind":"KIND_CPU","profile":[],"passive":false,'
            b'"secondary_devices":[],"host_policy":""}],"default_model_filename":"","cc_model_filenames":{},'
            b'"metric_tags":{},"parameters":{},"model_warmup":[],"backend":"python",'
            b'"model_transaction_policy":{"decoupled":false},"batch_input":[],"batch_output":[],"runtime":""}',
        ),
    ),
    "index": (
        control(b"index", b'{"ready":"yes"}'),
        answer(b"400 Bad Request", JSON, b'{"error":"Invalid value for \'ready\': expected a boolean"}'),
    ),
    "load with an unknown parameter": (
        control(b"models/identity/load", b'{"parameters":{"k":1}}'),
        answer(b"400 Bad Request", JSON, b'{"error":"unrecognized load parameter \'k\'."}'),
    ),
    "load with a file": (
        # As tritonclient 2.73 writes it.
        control(b"models/identity/load", b'{"parameters":{"config":"{}","file:1/model.py":"eHg="}}'),
        answer(
            b"501 Not Implemented",
            JSON,
            b'{"error":"failed to load \'identity\': files are not accepted; allow_file_override is false"}',
        ),
    ),
    "load from another repository": (
        control(b"r/models/identity/load", b""),
        answer(b"501 Not Implemented", JSON, b'{"error":"\'repository_name\' specification is not supported"}'),
    ),
    "json": (
        request(b'{"id":"1","inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2.5]}]}'),
        answer(
            b"200 OK",
            JSON,
            b'{"model_name":"identity","outputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1.0,2.5]}],"id":"1"}',
        ),
    ),
    "binary both ways": (
        request(
            b'{"inputs":[{"name":"x","shape":[2],"datatype":"INT16","parameters":{"binary_data_size":4}}],'
            b'"parameters":{"binary_data_output":true}}\x01\x00\xff\xff',
            b"Inference-Header-Content-Length: 133",
        ),
        answer(
            b"200 OK",
            b"application/octet-stream",
            b'{"model_name":"identity","outputs":[{"name":"x","shape":[2],"datatype":"INT16",'
            b'"parameters":{"binary_data_size":4}}]}\x01\x00\xff\xff',
            b"inference-header-content-length: 117",
        ),
    ),
    "bytes as json": (
        request(
            b'{"inputs":[{"name":"x","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}}]}'
            b"\x01\x00\x00\x00a\x02\x00\x00\x00\xc3\xa9",
            b"Inference-Header-Content-Length: 93",
        ),
        answer(
            b"200 OK",
            JSON,
            b'{"model_name":"identity","outputs":[{"name":"x","shape":[2],"datatype":"BYTES","data":["a","\xc3\xa9"]}]}',
        ),
    ),
    # The requests of tritonclient.http, to the byte.
    "tritonclient, binary data": (
        triton(
            b"identity/infer",
            b'{"inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}],'
            b'"parameters":{"binary_data_output":true}}' + FLOATS,
            140,
        ),
        answer(
            b"200 OK",
            b"application/octet-stream",
            b'{"model_name":"identity","outputs":[{"name":"INPUT0","shape":[1,4],"datatype":"FP32",'
            b'"parameters":{"binary_data_size":16}}]}' + FLOATS,
            b"inference-header-content-length: 124",
        ),
    ),
    "tritonclient, an id and a JSON output": (
        triton(
            b"identity/infer",
            b'{"id":"42","inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"FP32","parameters":{"binary_data_size":16}}],'
            b'"outputs":[{"name":"INPUT0","parameters":{"binary_data":false}}]}' + FLOATS,
            174,
        ),
        answer(
            b"200 OK",
            JSON,
            b'{"model_name":"identity","outputs":[{"name":"INPUT0","shape":[1,4],"datatype":"FP32",'
            b'"data":[0.0,1.0,2.0,3.0]}],"id":"42"}',
        ),
    ),
    "tritonclient, JSON with a query, classes and parameters": (
        triton(
            b"identity/infer?q=1&q=2",
            b'{"inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"FP32","data":[0.0,1.0,2.0,3.0]}],'
            b'"outputs":[{"name":"INPUT0","parameters":{"classification":2,"binary_data":true}}],'
            b'"parameters":{"k":"v","n":1,"f":1.5,"b":true}}',
            None,
            b"X-Foo: bar\r\n",
        ),
        answer(
            b"200 OK",
            b"application/octet-stream",
            b'{"model_name":"identity","outputs":[{"name":"INPUT0","shape":[2],"datatype":"BYTES",'
            b'"parameters":{"binary_data_size":28}}]}\x0a\0\0\x003.000000:3\x0a\0\0\x002.000000:2',
            b"inference-header-content-length: 123",
        ),
    ),
    "tritonclient, an empty tensor": (
        triton(
            b"identity/infer",
            b'{"inputs":[{"name":"INPUT0","shape":[0,4],"datatype":"FP32","parameters":{"binary_data_size":0}}],'
            b'"parameters":{"binary_data_output":true}}',
            139,
        ),
        answer(
            b"200 OK",
            b"application/octet-stream",
            b'{"model_name":"identity","outputs":[{"name":"INPUT0","shape":[0,4],"datatype":"FP32",'
            b'"parameters":{"binary_data_size":0}}]}',
            b"inference-header-content-length: 123",
        ),
    ),
    "tritonclient, BF16": (
        triton(
            b"identity/infer",
            b'{"inputs":[{"name":"INPUT0","shape":[2],"datatype":"BF16","parameters":{"binary_data_size":4}}],'
            b'"parameters":{"binary_data_output":true}}\xc0\x3f\x20\x40',
            137,
        ),
        answer(
            b"200 OK",
            b"application/octet-stream",
            b'{"model_name":"identity","outputs":[{"name":"INPUT0","shape":[2],"datatype":"BF16",'
            b'"parameters":{"binary_data_size":4}}]}\xc0\x3f\x20\x40',
            b"inference-header-content-length: 121",
        ),
    ),
    "tritonclient, load": (
        b"POST /v2/repository/models/same_two/load HTTP/1.1\r\n" + AGENT + b"Content-Length: 2\r\n\r\n{}",
        answer(b"200 OK", JSON, b'{"name":"same_two","load":true}'),
    ),
    "raw request": (
        b"POST /v2/models/raw/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: 0\r\n"
        b"Content-Length: 16\r\n\r\n" + FLOATS,
        answer(
            b"200 OK",
            b"application/octet-stream",
            b'{"model_name":"raw","outputs":[{"name":"x","shape":[2,2],"datatype":"FP32",'
            b'"parameters":{"binary_data_size":16}}]}' + FLOATS,
            b"inference-header-content-length: 114",
        ),
    ),
    "chunks": (
        PATH + b"Transfer-Encoding: chunked\r\n\r\n"
        b'3d\r\n{"inputs":[{"name":"x","shape":[2],"datatype":"INT8","data":[\r\n8\r\n-128,7]}\r\n2\r\n]}\r\n0\r\n\r\n',
        answer(
            b"200 OK",
            JSON,
            b'{"model_name":"identity","outputs":[{"name":"x","shape":[2],"datatype":"INT8","data":[-128,7]}]}',
        ),
    ),
    "another encoding": (
        request(b"{}", b"Content-Encoding: br"),
        answer(
            b"501 Not Implemented",
            JSON,
            b'{"error":"Unsupported compression type: \'br\'; there are gzip, deflate"}',
            b"accept-encoding: gzip, deflate",
        ),
    ),
    "another path": (
        b"GET /v2/nothing HTTP/1.1\r\nHost: x\r\n\r\n",
        answer(b"404 Not Found", JSON, b'{"error":"Not Found"}'),
    ),
    "wrong count": (
        request(b'{"inputs":[{"name":"x","shape":[2,3],"datatype":"FP32","data":[1,2,3,4,5]}]}'),
        answer(
            b"400 Bad Request",
            JSON,
            b'{"error":"inputs[0].data: expected 6 elements for shape [2, 3], got 5 (input \'x\')"}',
        ),
    ),
}


def exchange(server: Server, pieces: list[bytes], size: int) -> bytes:
    """Send the pieces one by one, and return the first `size` bytes of what comes back."""
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while len(received) < size and (chunk := connection.recv(size - len(received))):
            received += chunk
        return received


@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
def test_a_request_in_one_piece_gets_exactly_this_answer(server: Server, sent: bytes, expected: bytes) -> None:
    assert exchange(server, [sent], len(expected)) == expected


@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
def test_a_request_byte_by_byte_gets_the_same_answer(server: Server, sent: bytes, expected: bytes) -> None:
    assert exchange(server, [bytes((byte,)) for byte in sent], len(expected)) == expected


@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
def test_requests_right_behind_each_other_get_their_answers_in_order(
    server: Server, sent: bytes, expected: bytes
) -> None:
    assert exchange(server, [sent * 3], len(expected) * 3) == expected * 3


@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
def test_what_follows_a_request_and_is_no_http_does_not_change_its_answer(
    server: Server, sent: bytes, expected: bytes
) -> None:
    """It gets an answer of its own, and the connection ends."""
    received = receive_all(send_raw(server.http_port, sent + b"nonsense\r\n\r\n"))
    assert received.startswith(expected)
    refused = parse_answer(received[len(expected) :])
    assert (refused.status, bool(refused.error())) == (400, True)


@pytest.mark.parametrize(("sent", "expected"), CASES.values(), ids=CASES)
def test_a_request_that_is_cut_anywhere_gets_no_answer_but_an_error(
    server: Server, sent: bytes, expected: bytes
) -> None:
    """A client that is gone before its request was complete is not answered as if it had been."""
    for size in range(0, len(sent), 37):
        connection = send_raw(server.http_port, sent[:size])
        connection.shutdown(socket.SHUT_WR)
        received = receive_all(connection)
        assert not received.startswith(expected[:12]) or expected[9:10] != b"2"


BROKEN: Final = {
    "no HTTP": b"nonsense\r\n\r\n",
    "a chunk without a size": PATH + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("before", [1, 3])
def test_an_answer_that_is_owed_comes_before_the_refusal(
    server: Server, gate: Gate, broken: bytes, before: int
) -> None:
    """However long it takes: here the model waits until the broken request is there."""
    waiting = json_body({"port:INT32": np.array([gate.port], np.int32)})
    first = b"POST /v2/models/gate/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(waiting) + waiting
    connection = send_raw(server.http_port, first * before + broken)
    for _ in range(before):
        gate.wait().release()
    received = receive_all(connection)
    statuses = re.findall(rb"HTTP/1\.1 (\d+)", received)
    assert statuses == [*[b"200"] * before, b"400"]
