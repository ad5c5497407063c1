"""3.7: what Litestar, grpclib and msgspec would do by themselves; test_http2.py has what HTTP/2 alone shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import grpc_request, json_body, pb, rest_outputs

if TYPE_CHECKING:
    from serving import Server

INFER = "/v2/models/identity/infer"


def test_3_7_a_body_of_more_than_ten_million_bytes_is_no_error(server: Server) -> None:
    """Litestar's limit is off; the server's own is a setting."""
    body = json_body({"x:INT32": np.zeros(1, "i4")})
    body += b" " * (10_000_001 - len(body))
    assert server.post(INFER, body).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"inputs":[]}',
        b'{"inputs":[]}{}',
        b'{"inputs":[],"id":"\xff"}',
        b'{"inputs":[],"id":"\\ud800"}',
        b'{"inputs":[],"parameters":{"k":1e400}}',
        b'{"inputs":[],"x":' + b"[" * 100_000,
    ],
    ids=["BOM", "behind it", "no UTF-8", "lone surrogate", "1e400", "deep"],
)
def test_3_7_every_failure_of_the_json_parser_is_400(server: Server, body: bytes) -> None:
    """Whatever the parser raises: its own error, UnicodeDecodeError, RecursionError."""
    answer = server.post(INFER, body)
    assert answer.error()
    assert answer.status == 400


def test_3_7_bytes_are_text_and_never_base64(server: Server) -> None:
    """Msgspec would write base64 for bytes."""
    answer = server.post(INFER, json_body({"x:BYTES": np.array([b"abc"], object)}))
    assert b'"data":["abc"]' in answer.body


def test_3_7_integers_beyond_2_63_stay_integers(server: Server) -> None:
    """And are no floats on their way."""
    tensor = {"name": "x", "datatype": "UINT64", "shape": [1], "data": [2**64 - 1]}
    assert rest_outputs(server.post(INFER, {"inputs": [tensor]}))["x"].tolist() == [2**64 - 1]


def test_3_7_a_client_that_pings_is_not_sent_away(server: Server) -> None:
    """``GOAWAY too_many_pings`` ends connections of tritonclient's KeepAliveOptions."""
    options = [
        ("grpc.keepalive_time_ms", 10),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    with Grpc(server, *options) as client:
        for _ in range(200):
            client.infer(grpc_request("identity", {"x:INT32": np.zeros(1, "i4")}))


def test_3_7_an_error_may_have_any_text(server: Server) -> None:
    """Line ends, percent signs and letters beyond ASCII come through ``grpc-message``."""
    name = "a%20b\né€😀"
    with Grpc(server) as client:
        status, text = client.fails(pb.ModelInferRequest(model_name=name))
    assert (status, text) == ("NOT_FOUND", f"Request for unknown model: '{name}' is not found")
