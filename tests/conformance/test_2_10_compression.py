"""Content encodings of inference over REST, as tritonclient and others use them."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio

if TYPE_CHECKING:
    from serving import Server

INFER = "/v2/models/identity/infer"
X = np.arange(3000, dtype=np.float32).reshape(3, 1000)
BODY = json.dumps({"inputs": [{"name": "x", "shape": [2], "datatype": "INT32", "data": [1, 2]}]}).encode()
ALGORITHMS = [None, "gzip", "deflate"]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("response", ALGORITHMS)
@pytest.mark.parametrize("request_", ALGORITHMS)
def test_tritonclient_compresses_either_way(
    server: Server, request_: str | None, response: str | None, binary: bool
) -> None:
    tensor = triton.InferInput("x", list(X.shape), "FP32")
    tensor.set_data_from_numpy(X, binary_data=binary)
    outputs = [triton.InferRequestedOutput("x", binary_data=binary)]
    with triton.InferenceServerClient(server.http_address) as client:
        result = client.infer(
            "identity",
            [tensor],
            outputs=outputs,
            request_compression_algorithm=request_,
            response_compression_algorithm=response,
        )

    np.testing.assert_array_equal(result.as_numpy("x"), X)


@pytest.mark.parametrize("response", ALGORITHMS)
@pytest.mark.parametrize("request_", ALGORITHMS)
def test_tritonclients_asyncio_client_compresses_either_way(
    server: Server, request_: str | None, response: str | None
) -> None:
    async def run() -> None:
        tensor = triton_aio.InferInput("x", list(X.shape), "FP32")
        tensor.set_data_from_numpy(X)
        async with triton_aio.InferenceServerClient(server.http_address) as client:
            result = await client.infer(
                "identity",
                [tensor],
                request_compression_algorithm=request_,
                response_compression_algorithm=response,
            )

            np.testing.assert_array_equal(result.as_numpy("x"), X)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip;q=0.1, deflate;q=0.9", "deflate"),
        ("br, gzip", "gzip"),
        ("br", None),
        ("*", None),
        ("identity, gzip;q=0.5", None),
    ],
)
def test_the_accept_encoding_header_decides(server: Server, accept: str, encoding: str | None) -> None:
    with server.rest() as rest:
        answer = rest.request("POST", INFER, BODY, {"Accept-Encoding": accept})

    assert answer.headers.get("Content-Encoding") == encoding
    body = answer.body
    if encoding is not None:
        body = gzip.decompress(body) if encoding == "gzip" else zlib.decompress(body)
    assert json.loads(body)["outputs"][0]["data"] == [1, 2]


def test_the_header_length_counts_what_is_not_compressed(server: Server) -> None:
    head = b'{"inputs":[{"name":"x","shape":[2],"datatype":"INT16","parameters":{"binary_data_size":4}}],'
    head += b'"parameters":{"binary_data_output":true}}'
    headers = {
        "Content-Encoding": "gzip",
        "Accept-Encoding": "gzip",
        "Inference-Header-Content-Length": str(len(head)),
    }
    with server.rest() as rest:
        answer = rest.request("POST", INFER, gzip.compress(head + b"\1\0\2\0"), headers)

    body = gzip.decompress(answer.body)
    length = int(answer.headers["Inference-Header-Content-Length"])
    assert json.loads(body[:length])["outputs"][0]["parameters"] == {"binary_data_size": 4}
    assert body[length:] == b"\1\0\2\0"


def test_an_error_is_never_compressed(server: Server) -> None:
    with server.rest() as rest:
        answer = rest.request("POST", INFER, b"{", {"Accept-Encoding": "gzip"})

    assert answer.headers.get("Content-Encoding") is None
    assert (answer.status, bool(answer.error())) == (400, True)


@pytest.mark.parametrize("body", [b"", BODY, gzip.compress(BODY)[:-1], gzip.compress(BODY) + b"x"], ids=repr)
def test_a_body_that_is_not_what_its_encoding_says_is_400(server: Server, body: bytes) -> None:
    with server.rest() as rest:
        answer = rest.request("POST", INFER, body, {"Content-Encoding": "gzip"})

        assert (answer.status, bool(answer.error())) == (400, True)
        assert rest.request("POST", INFER, BODY).status == 200
