"""Raw binary requests: a body that is nothing but a tensor."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from serving import Server

HEADER = "Inference-Header-Content-Length"


def test_the_body_is_the_tensor_and_the_answer_is_binary(server: Server) -> None:
    values = np.arange(6, dtype=np.float32)
    answer = server.post("/v2/models/raw/infer", values.tobytes(), {HEADER: "0"})
    length = int(answer.headers[HEADER])
    (output,) = json.loads(answer.body[:length])["outputs"]

    assert (answer.status, output["shape"], output["datatype"]) == (200, [3, 2], "FP32")
    assert answer.body[length:] == values.tobytes()


@pytest.mark.parametrize(
    ("model", "body", "text"),
    [
        ("raw", b"abc", "expected a multiple of 8 bytes"),
        (
            "identity",
            b"abcd",
            "Raw request must only have 1 input (found 1) to be deduced but got 0 inputs in 'identity'",
        ),
        ("declared", b"abcd", "but got 2 inputs in 'declared'"),
        ("nobody", b"abcd", "Request for unknown model: 'nobody' is not found"),
    ],
)
def test_a_body_that_cannot_be_deduced_is_refused(server: Server, model: str, body: bytes, text: str) -> None:
    answer = server.post(f"/v2/models/{model}/infer", body, {HEADER: "0"})

    assert answer.status in {400, 404}
    assert text in answer.error()


def test_an_empty_body_without_the_header_is_no_raw_request(server: Server) -> None:
    assert server.post("/v2/models/raw/infer", b"").status == 400
