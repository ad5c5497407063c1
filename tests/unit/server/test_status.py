from __future__ import annotations

import logging
from http import HTTPStatus

import pytest
from grpclib.const import Status

from srv import errors
from srv._status import describe_error


@pytest.mark.parametrize(
    ("error", "http", "grpc"),
    [
        (errors.InvalidInput("x"), 400, Status.INVALID_ARGUMENT),
        (errors.WireError("x"), 400, Status.INVALID_ARGUMENT),
        (errors.CodecNotFound("x"), 400, Status.INVALID_ARGUMENT),
        (errors.LoadError("x"), 400, Status.INVALID_ARGUMENT),
        (errors.ModelNotFound("m"), 404, Status.NOT_FOUND),
        (errors.RequestTooLarge("x"), 413, Status.RESOURCE_EXHAUSTED),
        (errors.Unsupported("x"), 501, Status.UNIMPLEMENTED),
        (errors.ModelNotReady("x"), 503, Status.UNAVAILABLE),
        (errors.InferenceError("x"), 500, Status.INTERNAL),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_error_has_one_status_in_each_protocol(error: errors.SrvError, http: int, grpc: Status) -> None:
    status = describe_error(error, "test")

    assert (status.http, status.grpc, status.message) == (HTTPStatus(http), grpc, error.message)


def test_every_kind_of_error_has_a_status() -> None:
    for kind in errors.ErrorKind:
        error = type("Other", (errors.SrvError,), {"kind": kind})("text")

        assert describe_error(error, "test").message == "text"


def test_an_unknown_error_is_logged_in_full_and_hidden_from_the_client(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="srv"):
        status = describe_error(ValueError("/secret/path"), "POST /v2")

    assert (status.http, status.grpc, status.message) == (500, Status.INTERNAL, "internal server error")
    assert "POST /v2" in caplog.text
    assert "/secret/path" in caplog.text
