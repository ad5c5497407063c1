"""Classes whose fields are outputs."""

import dataclasses
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NamedTuple, NotRequired, Required, TypedDict, TypeVar

import msgspec
import numpy as np
import pandas as pd
import pytest
import typing_extensions
from numpy.typing import NDArray

from srv_codecs._results import FieldsResult, find_result
from srv_codecs.hints import Output
from srv_protocol.errors import CodecNotFound, InferenceError
from srv_protocol.inference import ModelInferRequest

FLOATS = np.array([1.5, 2.5], np.float32)
T = TypeVar("T")


class Named(NamedTuple):
    a: NDArray[np.float32]
    b: Annotated[int | None, Output("count")] = None


@dataclass(frozen=True)
class Base:
    a: NDArray[np.float32]
    kind: typing.ClassVar[str] = "no field"


@dataclass(frozen=True, slots=True)
class Data(Base):
    b: Annotated[int | None, Output("count")] = None


class Struct(msgspec.Struct, frozen=True):
    a: NDArray[np.float32]
    b: Annotated[int | None, Output("count")] = None


class Total(TypedDict):
    a: NDArray[np.float32]
    b: Annotated[NotRequired[int], Output("count")]


class Partial(TypedDict, total=False):
    a: "Required[NDArray[np.float32]]"
    b: "Annotated[int | None, Output('count')]"


class Inherited(Partial):
    c: int


class Older(typing_extensions.TypedDict):
    a: NDArray[np.float32]
    b: "NotRequired[Annotated[int, Output('count')]]"


class Locked(typing_extensions.TypedDict):
    a: typing_extensions.ReadOnly[NDArray[np.float32]]
    b: NotRequired[typing_extensions.ReadOnly[Annotated[int, Output("count")]]]


def outputs(hint: Any, value: object) -> dict[str, tuple[str, list[int]]]:
    found = find_result(hint, "f(): the return hint").encode(value)
    assert isinstance(found, (list, tuple))
    return {each.name: (each.datatype, each.shape) for each in found}


A, COUNT = ("FP32", [2, 1]), ("INT64", [1])
OBJECTS: tuple[Any, ...] = (Named, Data, Struct)
DICTS: tuple[Any, ...] = (Total, Partial, Older, Locked)


@pytest.mark.parametrize("owner", OBJECTS)
def test_fields_are_outputs(owner: Any) -> None:
    assert outputs(owner, owner(FLOATS, 3)) == {"a": A, "count": COUNT}
    assert outputs(owner, owner(FLOATS)) == {"a": A}
    assert outputs(owner | None, None) == {}


@pytest.mark.parametrize("owner", DICTS)
def test_keys_of_a_typed_dict_are_outputs(owner: Any) -> None:
    assert outputs(owner, {"a": FLOATS, "b": 3}) == {"a": A, "count": COUNT}
    assert outputs(owner, {"a": FLOATS}) == {"a": A}
    with pytest.raises(InferenceError, match=r"^output 'a': expected .*float32.*, got no 'a'$"):
        outputs(owner, {"b": 3})
    with pytest.raises(InferenceError, match=rf"^the result: expected .*{owner.__name__}, got a dict with 'z'$"):
        outputs(owner, {"a": FLOATS, "z": 3})


def test_a_key_is_required_where_its_class_says_so() -> None:
    with pytest.raises(InferenceError, match=r"^output 'c': expected int, got no 'c'$"):
        outputs(Inherited, {"a": FLOATS})
    assert outputs(Partial, {"a": FLOATS, "b": None}) == {"a": A}
    with pytest.raises(InferenceError, match=r"^output 'count': expected int, got None$"):
        outputs(Total, {"a": FLOATS, "b": None})


@pytest.mark.parametrize("owner", [*OBJECTS, *DICTS])
@pytest.mark.parametrize("value", [None, FLOATS, (FLOATS, 3), [FLOATS]], ids=["None", "array", "tuple", "list"])
def test_another_value_is_an_error_that_names_the_class(owner: Any, value: object) -> None:
    with pytest.raises(InferenceError) as caught:
        outputs(owner, value)
    got = "None" if value is None else type(value).__name__
    assert str(caught.value) == f"the result: expected {owner.__module__}.{owner.__qualname__}, got {got}"


def test_a_field_that_does_not_fit_names_its_output() -> None:
    with pytest.raises(InferenceError, match=r"^output 'a': expected FP32, got FP64$"):
        outputs(Named, Named(np.ones(2), 3))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(InferenceError, match=r"^output 'count': expected int, got str$"):
        outputs(Data, Data(FLOATS, "3"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_outputs_of_fields_are_implied() -> None:
    implied = find_result(Named, "").implied
    assert [(each.name, each.datatype, each.shape) for each in implied] == [
        ("a", "FP32", (-1,)),
        ("count", "INT64", (1,)),
    ]


@dataclass
class WithSet:
    a: set[int]


@dataclass
class Twice:
    a: int
    b: Annotated[int, Output("a")]


@dataclass
class Unresolved:
    a: "Unknown"  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore[reportUndefinedVariable]


@dataclass
class Several(Generic[T]):
    a: T


FAULTS: dict[str, tuple[Any, str]] = {
    "no codec": (WithSet, "f(): the return hint: field 'a': no codec for the type hint set[int]; there are "),
    "one name": (Twice, "f(): the return hint: expected outputs of different names, got a, a"),
    "unresolved": (Unresolved, "f(): the return hint: the hints of "),
    "variable": (Several, "f(): the return hint: field 'a': no codec for the type hint ~T; there are "),
    "named whole": (Annotated[Named, Output("x")], "f(): the return hint: Output('x') names one output, but "),
    "request": (ModelInferRequest, "f(): the return hint: no codec for the type hint "),
    "dict of frames": (dict[str, pd.DataFrame], "f(): the return hint: expected a hint of one tensor in dict[str, …]"),
    "nested": (tuple[Named, int], "f(): the return hint: no codec for the type hint "),
}


@pytest.mark.parametrize(("hint", "text"), FAULTS.values(), ids=FAULTS)
def test_a_class_that_is_no_contract_fails_at_decoration(hint: Any, text: str) -> None:
    with pytest.raises(CodecNotFound) as caught:
        find_result(hint, "f(): the return hint")
    assert str(caught.value).startswith(text)


def test_a_frame_among_the_fields_gives_its_columns() -> None:
    made = dataclasses.make_dataclass("Made", [("frame", pd.DataFrame), ("rest", dict[str, int | None])])
    result = find_result(made, "")
    assert isinstance(result, FieldsResult)
    assert result.implied == ()
    found = outputs(made, made(pd.DataFrame({"c": [1.5]}), {"d": 1, "e": None}))
    assert found == {"c": ("FP64", [1, 1]), "d": COUNT}
