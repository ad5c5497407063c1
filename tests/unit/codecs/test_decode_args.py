"""A typed ``predict``."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, List, Optional, Tuple, Union, cast  # noqa: UP035  # the old spellings work too

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from srv_codecs._hints import known_hints
from srv_codecs.content_types import InputCodec
from srv_codecs.hints import Output, decode_args, signature_of
from srv_protocol.errors import CodecError, CodecNotFound, InferenceError, InputsNotFound
from srv_protocol.inference import (
    Headers,
    InferInputTensor,
    InferOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
    Parameters,
)

FLOATS = np.array([1.5, 2.5], np.float32)


def request(**inputs: Any) -> ModelInferRequest:
    """Return a request with an input for each value: an array, a list of text, or a tensor as it is."""
    return ModelInferRequest("asked", "7", inputs=[tensor(name, value) for name, value in inputs.items()])


def tensor(name: str, value: Any) -> InferInputTensor:
    if isinstance(value, InferInputTensor):
        value.name = name
        return value
    if isinstance(value, list):
        texts = cast("list[object]", value)
        return InferInputTensor(name, "BYTES", [len(texts)], data=texts)
    names = {"float32": "FP32", "float64": "FP64", "int64": "INT64", "bool": "BOOL", "object": "BYTES"}
    return InferInputTensor(name, names[value.dtype.name], list(value.shape), data=value)


def call(predict: Callable[..., Any], payload: ModelInferRequest) -> Any:
    """Return what a method that is decorated here and now gives for a request."""
    return decode_args(predict)(object(), payload)


def returned(value: Any, hint: Any = inspect.Parameter.empty) -> list[InferOutputTensor]:
    """Return the outputs of a runtime that returns `value` and has `hint` for it."""

    def predict(self: object) -> Any:
        del self
        return value

    if hint is inspect.Parameter.empty:
        del predict.__annotations__["return"]
    else:
        predict.__annotations__["return"] = hint
    response = call(predict, request())
    assert isinstance(response, ModelInferResponse)
    return response.outputs


class Model:
    name = "model"
    version: str | None = "3"

    @decode_args
    async def predict(self, question: list[str], x: np.ndarray) -> np.ndarray:
        """Answer."""
        assert question == ["a"]
        return x

    @decode_args
    def predict_at_once(self, x: np.ndarray) -> np.ndarray:
        return x


def test_async_and_plain_methods_stay_what_they_are() -> None:
    model = Model()
    assert inspect.iscoroutinefunction(model.predict)
    assert not inspect.iscoroutinefunction(model.predict_at_once)
    response = asyncio.run(model.predict(request(question=["a"], x=FLOATS)))
    assert response.outputs[0].data.array is FLOATS or np.shares_memory(np.asarray(response.outputs[0].data), FLOATS)
    assert model.predict_at_once(request(x=FLOATS)).outputs == response.outputs


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain wrapper of a function that may be a coroutine's: decorators are often written so."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


async def answer(self: object, x: np.ndarray) -> np.ndarray:
    del self
    return x


async def answer_items(self: object, x: np.ndarray) -> AsyncIterator[np.ndarray]:
    del self
    yield x


@pytest.mark.parametrize("first", [logged, decode_args], ids=["below", "above"])
def test_a_plain_decorator_may_surround_an_asynchronous_method(first: Callable[..., Any]) -> None:
    second: Callable[..., Any] = decode_args if first is logged else logged

    def decorate(function: Callable[..., Any]) -> Any:
        return second(first(function))

    async def items() -> list[ModelInferResponse]:
        async def payloads() -> AsyncIterator[ModelInferRequest]:
            yield request(x=FLOATS)

        return [each async for each in decorate(answer_items)(object(), payloads())]

    async def one() -> ModelInferResponse:
        response: ModelInferResponse = await decorate(answer)(object(), request(x=FLOATS))
        return response

    for response in (asyncio.run(one()), *asyncio.run(items())):
        assert [(each.name, each.datatype) for each in response.outputs] == [("output-0", "FP32")]


def test_an_argument_may_have_any_name() -> None:
    class Models:
        @decode_args
        def predict(self, model: str, predict: str, payload: str, signature: str) -> str:
            return model + predict + payload + signature

    assert Models().predict(model="a", predict="b", payload="c", signature="d") == "abcd"


def test_the_function_is_wrapped() -> None:
    assert Model.predict.__doc__ == "Answer."
    assert list(inspect.signature(Model.predict).parameters) == ["self", "question", "x"]


def test_the_response_is_the_models() -> None:
    response = Model().predict_at_once(request(x=FLOATS))
    assert (response.model_name, response.model_version) == ("model", "3")
    bare = call(lambda_without_hints, request(x=FLOATS))
    assert (bare.model_name, bare.model_version) == ("asked", "7")


def lambda_without_hints(self: object, x: np.ndarray) -> np.ndarray:
    del self
    return x


def test_arrays_go_in_and_out_without_a_copy() -> None:
    seen: list[Any] = []

    def predict(self: object, x: np.ndarray) -> np.ndarray:
        del self
        seen.append(x)
        return x

    (output,) = call(predict, request(x=FLOATS)).outputs
    assert np.shares_memory(seen[0], FLOATS)
    assert np.shares_memory(np.asarray(output.data), FLOATS)


def test_the_plan_can_be_inspected() -> None:
    signature = signature_of(Model.predict)
    assert signature is not None
    assert signature.input_names == ("question", "x")
    assert not signature.takes_rest
    assert Model.predict.__srv_signature__ is signature  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    assert signature_of(Model.__init__) is None


# ---- Arguments


def test_hints_choose_what_arguments_are() -> None:
    def predict(
        self: object,
        texts: List[str],  # noqa: UP006
        files: list[bytes],
        times: List[Union[str, datetime]],  # noqa: UP006, UP007
        column: Any,
        floats: NDArray[np.float32],
        whole: ModelInferRequest,
        parameters: Parameters,
        headers: Headers,
    ) -> dict[str, np.ndarray]:
        del self
        assert texts == ["a"]
        assert files == [b"\xff\x00"]
        assert times == [datetime(2024, 1, 1, tzinfo=UTC)]
        assert isinstance(column, pa.Array)
        assert column.to_pylist() == [1.5, 2.5]
        assert whole is payload
        assert parameters["temperature"] == 0.5
        assert headers == {"x-id": "7"}
        return {"floats": floats}

    # The class is generic for checkers alone.
    predict.__annotations__["column"] = pa.Array
    payload = request(texts=["a"], files=["/wA="], times=["2024-01-01T00:00:00Z"], column=FLOATS, floats=FLOATS)
    payload.parameters = Parameters({"temperature": 0.5}, headers={"X-Id": "7"})
    assert [output.name for output in call(predict, payload).outputs] == ["floats"]


def test_headers_are_empty_where_there_are_none() -> None:
    def predict(self: object, headers: Headers) -> list[str]:
        del self
        return list(headers)

    assert call(predict, request()).outputs[0].shape == [0, 1]


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.RecordBatch, pa.Table])
def test_a_table_takes_every_input_that_no_other_argument_takes(kind: Any) -> None:
    def predict(self: object, rest: Any, x: np.ndarray) -> Any:
        del self
        assert isinstance(rest, kind)
        assert x.tolist() == [1.5, 2.5]
        return rest

    predict.__annotations__.update({"rest": kind, "return": kind})
    decorated: Any = decode_args(predict)
    assert (signature_of(decorated).input_names, signature_of(decorated).takes_rest) == (("x",), True)  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    outputs = decorated(object(), request(a=FLOATS, x=FLOATS, b=np.array([1, 2]))).outputs
    assert [(output.name, output.datatype, output.shape) for output in outputs] == [
        ("a", "FP32", [2, 1]),
        ("b", "INT64", [2, 1]),
    ]


def test_whoever_takes_the_whole_request_takes_every_input() -> None:
    def predict(self: object, x: np.ndarray, payload: ModelInferRequest) -> list[str]:
        del self, x
        return [tensor.name for tensor in payload.inputs]

    assert signature_of(decode_args(predict)).takes_rest  # type: ignore[union-attr]  # pyright: ignore[reportOptionalMemberAccess]
    assert call(predict, request(x=FLOATS, y=FLOATS)).outputs[0].data.root == [b"x", b"y"]


def test_a_dict_takes_every_input_that_no_other_argument_takes() -> None:
    """By name and in order; none are an empty dict, unless there is a default."""

    def predict(self: object, x: np.ndarray, rest: dict[str, list[float]]) -> dict[str, list[float]]:
        del self, x
        return rest

    def with_default(self: object, rest: dict[str, np.ndarray] | None) -> bool:
        del self
        return rest is None

    outputs = call(predict, request(b=FLOATS, x=FLOATS, a=FLOATS)).outputs
    assert [(each.name, each.data.root) for each in outputs] == [("b", [1.5, 2.5]), ("a", [1.5, 2.5])]
    assert call(predict, request(x=FLOATS)).outputs == []
    assert call(with_default, request()).outputs[0].data.root == [True]
    with pytest.raises(CodecError, match=r"^input 'b': expected .*, got INT64$"):
        call(predict, request(x=FLOATS, b=np.array([1])))


def test_a_series_is_a_column_of_its_inputs_name() -> None:
    def predict(self: object, x: Any) -> Any:
        del self
        assert (x.name, x.tolist()) == ("x", [1.5, 2.5])
        x[0] = 5.0
        return x

    predict.__annotations__.update({"x": pd.Series, "return": pd.Series})
    (output,) = call(predict, request(x=FLOATS)).outputs
    assert (output.name, output.datatype, output.data.root) == ("output-0", "FP32", [5.0, 2.5])
    assert FLOATS[0] == 1.5
    with pytest.raises(CodecError, match=r"^input 'x': expected one column"):
        call(predict, request(x=np.zeros((2, 2))))


def test_a_missing_input_is_the_default() -> None:
    def predict(
        self: object,
        a: Optional[np.ndarray],  # noqa: UP045
        b: np.ndarray | None,
        c: Union[None, List[str]],  # noqa: RUF036, UP006, UP007
        d: np.ndarray = None,  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
        e: Annotated[list[str], "note"] = ("default",),  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]
        f: pd.DataFrame | None = None,
        *,
        g: list[str] = ["by name"],  # noqa: B006
    ) -> list[str]:
        del self
        return [str(item) for item in (a, b, c, d, e, f, g)]

    assert call(predict, request()).outputs[0].data.root == [
        b"None",
        b"None",
        b"None",
        b"None",
        b"('default',)",
        b"None",
        b"['by name']",
    ]
    assert call(predict, request(g=["given"])).outputs[0].data.root[-1] == b"['given']"


def test_a_missing_input_is_an_error_that_names_those_there_are() -> None:
    with pytest.raises(InputsNotFound) as caught:
        asyncio.run(Model().predict(request(question=["a"], y=FLOATS)))
    assert str(caught.value) == "Input 'x' was not found. Available inputs are 'question', 'y'."
    with pytest.raises(InputsNotFound) as caught:
        Model().predict_at_once(request())
    assert str(caught.value) == "Input 'x' was not found. The request has no inputs."


def test_a_table_without_a_column_is_a_missing_input() -> None:
    def predict(self: object, x: np.ndarray, frame: pd.DataFrame) -> None:
        raise NotImplementedError

    with pytest.raises(InputsNotFound, match=r"^Input 'frame' was not found. Available inputs are 'x'.$"):
        call(predict, request(x=FLOATS))


def test_an_input_that_nothing_takes_is_an_error() -> None:
    with pytest.raises(InputsNotFound) as caught:
        Model().predict_at_once(request(x=FLOATS, zzz=FLOATS, yyy=FLOATS))
    assert str(caught.value) == "Input 'zzz', 'yyy' was not expected. Expected inputs are 'x'."

    def predict(self: object) -> None:
        raise NotImplementedError

    with pytest.raises(InputsNotFound, match=r"^Input 'x' was not expected. Expected inputs are none"):
        call(predict, request(x=FLOATS))


@pytest.mark.parametrize(
    ("hint", "value", "text"),
    [
        (NDArray[np.float32], np.zeros(1), "input 'x': expected FP32, got FP64"),
        (NDArray[np.floating], np.zeros(1, np.int64), "input 'x': expected FP16 or FP32 or FP64, got INT64"),
        (NDArray[np.object_], np.zeros(1, np.float32), "input 'x': expected BYTES, got FP32"),
        (list[str], FLOATS, "input 'x': expected BYTES, got FP32"),
        (list[bytes], ["!"], "input 'x': data[0]: expected base64"),
        (list[datetime], ["soon"], "input 'x': data[0]: expected an ISO 8601"),
        (pa.Array, np.zeros((2, 2)), "input 'x': expected one column"),
        (pd.DataFrame, np.zeros((2, 2)), "input 'x': expected one column"),
    ],
)
def test_an_input_that_does_not_fit_its_hint_is_an_error(hint: Any, value: Any, text: str) -> None:
    def predict(self: object, x: Any) -> None:
        raise NotImplementedError

    predict.__annotations__["x"] = hint
    with pytest.raises(CodecError) as caught:
        call(predict, request(x=value))
    assert str(caught.value).startswith(text)


# ---- Decoration


def no_hint(self: object, x: np.ndarray) -> np.ndarray: ...  # type: ignore[empty-body]


# A checker would have it otherwise.
del no_hint.__annotations__["x"]


def unknown_hint(self: object, x: set[str]) -> np.ndarray: ...  # type: ignore[empty-body]


def unknown_result(self: object, x: np.ndarray) -> set[str]: ...  # type: ignore[empty-body]


def many(self: object, *xs: np.ndarray) -> np.ndarray: ...  # type: ignore[empty-body]


def named(self: object, **xs: np.ndarray) -> np.ndarray: ...  # type: ignore[empty-body]


def positional(self: object, x: np.ndarray, /) -> np.ndarray: ...  # type: ignore[empty-body]


def two_tables(self: object, a: pd.DataFrame, b: pa.Table) -> np.ndarray: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (no_hint, "no_hint(): argument 'x': expected a type hint, got none"),
        (unknown_hint, "unknown_hint(): argument 'x': no codec for the type hint set[str]; there are "),
        (unknown_result, "unknown_result(): the return hint: no codec for the type hint set[str]; there are "),
        (many, "many(): argument 'xs': expected an argument that has the name of an input, got *xs"),
        (named, "named(): argument 'xs': expected an argument that has the name of an input, got **xs"),
        (positional, "positional(): argument 'x': expected an argument that has the name of an input"),
        (two_tables, "two_tables(): argument 'b': every input without an argument goes to 'a' already"),
    ],
)
def test_a_signature_that_is_no_contract_fails_at_decoration(function: Callable[..., Any], text: str) -> None:
    with pytest.raises(CodecNotFound) as caught:
        decode_args(function)
    assert str(caught.value).startswith(text)


def no_model() -> np.ndarray: ...  # type: ignore[empty-body]


NO_METHODS: list[tuple[Any, str]] = [
    (staticmethod(no_hint), "decode_args: expected a function, got staticmethod; write it next to the `def`"),
    (classmethod(no_hint), "decode_args: expected a function, got classmethod; write it next to the `def`"),
    (functools.partial(no_hint), "decode_args: expected a function, got partial; write it next to the `def`"),
    (no_model, "no_model(): expected a method, whose first parameter is the model, got none"),
]


@pytest.mark.parametrize(
    ("function", "text"),
    NO_METHODS,
)
def test_what_is_no_method_fails_at_decoration(function: Any, text: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode_args(function)
    assert str(caught.value) == text


@pytest.mark.parametrize("function", [no_hint, unknown_hint, unknown_result])
def test_an_error_at_decoration_lists_the_hints_that_there_are(function: Callable[..., Any]) -> None:
    with pytest.raises(CodecNotFound) as caught:
        decode_args(function)
    assert str(caught.value).endswith(f"; there are {', '.join(known_hints())}")


# ---- Results


def test_one_value_is_the_first_output() -> None:
    (output,) = returned(["a"], list[str])
    assert output == InferOutputTensor("output-0", "BYTES", [1, 1], {"content_type": "str"}, data=[b"a"])


@pytest.mark.parametrize(
    "hint",
    [
        tuple[np.ndarray, list[str]],
        Tuple[np.ndarray, List[str]],  # noqa: UP006
        (np.ndarray, list[str]),
        Optional[tuple[NDArray[np.float32], list[str]]],  # noqa: UP045
    ],
    ids=["tuple", "Tuple", "(A, B)", "Optional"],
)
def test_a_tuple_is_one_output_for_each_member(hint: Any) -> None:
    outputs = returned((FLOATS, ["a"]), hint)
    assert [(output.name, output.datatype, output.shape) for output in outputs] == [
        ("output-0", "FP32", [2, 1]),
        ("output-1", "BYTES", [1, 1]),
    ]


def test_outputs_may_be_named() -> None:
    hint = tuple[Annotated[np.ndarray, Output("score")], list[str]]
    assert [output.name for output in returned((FLOATS, ["a"]), hint)] == ["score", "output-1"]
    assert [output.name for output in returned(FLOATS, Annotated[np.ndarray | None, Output("score")])] == ["score"]


def test_the_keys_of_a_dict_are_names() -> None:
    outputs = returned({"a": FLOATS, "b": FLOATS}, dict[str, np.ndarray])
    assert [output.name for output in outputs] == ["a", "b"]


def test_what_is_optional_may_be_left_out() -> None:
    assert returned(None, np.ndarray | None) == []
    assert returned(None, Optional[Tuple[np.ndarray, List[str]]]) == []  # noqa: UP006, UP045
    assert returned(None, dict[str, np.ndarray] | None) == []
    assert returned(None, ModelInferResponse | None) == []
    assert returned(None, None) == []
    outputs = returned((None, ["a"]), tuple[np.ndarray | None, list[str]])
    assert [output.name for output in outputs] == ["output-1"]


@pytest.mark.parametrize("hint", [ModelInferResponse, inspect.Parameter.empty])
def test_a_response_stays_as_it_is(hint: Any) -> None:
    response = ModelInferResponse("mine", "9", "5")

    def predict(self: object) -> Any:
        del self
        return response

    if hint is inspect.Parameter.empty:
        del predict.__annotations__["return"]
    else:
        predict.__annotations__["return"] = hint
    assert call(predict, request()) is response


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (FLOATS, [("output-0", "FP32")]),
        (["a"], [("output-0", "BYTES")]),
        ([b"a"], [("output-0", "BYTES")]),
        ([], [("output-0", "BYTES")]),
        ([datetime(2024, 1, 1, tzinfo=UTC)], [("output-0", "BYTES")]),
        ((FLOATS, ["a"]), [("output-0", "FP32"), ("output-1", "BYTES")]),
        ({"score": FLOATS}, [("score", "FP32")]),
        (pa.array([1]), [("output-0", "INT64")]),
        (pd.DataFrame({"c": [1.5]}), [("c", "FP64")]),
        (pa.Table.from_pydict({"c": [1.5]}), [("c", "FP64")]),
        (pa.RecordBatch.from_pydict({"c": [1.5]}), [("c", "FP64")]),
    ],
    ids=[
        "array",
        "text",
        "bytes",
        "nothing",
        "times",
        "tuple",
        "dict",
        "pa.Array",
        "DataFrame",
        "Table",
        "RecordBatch",
    ],
)
def test_without_a_hint_the_types_of_the_values_choose(value: Any, expected: list[tuple[str, str]]) -> None:
    assert [(output.name, output.datatype) for output in returned(value)] == expected


EMPTY = inspect.Parameter.empty
MISFITS: dict[str, tuple[Any, Any, str]] = {
    "a series that is none": (FLOATS, pd.Series, "output 'output-0': expected a pandas Series, got ndarray"),
    "another scalar": (np.float64(1), NDArray[np.float32], "output 'output-0': expected FP32, got FP64"),
    "nothing": (None, np.ndarray, "output 'output-0': expected numpy.ndarray, got None"),
    "nothing for a name": (None, Annotated[list[str], Output("a")], "output 'a': expected list[str], got None"),
    "nothing in a tuple": ((FLOATS, None), tuple[np.ndarray, list[str]], "output 'output-1': expected list[str], got"),
    "nothing for a dict": (
        None,
        dict[str, np.ndarray],
        "output 'output-0': expected dict[str, numpy.ndarray], got",
    ),
    "nothing in a dict": ({"a": None}, dict[str, list[str]], "output 'a': expected a list of str, got NoneType"),
    "nothing for a response": (None, ModelInferResponse, "the result: expected InferenceResponse, got None"),
    "nothing without a hint": (None, EMPTY, "output 'output-0': expected a value that a codec encodes, as there is no"),
    "something for nothing": (FLOATS, None, "the result: expected None, as the type hint says, got ndarray"),
    "a list for an array": ([1.0], np.ndarray, "output 'output-0': expected a numpy array, got list"),
    "an array for a list": (FLOATS, list[str], "output 'output-0': expected a list of str, got ndarray"),
    "an array for a frame": (FLOATS, pd.DataFrame, "output 'output-0': expected pandas.DataFrame, got ndarray"),
    "an array for a table": (FLOATS, pa.Table, "output 'output-0': expected pyarrow.Table, got ndarray"),
    "an array for a response": (FLOATS, ModelInferResponse, "the result: expected InferenceResponse, got ndarray"),
    "an array for a dict": (FLOATS, dict[str, np.ndarray], "output 'output-0': expected dict[str, numpy.ndarray], got"),
    "a number for a name": ({1: FLOATS}, dict[str, np.ndarray], "output 1: expected a name that is text, got int"),
    "another dtype": (np.zeros(1), NDArray[np.float32], "output 'output-0': expected FP32, got FP64"),
    "an unknown dtype": (np.zeros(1, complex), np.ndarray, "output 'output-0': no V2 datatype carries numpy dtype"),
    "a wrong element": (["a", 1], list[str], "output 'output-0': data[1]: expected str, got int"),
    "too few": ((FLOATS,), tuple[np.ndarray, list[str]], "output 'output-1': expected a tuple of 2 values, got 1"),
    "too many": ((FLOATS, FLOATS), tuple[np.ndarray], "output 'output-1': expected a tuple of 1 values, got 2"),
    "no tuple": (FLOATS, tuple[np.ndarray, list[str]], "output 'output-0': expected a tuple of 2 values, got ndarray"),
    "no codec": (
        5,
        EMPTY,
        "output 'output-0': expected a value that a codec encodes, as there is no",
    ),
    "a name twice": (
        (pd.DataFrame({"output-0": [1]}), FLOATS),
        tuple[pd.DataFrame, Annotated[np.ndarray, Output("output-0")]],
        "output 'output-0': expected outputs of different names",
    ),
}


@pytest.mark.parametrize(("value", "hint", "text"), MISFITS.values(), ids=MISFITS)
def test_a_result_that_does_not_fit_is_the_runtimes_fault(value: Any, hint: Any, text: str) -> None:
    with pytest.raises(InferenceError) as caught:
        returned(value, hint)
    assert str(caught.value).startswith(text)


def test_a_codec_of_ones_own_is_asked_whether_it_encodes_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    class Temperature(float): ...

    class TemperatureCodec(InputCodec[Temperature]):
        ContentType = "temperature"
        TypeHint = Temperature

        @classmethod
        def can_encode(cls, payload: object) -> bool:
            return isinstance(payload, Temperature)

        @classmethod
        def encode_output(cls, name: str, payload: Temperature) -> InferOutputTensor:
            return InferOutputTensor(name, "FP64", [1], data=[float(payload)])

        @classmethod
        def decode_input(cls, request_input: InferInputTensor) -> Temperature:
            return Temperature(np.asarray(request_input.data)[0])

    from srv_codecs.content_types import input_codecs

    monkeypatch.setattr(input_codecs, "_codecs", {**input_codecs._codecs, "temperature": TemperatureCodec})

    def predict(self: object, x: Temperature) -> Temperature:
        del self
        return x

    assert call(predict, request(x=FLOATS)).outputs[0].data.root == [1.5]
    with pytest.raises(InferenceError, match=r"^output 'output-0': expected .*Temperature, got int$"):
        returned(5, Temperature)

    def forget(name: str, payload: object) -> None:
        del name, payload

    monkeypatch.setattr(TemperatureCodec, "encode_output", forget)
    with pytest.raises(
        InferenceError, match=r"^output 'output-0': expected a ResponseOutput from .*TemperatureCodec, got None$"
    ):
        returned(Temperature(5), Temperature)


def test_a_signature_implies_inputs() -> None:
    """Datatypes where hint and codec leave no others, and which inputs may be left out."""

    @decode_args
    def predict(  # type: ignore[empty-body]  # its signature alone counts
        self: object,
        text: list[str],
        when: list[datetime],
        blobs: list[bytes] | None,
        x: NDArray[np.float32],
        any_float: NDArray[np.floating],
        any_array: np.ndarray,
        headers: Headers,
        rest: pd.DataFrame,
        threshold: np.ndarray = FLOATS,
    ) -> np.ndarray: ...

    signature = signature_of(predict)
    assert signature is not None
    implied = {each.name: each for each in signature.implied_inputs}

    assert {name: each.datatype for name, each in implied.items()} == {
        "text": "BYTES",
        "when": "BYTES",
        "blobs": "BYTES",
        "x": "FP32",
        "any_float": None,
        "any_array": None,
        "threshold": None,
    }
    assert sorted(implied["any_float"].datatypes or ()) == ["FP16", "FP32", "FP64"]
    assert implied["any_array"].datatypes is None
    assert [name for name, each in implied.items() if each.optional] == ["blobs", "threshold"]
