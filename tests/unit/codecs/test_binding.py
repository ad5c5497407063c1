"""Short ways of ``decode_args`` give what its general way gives, whatever came before."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import arrays, same, tensors

from srv_codecs.hints import Signature, decode_args, signature_of
from srv_protocol.datatypes import DATATYPES
from srv_protocol.errors import InferenceError, SrvError
from srv_protocol.inference import Headers, InferInputTensor, ModelInferRequest

if TYPE_CHECKING:
    from collections.abc import Callable


HINTS: tuple[Any, ...] = (
    np.ndarray,
    NDArray[np.float32],
    NDArray[np.integer],
    NDArray[np.object_],
    np.ndarray[tuple[int, Literal[2]], np.dtype[np.int64]],
    list[str],
    list[bytes],
    list[datetime],
    str,
    pd.Series,
)
CONTENT_TYPES = (None, "np", "str", "base64", "datetime", "pd", "nonsense")


def plan(*, result: Any = inspect.Signature.empty, **hints: Any) -> Signature:
    """Return the plan of a method with these arguments, and `result` for its return hint."""

    def predict(_self: object) -> None:
        return None

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = [inspect.Parameter("self", kind), *(inspect.Parameter(name, kind) for name in hints)]
    predict.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]  # functions have one
    predict.__annotations__ = hints if result is inspect.Signature.empty else {**hints, "return": result}
    found = signature_of(decode_args(predict))
    assert isinstance(found, Signature)
    return found


SHORT = [plan(x=hint) for hint in HINTS]
# Whoever takes a part of the request, too, has more than one argument.
GENERAL = [plan(x=hint, headers=Headers) for hint in HINTS]


def outcome(run: Callable[[], Any]) -> Any:
    try:
        return run()
    except SrvError as error:
        return f"{type(error).__name__}: {error}"


def equal(one: Any, other: Any) -> bool:
    if type(one) is pd.Series:
        return type(other) is pd.Series and bool(one.equals(other)) and one.name == other.name
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and same(one, other)
    return type(one) is type(other) and one == other


@given(
    st.sampled_from(range(len(HINTS))),
    st.lists(st.tuples(st.sampled_from(["x", "y"]), tensors(), st.sampled_from(CONTENT_TYPES)), max_size=2),
    st.sampled_from(CONTENT_TYPES),
)
def test_one_input_for_one_argument_is_bound_as_one_of_several(
    index: int, inputs: list[tuple[str, tuple[str, Any], str | None]], of_request: str | None
) -> None:
    """The same values and the same errors: of missing and unknown inputs, of other datatypes, shapes, content types."""

    def bind(signature: Signature) -> Any:
        given_ = [
            InferInputTensor(
                name,
                datatype,
                list(array.shape),
                {} if content_type is None else {"content_type": content_type},
                data=array,
            )
            for name, (datatype, array), content_type in inputs
        ]
        parameters = {} if of_request is None else {"content_type": of_request}
        request = ModelInferRequest("m", parameters=parameters, inputs=given_)
        request.parameters.headers = Headers({})
        return outcome(lambda: signature.bind(request))

    short, general = bind(SHORT[index]), bind(GENERAL[index])
    if isinstance(short, str):
        assert short == general
        return
    assert (*short, "headers") == tuple(general)
    assert equal(short["x"], general["x"])


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_hint_counts_more_than_a_content_type(content_type: str | None) -> None:
    parameters = {} if content_type is None else {"content_type": content_type}
    floats = np.array([1.5, 2.5], np.float32)
    number = InferInputTensor("x", "FP32", [2], parameters, data=floats)
    text = InferInputTensor("x", "BYTES", [2], parameters, data=["a", "b"])
    for plans in (SHORT, GENERAL):
        array: Any = plans[HINTS.index(np.ndarray)].bind(ModelInferRequest("m", inputs=[number]))["x"]
        assert array.dtype == np.float32
        assert np.shares_memory(array, floats)
        assert plans[HINTS.index(list[str])].bind(ModelInferRequest("m", inputs=[text]))["x"] == ["a", "b"]


@given(st.sampled_from(list(DATATYPES)).flatmap(arrays), st.booleans())
def test_a_result_that_is_an_array_is_encoded_the_same_with_a_hint_and_without(array: Any, transposed: bool) -> None:
    given_ = array.T if transposed else array
    hinted = outcome(lambda: plan(result=np.ndarray).respond(given_, "m", "1"))
    by_type = outcome(lambda: plan().respond(given_, "m", "1"))
    if isinstance(hinted, str):
        assert hinted == by_type
        return
    (one,), (other,) = hinted.outputs, by_type.outputs
    assert (one.name, one.datatype, one.shape, one.parameters) == (
        other.name,
        other.datatype,
        other.shape,
        other.parameters,
    )
    assert same(np.asarray(one.data), np.asarray(other.data))
    if array.size and array.dtype != object:
        assert np.shares_memory(one.data.array, array)
        assert np.shares_memory(other.data.array, array)


MOMENT = datetime(2026, 1, 2, tzinfo=UTC)
# Values of one type that different codecs encode, and that none does.
VALUES: tuple[tuple[Any, list[tuple[str, str, str]] | None], ...] = (
    (["a"], [("output-0", "BYTES", "str")]),
    ([MOMENT], [("output-0", "BYTES", "datetime")]),
    ([], [("output-0", "BYTES", "str")]),
    ([b"\xff"], [("output-0", "BYTES", "base64")]),
    ([1], None),
    ({"a": np.zeros(1)}, [("a", "FP64", "np")]),
    ({"a": ["t"]}, [("a", "BYTES", "str")]),
    ({}, []),
    ((np.zeros(1), ["a"]), [("output-0", "FP64", "np"), ("output-1", "BYTES", "str")]),
    ((["a"], np.zeros(1)), [("output-0", "BYTES", "str"), ("output-1", "FP64", "np")]),
    (np.zeros(2, np.float32), [("output-0", "FP32", "np")]),
    (np.array(["a"], object), [("output-0", "BYTES", "np")]),
    (np.float32(1.0), None),
    (pd.DataFrame({"a": [1]}), [("a", "INT64", "")]),
    ("a", None),
    (None, None),
)


@given(st.lists(st.sampled_from(range(len(VALUES))), max_size=20))
def test_what_becomes_of_a_result_does_not_depend_on_earlier_ones(order: list[int]) -> None:
    """Nor does it on results of the same type: the elements choose the codec."""
    signature = plan()
    for index in order:
        value, expected = VALUES[index]
        if expected is None:
            with pytest.raises(InferenceError, match="expected a value that a codec encodes"):
                signature.respond(value, "m", "1")
            continue
        outputs = signature.respond(value, "m", "1").outputs

        assert [(each.name, each.datatype, each.parameters.content_type or "") for each in outputs] == expected
