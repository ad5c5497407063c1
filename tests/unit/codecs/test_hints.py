"""What a type hint means."""

import dataclasses
import sys
import types
import typing
from collections.abc import Callable
from datetime import datetime
from typing import (  # noqa: UP035  # the old spellings work too
    Annotated,
    Any,
    Dict,
    List,
    Literal,
    Optional,
    Tuple,
    Union,
    cast,
)

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from srv_codecs._hints import find_hint, known_hints
from srv_codecs._results import (
    NoResult,
    OneResult,
    ResponseResult,
    TupleResult,
    UnhintedResult,
    find_result,
)
from srv_codecs._type_hints import canonical, resolve_hints, show, take_apart
from srv_codecs._value_hints import DictHint, TableHint, TensorHint
from srv_codecs.content_types import InputCodec, RequestCodec, input_codecs, request_codecs
from srv_codecs.hints import Output
from srv_protocol.errors import CodecError, CodecNotFound, InferenceError
from srv_protocol.inference import InferInputTensor, ModelInferResponse

SPELLINGS: dict[str, tuple[Any, str]] = {
    "np.ndarray": (np.ndarray, "NumpyCodec"),
    "NDArray": (NDArray[np.float32], "NumpyCodec"),
    "ndarray[Any, dtype]": (np.ndarray[Any, np.dtype[np.float32]], "NumpyCodec"),
    "list[str]": (list[str], "StringCodec"),
    "List[str]": (List[str], "StringCodec"),  # noqa: UP006
    "list[bytes]": (list[bytes], "Base64Codec"),
    "List[bytes]": (List[bytes], "Base64Codec"),  # noqa: UP006
    "list[datetime]": (list[datetime], "DatetimeCodec"),
    "List[datetime]": (List[datetime], "DatetimeCodec"),  # noqa: UP006
    "list[str | datetime]": (list[str | datetime], "DatetimeCodec"),
    "list[datetime | str]": (list[datetime | str], "DatetimeCodec"),
    "List[Union[str, datetime]]": (List[Union[str, datetime]], "DatetimeCodec"),  # noqa: UP006, UP007
    "List[Annotated[str, ...]]": (List[Annotated[str, "UTF-8"]], "StringCodec"),  # noqa: UP006
    "pa.Array": (pa.Array, "ArrowCodec"),
    "pa.RecordBatch": (pa.RecordBatch, "ArrowBatchCodec"),
    "pa.Table": (pa.Table, "ArrowTableCodec"),
    "pd.DataFrame": (pd.DataFrame, "PandasCodec"),
}


@pytest.mark.parametrize(("hint", "codec"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_hint_chooses_a_codec(hint: Any, codec: str) -> None:
    found = find_hint(hint, "f(): argument 'x'")
    assert not isinstance(found, DictHint)
    assert found.codec.__name__ == codec


TABLES = {"PandasCodec", "ArrowBatchCodec", "ArrowTableCodec"}


@pytest.mark.parametrize(("hint", "codec"), SPELLINGS.values(), ids=SPELLINGS)
def test_tables_are_hints_for_many_tensors_and_the_others_for_one(hint: Any, codec: str) -> None:
    assert isinstance(find_hint(hint, ""), TableHint if codec in TABLES else TensorHint)


SURROUNDED: dict[str, Any] = {
    "X | None": list[str] | None,
    "None | X": None | list[str],
    "Optional[X]": Optional[List[str]],  # noqa: UP006, UP045
    "Union[None, X]": Union[None, List[str]],  # noqa: UP006, UP007
    "Annotated[X | None, ...]": Annotated[list[str] | None, "note"],
    "Annotated[X, ...] | None": Optional[Annotated[list[str], "note"]],  # noqa: UP045
    "Annotated in Annotated": Annotated[Optional[Annotated[list[str], "a"]], "b"],  # noqa: UP045
}


@pytest.mark.parametrize("hint", SURROUNDED.values(), ids=SURROUNDED)
def test_what_surrounds_a_hint_is_taken_off(hint: Any) -> None:
    assert canonical(take_apart(hint).core) == list[str]
    assert take_apart(hint).optional


def test_an_output_among_the_annotations_is_a_name() -> None:
    assert take_apart(Annotated[list[str], "note", Output("a")]).output == "a"
    assert take_apart(Annotated[Annotated[list[str], Output("inner")] | None, "note"]).output == "inner"
    assert take_apart(list[str]).output is None


DATATYPES: dict[str, tuple[Any, set[str] | None]] = {
    "float32": (np.float32, {"FP32"}),
    "float64": (np.float64, {"FP64"}),
    "float16": (np.float16, {"FP16"}),
    "bool": (np.bool_, {"BOOL"}),
    "uint8": (np.uint8, {"UINT8"}),
    "longlong": (np.longlong, {"INT64"}),
    "object": (np.object_, {"BYTES"}),
    "floating": (np.floating, {"FP16", "FP32", "FP64"}),
    "floating of any precision": (np.floating[Any], {"FP16", "FP32", "FP64"}),
    "unsignedinteger": (np.unsignedinteger, {"UINT8", "UINT16", "UINT32", "UINT64"}),
    "number": (np.number, {f"{s}INT{n}" for s in ("", "U") for n in (8, 16, 32, 64)} | {"FP16", "FP32", "FP64"}),
    "generic": (np.generic, None),
    "Any": (Any, None),
}


@pytest.mark.parametrize(("scalar", "datatypes"), DATATYPES.values(), ids=DATATYPES)
def test_the_dtype_of_an_array_hint_says_which_datatypes_fit(scalar: Any, datatypes: set[str] | None) -> None:
    hint = find_hint(np.ndarray[Any, np.dtype[scalar]], "")
    assert isinstance(hint, TensorHint)
    assert hint.datatypes == datatypes


def test_a_scalar_type_may_have_an_argument() -> None:
    assert find_hint(np.integer[Any], "") == dataclasses.replace(
        cast("TensorHint", find_hint(np.integer, "")), text="numpy.integer[Any]"
    )


def test_an_array_hint_without_a_dtype_fits_any() -> None:
    for hint in (np.ndarray, np.ndarray[Any, Any], NDArray[Any]):
        found = find_hint(hint, "")
        assert isinstance(found, TensorHint)
        assert found.datatypes is None


SIZES: dict[str, tuple[Any, tuple[int, ...] | None]] = {
    "two": (tuple[int, int], (-1, -1)),
    "sizes": (tuple[Literal[2], int, Literal[0]], (2, -1, 0)),
    "any size": (tuple[Any, int], (-1, -1)),
    "none": (tuple[()], ()),
    "any rank": (tuple[int, ...], None),
    "Any": (Any, None),
}


@pytest.mark.parametrize(("shape", "sizes"), SIZES.values(), ids=SIZES)
def test_the_shape_of_an_array_hint_is_its_rank_and_sizes(shape: Any, sizes: tuple[int, ...] | None) -> None:
    found = find_hint(np.ndarray[shape, np.dtype[np.float32]], "")
    assert isinstance(found, TensorHint)
    assert found.datatypes == frozenset({"FP32"})
    assert found.sizes == sizes


@pytest.mark.parametrize(
    ("sizes", "shape", "fits"),
    [
        ((-1, 4), (3, 4), True),
        ((-1, 4), (0, 4), True),
        ((-1, 4), (4, 3), False),
        ((-1, 4), (4,), False),
        ((-1,), (3, 1), False),
        ((), (), True),
        ((), (1,), False),
    ],
)
def test_the_shape_is_checked_both_ways(sizes: tuple[int, ...], shape: tuple[int, ...], fits: bool) -> None:
    literal: Any = Literal
    shaped: Any = types.GenericAlias(tuple, tuple(int if size < 0 else literal[size] for size in sizes))
    hint = find_hint(np.ndarray[shaped, np.dtype[Any]], "")
    assert isinstance(hint, TensorHint)
    array = np.zeros(shape)
    tensor = InferInputTensor("x", "FP64", list(shape), data=array)
    if fits:
        assert hint.decode(tensor) is array or array.shape == shape
        assert hint.encode("y", array)[0].data.array is array
        return
    text = f"expected shape {list(sizes)}, got {list(shape)}"
    with pytest.raises(CodecError) as decoding:
        hint.decode(tensor)
    assert str(decoding.value) == f"input 'x': {text}"
    with pytest.raises(InferenceError) as encoding:
        hint.encode("y", array)
    assert str(encoding.value) == f"output 'y': {text}"


def test_the_known_hints_are_one_sorted_list_without_repetitions() -> None:
    known = known_hints()
    assert known == sorted(set(known))
    expected = {"Headers", "NDArray[numpy.float32]", "bool", "bytes", "datetime.datetime", "dict[str, numpy.ndarray]"}
    assert expected | {"float", "list[int]", "list[str]", "numpy.float32", "pandas.Series", "pyarrow.Table"} <= {*known}


def test_hints_with_arguments_that_are_no_class_of_numpys_are_errors() -> None:
    with pytest.raises(CodecNotFound, match=r"^here: .*expected dimensions that are int or Literal\[4\], got str$"):
        find_hint(np.ndarray[tuple[int, str], np.dtype[np.float32]], "here")  # type: ignore[type-var]  # pyright: ignore[reportInvalidTypeArguments]
    with pytest.raises(CodecNotFound, match=r"^here: expected names that are text, .*, got dict\[int"):
        find_hint(dict[int, np.ndarray], "here")
    with pytest.raises(CodecNotFound, match=r"^here: expected a hint of one tensor in dict\[str, …\], got dict\[str"):
        find_hint(dict[str, dict[str, int]], "here")


UNKNOWN: dict[str, tuple[Any, str]] = {
    "class": (set, "no codec for the type hint set; there are Headers, InferenceRequest, NDArray[numpy.float32]"),
    "bare list": (list, "no codec for the type hint list;"),
    "bare List": (List, "no codec for the type hint List;"),  # noqa: UP006
    "bytearray": (bytearray, "no codec for the type hint bytearray;"),
    "unhashable": ([str], "no codec for the type hint [<class 'str'>];"),
    "union": (list[str] | np.ndarray, "no codec for the type hint list[str] | numpy.ndarray;"),
    "number": (5, "no codec for the type hint 5;"),
    "complex number": (np.complex64, "no V2 datatype carries numpy dtype complex64"),
    "duration": (np.timedelta64, "no V2 datatype carries numpy dtype timedelta64"),
    "complex array": (NDArray[np.complex64], "no V2 datatype carries numpy dtype complex64"),
    "complex numbers": (NDArray[np.complexfloating[Any]], "no V2 datatype is numpy.complexfloating"),
    "array of structures": (NDArray[np.void], "no V2 datatype is numpy.void"),
    "complex scalar": (np.complexfloating, "numpy.complexfloating: no V2 datatype is numpy.complexfloating"),
    "array of text": (
        NDArray[np.str_],
        "is not served, since BYTES tensors are object arrays; use np.ndarray,",
    ),
    "array of bytes": (NDArray[np.bytes_], "is not served, since BYTES tensors are object arrays"),
    # numpy itself would make arrays of objects of these.
    "array of several types": (cast("Any", NDArray)[np.float32 | np.int64], "expected one type of numpy's, got numpy."),
    "array of a class": (cast("Any", NDArray)[TensorHint], "expected one type of numpy's, got "),
    "dict of one name": (dict[str, Annotated[str, Output("y")]], "Output('y') names one output, but dict[str, "),
}


@pytest.mark.parametrize(("hint", "text"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_hint_is_an_error_that_names_it_and_the_known_ones(hint: Any, text: str) -> None:
    with pytest.raises(CodecNotFound) as caught:
        find_hint(take_apart(hint).core, "f(): argument 'x'")
    assert str(caught.value).startswith("f(): argument 'x': ")
    assert text in str(caught.value)


def test_the_hints_of_registered_codecs_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    class Sound: ...

    class SoundCodec(InputCodec[Sound]):
        ContentType = "sound"
        TypeHint = Sound

    class SoundsCodec(RequestCodec[list[Sound]]):
        ContentType = "sounds"
        TypeHint = List[Sound]  # noqa: UP006

    class PlayedCodec(InputCodec[dict[str, Sound]]):
        ContentType = "played"
        TypeHint = dict[str, Sound]

    added = {"sound": SoundCodec, "played": PlayedCodec}
    monkeypatch.setattr(input_codecs, "_codecs", {**input_codecs._codecs, **added})
    monkeypatch.setattr(request_codecs, "_codecs", {**request_codecs._codecs, "sounds": SoundsCodec})
    assert find_hint(Sound, "") == TensorHint(show(Sound), SoundCodec)
    assert find_hint(list[Sound], "") == TableHint(show(list[Sound]), SoundsCodec)
    result = find_result(Dict[str, Sound], "")  # noqa: UP006
    assert isinstance(result, OneResult)
    assert result.hint == find_hint(Dict[str, Sound], "")  # noqa: UP006


RESULTS: dict[str, tuple[Any, type]] = {
    "one": (np.ndarray, OneResult),
    "optional": (np.ndarray | None, OneResult),
    "tuple": (tuple[np.ndarray, list[str]], TupleResult),
    "Tuple": (Tuple[np.ndarray, List[str]], TupleResult),  # noqa: UP006
    "optional tuple": (Optional[Tuple[np.ndarray]], TupleResult),  # noqa: UP006, UP045
    "dict": (dict[str, np.ndarray], OneResult),
    "Dict": (Dict[str, NDArray[np.float32]], OneResult),  # noqa: UP006
    "response": (ModelInferResponse, ResponseResult),
    "None": (type(None), NoResult),
}


@pytest.mark.parametrize(("hint", "kind"), RESULTS.values(), ids=RESULTS)
def test_a_return_hint_chooses_what_becomes_of_a_result(hint: Any, kind: type) -> None:
    assert type(find_result(hint, "f(): the return hint")) is kind


WRONG_RESULTS: dict[str, tuple[Any, str]] = {
    "unknown": (set, "no codec for the type hint set"),
    "unknown in a tuple": (tuple[np.ndarray, set[int]], "no codec for the type hint set[int]"),
    "unknown in a dict": (dict[str, set[int]], "no codec for the type hint set[int]"),
    "dict of numbers": (dict[int, np.ndarray], "expected names that are text, as in dict[str, …], got dict[int"),
    "tuple of any length": (tuple[np.ndarray, ...], "does not say how many outputs there are; use a dict"),
    "bare dict": (Dict, "no codec for the type hint Dict"),  # noqa: UP006
    "bare tuple": (tuple, "no codec for the type hint tuple"),
    "empty tuple": (tuple[()], "does not say how many outputs there are"),
    "a name twice": (
        tuple[Annotated[np.ndarray, Output("a")], Annotated[list[str], Output("a")]],
        "expected outputs of different names, got a, a",
    ),
    "a name of a number": (
        tuple[np.ndarray, Annotated[list[str], Output("output-0")]],
        "expected outputs of different names, got output-0, output-0",
    ),
    "a name for a table": (Annotated[pd.DataFrame, Output("a")], "Output('a') names one output, but"),
}


@pytest.mark.parametrize(("hint", "text"), WRONG_RESULTS.values(), ids=WRONG_RESULTS)
def test_a_return_hint_that_says_nothing_is_an_error(hint: Any, text: str) -> None:
    with pytest.raises(CodecNotFound) as caught:
        find_result(hint, "f(): the return hint")
    assert str(caught.value).startswith("f(): the return hint: ")
    assert text in str(caught.value)


def hinted(**hints: Any) -> Callable[..., object]:
    """Return a function that has these hints; ``returns`` is that of its result."""

    def function() -> None: ...

    returns = {"return": hints.pop("returns")} if "returns" in hints else {}
    function.__annotations__ = {**hints, **returns}
    return function


def test_hints_that_are_strings_are_evaluated() -> None:
    function = hinted(a="np.ndarray", b="List['np.ndarray']", c='list["str"]', returns="tuple[np.ndarray, 'str']")
    assert resolve_hints(function) == {
        "a": np.ndarray,
        "b": List[np.ndarray],  # noqa: UP006
        "c": list[str],
        "return": tuple[np.ndarray, str],
    }


@pytest.mark.parametrize("hint", [(np.ndarray, "str"), "(np.ndarray, str)", "(np.ndarray, 'str')"])
def test_a_return_hint_may_be_a_tuple_of_hints(hint: Any) -> None:
    assert resolve_hints(hinted(returns=hint)) == {"return": tuple[np.ndarray, str]}


def test_a_hint_that_fails_otherwise_is_an_error_that_names_it() -> None:
    with pytest.raises(CodecNotFound, match=r"argument 'x': the type hint 1 / 0 cannot be resolved: division by zero$"):
        resolve_hints(hinted(x="1 / 0"))


def test_a_name_that_is_unknown_at_run_time_is_an_error_that_tells_why() -> None:
    function = hinted(x="Unknown")
    with pytest.raises(CodecNotFound) as caught:
        resolve_hints(function)
    assert str(caught.value).endswith(
        "function(): argument 'x': the type hint Unknown cannot be resolved: name 'Unknown' is not defined; "
        "it must be a name of the module, imported outside of `if TYPE_CHECKING:`"
    )


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type statements are of Python 3.12")
def test_a_type_alias_is_what_it_stands_for() -> None:
    alias: Any = getattr(typing, "TypeAliasType")  # noqa: B009  # not in 3.11
    item: Any = typing.TypeVar("item")  # type: ignore[misc]
    assert canonical(alias("Texts", list[str])) == list[str]
    assert take_apart(alias("Maybe", list[str] | None)).optional
    assert canonical(alias("Items", list[item], type_params=(item,))[str]) == list[str]


def test_hints_are_shown_as_people_write_them() -> None:
    assert show(np.ndarray) == "numpy.ndarray"
    assert show(types.GenericAlias(list, (str,))) == "list[str]"
    assert show(List[str]) == "List[str]"  # noqa: UP006
    assert show(pd.DataFrame) == "pandas.DataFrame"
    assert show(pa.Table) == "pyarrow.Table"


def test_no_hint_is_a_hint_of_its_own() -> None:
    assert UnhintedResult().encode(ModelInferResponse("m")) == ModelInferResponse("m")
