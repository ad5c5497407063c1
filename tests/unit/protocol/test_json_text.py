"""JSON without msgspec is what it is with it."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
import sys
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_protocol import _json_text
from srv_protocol._json_text import JsonError, indent_json, read_json, read_plain, to_builtins, write_json, write_plain
from srv_protocol.inference import ModelInferRequest

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


@pytest.fixture
def without_msgspec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_text, "find_msgspec", lambda: None)


class Color(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


@dataclass
class Point:
    x: int
    y: list[float]


@given(VALUES)
def test_values_are_written_alike(value: object) -> None:
    assert msgspec.json.decode(write_plain(value)) == msgspec.json.decode(write_json(value))


@given(VALUES)
def test_what_is_written_is_read_alike(value: object) -> None:
    for text in (write_plain(value), write_json(value)):
        assert read_plain(text) == read_json(text)
        assert read_plain(text.decode()) == read_json(text.decode())


@given(st.binary() | st.text('[]{}",:0123456789.eE+-tfnul \\ud8\x00é').map(str.encode))
def test_any_bytes_are_read_alike_or_refused(text: bytes) -> None:
    def outcome(read: Any) -> object:
        try:
            return repr(read(text))
        except JsonError:
            return JsonError

    assert outcome(read_plain) == outcome(read_json)


@pytest.mark.parametrize(
    "text", ["NaN", "-Infinity", '"\\ud800"', "1e999", "[1,]", "", "01", '"\t"', "[" * 100_000, '{"a":1} x', "'a'"]
)
def test_what_is_no_json_is_refused(text: str) -> None:
    for read in (read_plain, read_json):
        with pytest.raises(JsonError):
            read(text)


@pytest.mark.parametrize(
    "value",
    [
        Color.RED,
        {Color.RED: 1, 2: 3, 4.5: 6},
        Number.ONE,
        Point(1, [2.0, math.nan]),
        (1, (2,)),
        {3},
        b"ab",
        bytearray(b"ab"),
        dt.datetime(2024, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001
        dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=-2))),
        dt.date(2024, 1, 2),
        dt.time(3, 4),
        uuid.UUID(int=7),
        Decimal("1.50"),
        [math.inf, -math.inf, 1],
    ],
    ids=repr,
)
def test_further_types_are_written_alike(value: object) -> None:
    assert json.loads(write_plain(value)) == json.loads(write_json(value))


@pytest.mark.parametrize("value", [object(), {None: 1}, {(1,): 2}, 1j, "\ud800", ["a", "\ud800"]], ids=repr)
def test_what_has_no_form_in_json_is_refused(value: object) -> None:
    for write in (write_plain, write_json):
        with pytest.raises((TypeError, ValueError)):
            write(value)


def test_a_hook_makes_something_else_of_other_types() -> None:
    for write in (write_plain, write_json):
        assert write([1j], lambda value: [value.real, value.imag]) == b"[[0.0,1.0]]"


@given(VALUES)
def test_builtins_are_alike(value: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_text, "find_msgspec", lambda: None)
        plain = to_builtins(value)
    assert repr(plain) == repr(to_builtins(value))


@given(VALUES)
def test_indented_text_holds_the_same(value: object) -> None:
    text = write_json(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_text, "find_msgspec", lambda: None)
        plain = indent_json(text, 2)
    assert json.loads(plain) == json.loads(indent_json(text, 2)) == json.loads(text)


@pytest.mark.usefixtures("without_msgspec")
def test_messages_are_dumped_and_validated_without_msgspec() -> None:
    text = '{"inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1.5,2.0]}]}'
    request = ModelInferRequest.model_validate_json(text)
    assert request.model_dump_json() == text
    assert json.loads(request.json(indent=1, exclude_none=True)) == json.loads(text)


@pytest.mark.parametrize("version", ["0.19.0", "0.2"])
def test_a_msgspec_that_is_too_old_counts_as_none(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _json_text.find_msgspec() is msgspec
    monkeypatch.setattr("importlib.metadata.version", {"msgspec": version}.get)
    assert _json_text.find_msgspec.__wrapped__() is None


def test_a_msgspec_that_cannot_be_imported_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    assert _json_text.find_msgspec.__wrapped__() is None
