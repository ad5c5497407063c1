from __future__ import annotations

import copy
import http
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from srv_protocol.errors import WireError
from srv_protocol.inference import (
    Headers,
    InferParameter,
    ModelInferRequest,
    ModelRepositoryParameter,
    Parameters,
    RepositoryModelLoadRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# --- Headers ----------------------------------------------------------------------------------------------------


def test_headers_ignore_case() -> None:
    """Every access finds a name in any case."""
    headers = Headers({"Content-Type": "a"})
    assert headers["CONTENT-TYPE"] == headers.get("content-TYPE") == "a"
    assert "Content-Type" in headers
    assert not headers.__contains__(3)  # `in` is typed for strings alone
    assert headers.get("other") is None
    assert headers.get("other", "b") == "b"
    assert headers.setdefault("content-Type", "b") == "a"
    headers.update({"Content-TYPE": "c"}, X_One="1")
    assert headers == {"content-type": "c", "x_one": "1"}
    del headers["X_ONE"]
    assert headers.pop("CONTENT-Type") == "c"
    assert headers.pop("Content-Type", "d") == "d"
    assert headers == {}
    with pytest.raises(KeyError):
        headers.pop("Content-Type")


def test_headers_join_what_comes_twice() -> None:
    """A repeated name keeps both values, in order."""
    assert Headers([("Accept", "a"), ("x", "1"), ("accept", "b")]) == {"accept": "a, b", "x": "1"}


@pytest.mark.parametrize(
    "pairs",
    [
        [("content-type", "a"), ("x", "b")],
        [("Content-Type", "a"), ("x", "b")],
        [("x", "1"), ("content-type", "a"), ("x", "2")],
        [("x", "1"), ("X", "2")],
        [("ä", "1"), ("Σ", "2"), ("ΑΣ", "3")],
        [],
    ],
    ids=str,
)
def test_headers_are_the_same_as_set_one_by_one(pairs: list[tuple[str, str]]) -> None:
    """Names that are all lower case and different are the common case, and no other one."""
    expected = Headers()
    for name, value in pairs:
        expected[name] = f"{expected[name]}, {value}" if name in expected else value
    for made in (Headers(pairs), Headers(iter(pairs))):
        assert list(made.items()) == list(expected.items())
    assert Headers(dict(pairs)).keys() == expected.keys()


HEADER_WAYS_IN: dict[str, Callable[[Any], object]] = {
    "constructor": Headers,
    "update": lambda given: Headers().update(given),
    "parameters": lambda given: Parameters(headers=given),
    "attribute": lambda given: setattr(Parameters(), "headers", given),
}


@pytest.mark.parametrize("put", HEADER_WAYS_IN.values(), ids=HEADER_WAYS_IN)
@pytest.mark.parametrize(
    "given", [{"a": 5}, {"a": None}, {"a": b"b"}, {"a": "b", "A": 5}, {5: "b"}, {b"a": "b"}], ids=str
)
def test_headers_are_text(put: Callable[[Any], object], given: Any) -> None:
    """Code that gives anything else is wrong; in the parameters that a client sends, the client is."""
    with pytest.raises(TypeError, match=r"^headers: expected a name and a value that are strings, got "):
        put(given)
    with pytest.raises(WireError, match=r"^parameters\.headers: expected a name and a value that are strings, got "):
        Parameters({"headers": given})


COPIES: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "method": lambda value: value.copy(),
    "constructor": lambda value: type(value)(value),
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301  # our own pickle
    "union": lambda value: value | {},
}


@pytest.mark.parametrize("again", COPIES.values(), ids=COPIES)
def test_headers_copies(again: Callable[[Headers], Headers]) -> None:
    """Copies are headers themselves, with a life of their own."""
    headers = Headers({"A": "1"})
    copied = again(headers)
    assert type(copied) is Headers
    copied["B"] = "2"
    assert (headers, copied) == ({"a": "1"}, {"a": "1", "b": "2"})


def test_headers_union() -> None:
    """Unions keep the class and ignore case."""
    headers = Headers({"A": "1"})
    headers |= {"a": "2"}
    assert headers | {"A": "3"} == {"a": "3"}
    assert headers == {"a": "2"}


# --- Parameters -------------------------------------------------------------------------------------------------


def test_parameters_are_a_mapping() -> None:
    """Items and attributes are the same; ``None`` at construction is "not given"."""
    parameters = Parameters({"a": 1, "gone": None}, content_type="np", b=2.5)
    assert parameters == {"a": 1, "content_type": "np", "b": 2.5}
    assert (parameters.a, parameters.b, parameters.content_type) == (1, 2.5, "np")
    parameters.foo = "bar"
    parameters.content_type = None
    assert parameters == {"a": 1, "b": 2.5, "foo": "bar"}
    del parameters.foo
    assert not hasattr(parameters, "foo")
    with pytest.raises(AttributeError, match="no parameter 'foo'; there are 'a', 'b'"):
        parameters.foo  # noqa: B018  # the access is what is tested
    with pytest.raises(AttributeError):
        del parameters.foo
    assert Parameters().content_type is None


def test_content_type_is_text() -> None:
    """A content type of another kind is an error where it is read."""
    with pytest.raises(WireError, match="content_type: expected a string, got 3"):
        _ = Parameters(content_type=3).content_type


WAYS_IN: dict[str, Callable[[Any], object]] = {
    "mapping": lambda value: Parameters({"bad": value}),
    "pairs": lambda value: Parameters([("bad", value)]),
    "keyword": lambda value: Parameters(bad=value),
    "update-keyword": lambda value: Parameters().update(bad=value),
    "update": lambda value: Parameters().update({"bad": value}),
    "setdefault": lambda value: Parameters().setdefault("bad", value),
    "item": lambda value: Parameters().__setitem__("bad", value),
    "attribute": lambda value: setattr(Parameters(), "bad", value),
    "union": lambda value: Parameters() | {"bad": value},
    "union-in-place": lambda value: Parameters().__ior__({"bad": value}),
}


@pytest.mark.parametrize("put", WAYS_IN.values(), ids=WAYS_IN)
@pytest.mark.parametrize("value", [[1], {}, object(), 1j, np.array([1])], ids=lambda value: type(value).__name__)
def test_parameters_refuse(put: Callable[[object], object], value: object) -> None:
    """What has no wire form is refused on every way in, by name."""
    with pytest.raises(WireError, match=r"parameters\.bad: expected a string, number or boolean, got"):
        put(value)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(-3), -3),
        (np.uint8(200), 200),
        (np.float32(1.5), 1.5),
        (np.float64(0.1), 0.1),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (http.HTTPStatus.OK, 200),
        (http.HTTPMethod.GET, "GET"),
    ],
)
def test_scalars_of_other_types(value: Any, plain: object) -> None:
    """Scalars of numpy and enums are the plain values that they equal."""
    request = ModelInferRequest.parse(bytes(ModelInferRequest(parameters={"a": value})))
    assert request.parameters == {"a": plain}
    assert type(request.parameters.a) is type(plain)


@pytest.mark.parametrize("again", COPIES.values(), ids=COPIES)
def test_parameters_copies(again: Callable[[Parameters], Parameters]) -> None:
    """Copies are parameters with the same headers, with a life of their own."""
    parameters = Parameters({"a": 1}, headers={"X": "1"})
    copied = again(parameters)
    assert type(copied) is Parameters
    assert copied == parameters
    copied.b = 2
    assert parameters == Parameters({"a": 1}, headers={"x": "1"})


def test_headers_are_beside_the_parameters() -> None:
    """Headers are an attribute and no entry; any mapping becomes Headers."""
    parameters = Parameters({"a": 1, "headers": {"X-One": "1"}})
    assert dict(parameters) == {"a": 1}
    assert isinstance(parameters.headers, Headers)
    assert parameters != Parameters({"a": 1})
    assert not parameters == Parameters({"a": 1})  # noqa: SIM201  # == and != are asked apart
    assert parameters == {"a": 1}
    parameters.headers = {"X-Two": "2"}  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]  # what authors do
    assert isinstance(parameters.headers, Headers)
    assert repr(parameters) == "Parameters(a=1, headers={'x-two': '2'})"
    assert bytes(ModelInferRequest(parameters=parameters)) == bytes.fromhex("22 07 0a 01 61 12 02 10 01")
    with pytest.raises(WireError, match=r"parameters\.headers: expected a mapping of strings, got str"):
        Parameters({"headers": "x"})


# --- the oneof --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (True, "bool_param"),
        (False, "bool_param"),
        (0, "int64_param"),
        (-(1 << 63), "int64_param"),
        ((1 << 63) - 1, "int64_param"),
        (1 << 63, "uint64_param"),
        ((1 << 64) - 1, "uint64_param"),
        ("", "string_param"),
        (0.0, "double_param"),
    ],
)
def test_choice(value: Any, field: str) -> None:
    """Each Python value has one member, and comes back from it."""
    message = InferParameter.from_wrapped(value)
    assert getattr(message, field) == value
    assert [name for name in vars(message) if getattr(message, name) is not None] == [field, "_unknown_fields"]
    assert type(InferParameter.parse(bytes(message)).to_wrapped()) is type(value)


def test_choice_of_nothing() -> None:
    """A parameter that the sender left unset is ``None``, both ways."""
    assert InferParameter().to_wrapped() is None
    assert InferParameter.from_wrapped(None) == InferParameter()
    request = ModelInferRequest.parse(bytes.fromhex("22 05 0a 01 6b 12 00"))
    assert dict(request.parameters) == {"k": None}
    assert bytes(request) == bytes.fromhex("22 05 0a 01 6b 12 00")


def test_choice_of_another_kind() -> None:
    """A value that no member carries is an error that names the parameter."""
    with pytest.raises(WireError, match=r"ModelInferRequest\.parameters\['k'\]: expected a value that fits one of"):
        bytes(ModelInferRequest(parameters=Parameters({"k": b"bytes"})))


@pytest.mark.parametrize(("value", "bits"), [(1 << 64, 65), (-(1 << 63) - 1, 64), (10**400, 1329)])
def test_integers_have_64_bits(value: int, bits: int) -> None:
    """One that no member carries is refused on its way in, wherever it comes from."""
    with pytest.raises(WireError, match=rf"^parameters\.k: expected an integer of 64 bits, got one of {bits}$"):
        Parameters({"k": value})
    with pytest.raises(WireError, match="expected a value that fits one of"):
        InferParameter.from_wrapped(value)


def test_bytes_belong_to_load_requests() -> None:
    """Load requests have bytes and no floats."""
    request = RepositoryModelLoadRequest(parameters=Parameters({"file:1/model": b"\0"}))
    assert RepositoryModelLoadRequest.parse(bytes(request)) == request
    with pytest.raises(WireError, match=r"one of bool, int, str, bytes, got 1\.5"):
        ModelRepositoryParameter.from_wrapped(1.5)


def test_parameters_that_hold_only_headers_are_true() -> None:
    """MLServer's documentation asks ``if payload.parameters and payload.parameters.headers``."""
    assert Parameters(headers={})
    assert Parameters(a=1)
    assert not Parameters()
