"""What a caller gives: URLs, inputs, headers, retries."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from srv.client import Client, ConnectError, ConnectionLost, Input, Retry
from srv.client._deadline import Deadline
from srv.client._endpoint import Endpoint, parse_url
from srv.client._headers import check_headers
from srv.client._inputs import make_inputs
from srv.errors import InvalidInput, Unavailable


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a", ("http", False, "a", 8080, "", "", "a:8080")),
        ("http://a:1/x/y/", ("http", False, "a", 1, "", "/x/y", "a:1")),
        ("https://a", ("http", True, "a", 443, "", "", "a:443")),
        ("grpc://127.0.0.1", ("grpc", False, "127.0.0.1", 8081, "", "", "127.0.0.1:8081")),
        ("grpcs://[::1]:5", ("grpc", True, "::1", 5, "", "", "[::1]:5")),
        ("http+unix:/a/b%20c", ("http", False, "", 0, "/a/b c", "", "localhost")),
        ("grpc+unix:///a", ("grpc", False, "", 0, "/a", "", "localhost")),
        ("unix:/a", ("grpc", False, "", 0, "/a", "", "localhost")),
    ],
)
def test_urls(url: str, expected: tuple[object, ...]) -> None:
    found: Endpoint = parse_url(url)
    fields = (found.protocol, found.tls, found.host, found.port, found.path, found.prefix, found.authority)
    assert fields == expected


@pytest.mark.parametrize(
    "url",
    ["", "localhost:8080", "ftp://a", "http://", "http://a:99999", "http://u:p@a", "http://a?x=1", "http://a#x",
     "grpc://a/x", "unix:", "unix://host/path", "http://a/x y"],
)  # fmt: skip
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"^url: expected"):
        parse_url(url)


@pytest.mark.parametrize(
    "options",
    [{"timeout": 0}, {"connect_timeout": -1}, {"connections": 0}, {"headers": {"te": "x"}}, {"tls": object()}],
)
def test_options_that_are_wrong(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"^{next(iter(options))}: expected"):
        Client("http://a", **options)


@pytest.mark.parametrize(
    ("value", "datatype", "shape"),
    [
        (np.zeros((2, 0), "f4"), "FP32", [2, 0]),
        (np.float64(1), "FP64", []),
        ([True], "BOOL", [1]),
        ([1, 2], "INT64", [2]),
        ([1 << 63], "UINT64", [1]),
        ([1, 2.5], "FP64", [2]),
        ((1.0,), "FP64", [1]),
        ([["a", b"b"]], "BYTES", [1, 2]),
        ("a", "BYTES", [1]),
        (b"a", "BYTES", [1]),
        (1.5, "FP64", [1]),
        (True, "BOOL", [1]),
        ([np.float32(1), np.float32(2)], "FP32", [2]),
        ([np.ones((2, 3), "i1")] * 4, "INT8", [4, 2, 3]),
        ([datetime(2026, 1, 1, tzinfo=UTC)], "BYTES", [1, 1]),
        (Input([1, 2], "FP32"), "FP32", [2]),
        (Input([], "INT8"), "INT8", [0]),
        (Input(np.ones(4), shape=(2, 2)), "FP64", [2, 2]),
        (np.array(["a", "b"]), "BYTES", [2]),
    ],
)  # fmt: skip
def test_values(value: object, datatype: str, shape: list[int]) -> None:
    (tensor,) = make_inputs({"x": value})
    assert (tensor.name, tensor.datatype, tensor.shape) == ("x", datatype, shape)


@pytest.mark.parametrize(
    "value",
    [[], [[]], [1, "a"], [1, True], [None], {}, None, [[1], [1, 2]], [[1], 2], 1j, np.ones(1, "c8"), object(),
     [np.ones(1), np.ones(2)], Input([1], "FP31"), Input(np.ones(1), "FP32")],
)  # fmt: skip
def test_values_that_no_tensor_holds(value: object) -> None:
    with pytest.raises(InvalidInput, match=r"^input 'x': "):
        make_inputs({"x": value})


def test_an_array_is_not_copied() -> None:
    array = np.ones(3)
    (tensor,) = make_inputs({"x": array})
    assert tensor.data.array is array


@pytest.mark.parametrize("inputs", [[1], "abc", 3, [np.ones(2)]])
def test_inputs_without_names(inputs: Any) -> None:
    with pytest.raises(InvalidInput, match=r"^inputs: expected a mapping"):
        make_inputs(inputs)


@pytest.mark.parametrize(
    "headers", [{"a b": "x"}, {"a": "x\r\ny: z"}, {"a": "é"}, {"content-length": "1"}, {"grpc-timeout": "1S"}, {"": ""}]
)
def test_headers_that_may_not_be(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match=r"^headers: "):
        check_headers(headers)


def test_headers() -> None:
    assert check_headers({"X-A": "b c", "x-empty": ""}) == (("x-a", "b c"), ("x-empty", ""))


def test_what_is_sent_again() -> None:
    """Only what the server has not begun, unless it may come twice; never beyond attempts or the deadline."""
    random.seed(1)
    retry, deadline = Retry(attempts=3, delay=0.1, max_delay=0.15), Deadline(60)

    def delay(number: int, error: Unavailable, *, repeatable: bool = False, until: Deadline = deadline) -> Any:
        return retry.delay_before(number, error, repeatable=repeatable, deadline=until)

    for error in (Unavailable("x"), ConnectError("x"), ConnectionLost("x", begun=False)):
        assert 0 <= delay(1, error) <= 0.1
        assert 0 <= delay(2, error) <= 0.15
        assert delay(3, error) is None
    assert delay(1, ConnectionLost("x")) is None
    assert delay(1, ConnectionLost("x"), repeatable=True) is not None
    assert delay(1, Unavailable("x"), until=Deadline(1e-9)) is None
    assert delay(2, Unavailable("x"), until=Deadline(None)) is not None


@pytest.mark.parametrize("options", [{"attempts": 0}, {"delay": -1.0}, {"delay": 3.0}])
def test_retries_that_are_wrong(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"^{next(iter(options))}: expected"):
        Retry(**options)
