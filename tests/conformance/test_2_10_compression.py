"""2.10: content encodings of inference over REST, as tritonclient and others use them."""

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
def test_2_10_tritonclient_compresses_either_way(
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
def test_2_10_tritonclients_asyncio_client_compresses_either_way(
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
def test_2_10_the_accept_encoding_header_decides(server: Server, accept: str, encoding: str | None) -> None:
    with server.rest() as rest:
        answer = rest.request("POST", INFER, BODY, {"Accept-Encoding": accept})

    assert answer.headers.get("Content-Encoding") == encoding
    body = answer.body
    if encoding is not None:
        body = gzip.decompress(body) if encoding == "gzip" else zlib.decompress(body)
    assert json.loads(body)["outputs"][0]["data"] == [1, 2]


def test_2_10_the_header_length_counts_what_is_not_compressed(server: Server) -> None:
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


def test_2_10_an_error_is_never_compressed(server: Server) -> None:
    with server.rest() as rest:
        answer = rest.request("POST", INFER, b"{", {"Accept-Encoding": "gzip"})

    assert answer.headers.get("Content-Encoding") is None
    assert (answer.status, bool(answer.error())) == (400, True)


@pytest.mark.parametrize("body", [b"", BODY, gzip.compress(BODY)[:-1], gzip.compress(BODY) + b"x"], ids=repr)
def test_2_10_a_body_that_is_not_what_its_encoding_says_is_400(server: Server, body: bytes) -> None:
    with server.rest() as rest:
        answer = rest.request("POST", INFER, body, {"Content-Encoding": "gzip"})

        assert (answer.status, bool(answer.error())) == (400, True)
        assert rest.request("POST", INFER, BODY).status == 200


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, deflate", "nonsense"])
def test_2_10_another_encoding_is_501_and_learns_the_known_ones(server: Server, encoding: str) -> None:
    """In Triton's words; other errors do not have the header."""
    answer = server.post(INFER, BODY, {"Content-Encoding": encoding})
    assert (answer.status, answer.headers["Accept-Encoding"]) == (501, "gzip, deflate")
    assert answer.error().startswith("Unsupported compression type")
    assert server.post(INFER, b"{").headers["Accept-Encoding"] is None


@pytest.mark.parametrize("encoding", ["identity", "Identity", "GZIP"])
def test_2_10_identity_is_no_encoding_and_case_does_not_matter(server: Server, encoding: str) -> None:
    body = gzip.compress(BODY) if encoding == "GZIP" else BODY
    assert server.post(INFER, body, {"Content-Encoding": encoding}).status == 200


def test_2_10_a_body_is_what_its_first_bytes_say(server: Server) -> None:
    """As zlib finds out for Triton: gzip under the name of deflate, and the other way round."""
    assert server.post(INFER, gzip.compress(BODY), {"Content-Encoding": "deflate"}).status == 200
    assert server.post(INFER, zlib.compress(BODY), {"Content-Encoding": "gzip"}).status == 200
    raw = zlib.compressobj(wbits=-15)
    answer = server.post(INFER, raw.compress(BODY) + raw.flush(), {"Content-Encoding": "deflate"})
    assert (answer.status, "is no deflate data" in answer.error()) == (400, True)


@pytest.mark.parametrize("path", ["/v2/repository/index", "/v2/repository/models/same_two/load"])
def test_2_10_other_routes_know_no_encodings(server: Server, path: str) -> None:
    """The header of a request without a body is ignored there, and the answer is as it is."""
    answer = server.post(path, b"", {"Content-Encoding": "br", "Accept-Encoding": "gzip"})
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, None)
    assert answer.json()
    assert server.post("/v2/repository/index", gzip.compress(b"{}"), {"Content-Encoding": "gzip"}).status == 400


def test_2_10_a_stream_of_events_is_not_compressed(server: Server) -> None:
    """Each event is to be seen when it is there."""
    answer = server.post("/v2/models/identity/infer_stream", BODY, {"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] is None
    assert answer.body.startswith(b"data: {")
