"""Values are read as type hints say, with the results and the words of msgspec."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Optional, TypedDict, Union

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srv._conversion import Limits, Misfit, Unreadable, compile_hint

WORDS = [
    "-0.0",
    "1E+2",
    "1e3",
    "01",
    "1_0",
    "0",
    "1",
    "-7",
    "1.5",
    "1e999",
    "nan",
    "-inf",
    "true",
    "TRUE",
    "null",
    "NULL",
    "red",
    "a",
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.sampled_from(WORDS)
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(width=16) | st.sampled_from([3.0, 2**70]) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "name", "z"]), inner, max_size=3)
    ),
    max_leaves=8,
)


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


@dataclass
class Point:
    x: int
    y: float | None = None
    names: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, kw_only=True)
class Tree:
    name: str
    x: list[Tree] = field(default_factory=list["Tree"])


class Typed(TypedDict, total=False):
    x: int
    y: list[Point]


HINTS: list[Any] = [
    *(Any, None, bool, int, float, str, list, dict, tuple),
    *(
        int | None,
        int | float,
        str | int | None,
        bool | float,
        Optional[str],  # noqa: UP045  # hints of models
        Union[int, str],  # noqa: UP007  # hints of models
        bool | int | float | str,
    ),
    *(list[int], list[float], list[int | None], tuple[str, ...], Sequence[int], frozenset[int], list[list[bool]]),
    *(dict[str, int], dict[str, object], Mapping[str, list[float]], dict[str, Any] | list[int] | None),
    *(Literal["red", "a"], Literal["red", 1], Literal[1, 2] | None, Color, Color | None, list[Color]),
    *(Point, Tree, Typed, Point | None, list[Point], dict[str, Tree], Point | int | list[Typed]),
]


def outcome(read: Any, *known: type[Exception]) -> object:
    """Return what comes of a value, by its text, or the error."""
    try:
        return repr(read())
    except known as error:
        return re.sub(r"`\$", "$", str(error)).rstrip("`")


@pytest.mark.parametrize("hint", HINTS, ids=str)
def test_values_are_converted_as_by_msgspec(hint: Any) -> None:
    kind = compile_hint(hint)

    @settings(max_examples=40)
    @given(VALUES)
    def check(value: object) -> None:
        expected = outcome(lambda: msgspec.convert(value, hint), msgspec.ValidationError)
        assert outcome(lambda: kind.read(value), Misfit) == expected

    check()


@pytest.mark.parametrize("hint", [*HINTS[:17], list[str], set[int] | None, list[int | None]], ids=str)
def test_text_stands_for_what_it_does_to_msgspec(hint: Any) -> None:
    kind = compile_hint(hint)

    @settings(max_examples=40)
    @given(TEXT | st.lists(TEXT, max_size=3))
    def check(value: object) -> None:
        def accepted(read: Any, known: type[Exception]) -> object:
            try:
                return repr(read())
            except known:
                return "refused"

        expected = accepted(lambda: msgspec.convert(value, hint, strict=False), msgspec.ValidationError)
        assert accepted(lambda: kind.read(value, lax=True), Misfit) == expected

    check()


LIMITS: list[dict[str, Any]] = [
    *({"ge": 0}, {"ge": -1, "le": 3}, {"gt": 0}, {"gt": 0, "le": 2}, {"min_length": 1}, {"pattern": "^(/[a-z]*)?$"}),
]


def limited(base: object, limits: object) -> object:
    # A subscription with run-time values.
    annotated: Any = Annotated
    return annotated[base, limits] | None


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("base", [int, float, str])
def test_limits_are_those_of_msgspec(base: Any, limits: dict[str, Any]) -> None:
    if (base is str) is not bool(limits.keys() & {"min_length", "pattern"}):
        pytest.skip("of another type")
    hint: Any = limited(base, Limits(**limits))
    theirs: Any = limited(base, msgspec.Meta(**limits))
    kind = compile_hint(hint)

    @settings(max_examples=40)
    @given(SCALARS)
    def check(value: object) -> None:
        expected = outcome(lambda: msgspec.convert(value, theirs), msgspec.ValidationError)
        assert outcome(lambda: kind.read(value), Misfit) == expected

    check()


@dataclass
class Closed:
    __closed__: ClassVar[bool] = True
    x: int = 0


def test_unknown_keys_are_refused_where_the_class_says_so() -> None:
    assert compile_hint(Closed).read({"x": 1}) == Closed(1)
    with pytest.raises(Misfit, match=r"^Object contains unknown field `y` - at `\$\[0\]`$"):
        compile_hint(list[Closed]).read([{"y": 1}])


class Model:
    """As pydantic's are."""

    @classmethod
    def model_validate(cls, value: object) -> str:
        if value != {"x": 1}:
            message = "not one"
            raise ValueError(message)
        return "made"


def test_a_model_validates_itself() -> None:
    assert compile_hint(Model).read({"x": 1}) == "made"
    assert compile_hint(list[Model] | None).read([{"x": 1}]) == ["made"]
    assert compile_hint(Model | None).read(None) is None
    with pytest.raises(Misfit, match=r"^not one - at `\$\[0\]`$"):
        compile_hint(list[Model]).read([2])


@pytest.mark.parametrize(
    "hint",
    [complex, list[complex], list[int] | set[int], tuple[int, str], dict[int, str], Point | Tree, type[int]],
    ids=str,
)
def test_other_hints_are_refused_at_once(hint: Any) -> None:
    with pytest.raises(Unreadable):
        compile_hint(hint)
