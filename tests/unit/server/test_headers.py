from __future__ import annotations

import logging

import pytest

from srv import Headers
from srv._headers import response_headers
from srv.errors import InferenceError


def test_a_runtimes_headers_are_sent_in_lower_case() -> None:
    assert response_headers(Headers({"X-Foo": "bar", "a.b_c-d": " v "}), "m") == [("x-foo", "bar"), ("a.b_c-d", "v")]


def test_no_headers_are_none() -> None:
    assert response_headers(None, "m") == []


@pytest.mark.parametrize(
    "name", ["content-length", "Content-Type", "transfer-encoding", "connection", "te", "grpc-status", "grpc-x"]
)
def test_headers_that_frame_the_message_are_left_out_with_a_warning(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="srv"):
        assert response_headers(Headers({name: "1", "x": "2"}), "m") == [("x", "2")]

    assert "is the server's own, and is left out" in caplog.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "v"),
        ("a b", "v"),
        ("a:b", "v"),
        ("ä", "v"),
        (":path", "v"),
        ("a", "x\r\nset-cookie: y"),
        ("a", "é"),
    ],
    ids=repr,
)
def test_an_invalid_name_or_value_is_the_models_fault(name: str, value: str) -> None:
    with pytest.raises(InferenceError, match="model 'm': invalid response header"):
        response_headers(Headers({name: value}), "m")
