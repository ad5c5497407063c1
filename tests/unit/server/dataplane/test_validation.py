from __future__ import annotations

import re

import numpy as np  # noqa: TC002  # decode_args resolves the hints
import pyarrow as pa  # noqa: TC002  # as above
import pytest
from numpy.typing import NDArray  # noqa: TC002  # as above

from srv import MLModel, ModelSettings, decode_args
from srv.dataplane._validation import Wanted, check_inputs, check_outputs, check_requested, finish_response
from srv.errors import InferenceError, InputsNotFound, InvalidInput, OutputNotFound, SrvError
from srv.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataTensor,
    Parameters,
    RequestInput,
    RequestOutput,
    ResponseOutput,
)
from srv_codecs.hints import signature_of

DECLARED = [
    MetadataTensor(name="a", datatype="INT32", shape=[-1, 16]),
    MetadataTensor(name="b", datatype="FP32", shape=[2]),
]


def tensor(name: str, datatype: str, shape: list[int]) -> RequestInput:
    return RequestInput(name=name, datatype=datatype, shape=shape)


def check(request: InferenceRequest, model: MLModel) -> None:
    check_inputs(request, model, signature_of(type(model).predict))


def declaring(inputs: list[MetadataTensor], size: int = 0, time: float = 0.0) -> MLModel:
    settings = ModelSettings(name="m", implementation=MLModel, inputs=inputs, max_batch_size=size, max_batch_time=time)
    return MLModel(settings)


A, B = tensor("a", "INT32", [3, 16]), tensor("b", "FP32", [2])


@pytest.mark.parametrize(
    ("inputs", "error", "text"),
    [
        ([A, A], InvalidInput, "inputs[1]: input 'a' already exists in request"),
        (
            [A],
            InputsNotFound,
            (
                "expected 2 inputs but got 1 inputs for model 'm'. Got input(s) ['a'], but missing required input(s) "
                "['b']. Please provide all required input(s)."
            ),
        ),
        (
            [A, B, tensor("c", "FP32", [1])],
            InputsNotFound,
            "inputs[2]: unexpected inference input 'c' for model 'm'",
        ),
        (
            [tensor("a", "FP32", [3, 16]), B],
            InvalidInput,
            "inputs[0].datatype: inference input 'a' data-type is 'FP32', but model 'm' expects 'INT32'",
        ),
        (
            [A, tensor("b", "FP32", [3])],
            InvalidInput,
            "inputs[1].shape: unexpected shape for input 'b' for model 'm'. Expected [2], got [3].",
        ),
        (
            [tensor("a", "INT32", [16]), B],
            InvalidInput,
            "inputs[0].shape: unexpected shape for input 'a' for model 'm'. Expected [-1,16], got [16].",
        ),
    ],
    ids=["twice", "missing", "unexpected", "datatype", "size", "rank"],
)
def test_an_input_that_does_not_fit_the_metadata_is_named(
    inputs: list[RequestInput], error: type[SrvError], text: str
) -> None:
    request = InferenceRequest(model_name="m", inputs=inputs)

    with pytest.raises(error) as raised:
        check(request, declaring(DECLARED))

    assert str(raised.value) == text


def test_inputs_that_fit_the_metadata_pass_in_any_order() -> None:
    check(InferenceRequest(model_name="m", inputs=[B, A]), declaring(DECLARED))


def test_a_model_without_metadata_takes_any_inputs() -> None:
    check(InferenceRequest(model_name="m", inputs=[tensor("x", "BYTES", [1])]), declaring([]))


@pytest.mark.parametrize(
    ("shape", "content_type", "given", "fits"),
    [
        ([-1, 1], "str", [3], True),
        ([-1, 1], "str", [3, 1], True),
        ([-1, 1], None, [3], False),
        ([-1, 2], "np", [3], False),
        ([-1, 1], "np", [], False),
        ([-1], "np", [3, 1], False),
    ],
)
def test_a_column_with_a_content_type_needs_no_second_dimension(
    shape: list[int], content_type: str | None, given: list[int], fits: bool
) -> None:
    """As MLServer's runtime for MLflow declares columns, and its documentation sends them."""
    parameters = Parameters() if content_type is None else Parameters(content_type=content_type)
    declared = declaring([MetadataTensor("a", "BYTES", shape, parameters)])
    request = InferenceRequest(model_name="m", inputs=[tensor("a", "BYTES", given)])

    if fits:
        check(request, declared)
        return
    with pytest.raises(InvalidInput, match="unexpected shape for input 'a'"):
        check(request, declared)


BATCHED = [MetadataTensor(name="a", datatype="FP32", shape=[-1, 2]), MetadataTensor("b", "FP32", [-1, 3])]


def test_a_batch_is_no_larger_than_the_model_says_and_the_same_for_all_inputs() -> None:
    def request(a: int, b: int) -> InferenceRequest:
        return InferenceRequest(model_name="m", inputs=[tensor("a", "FP32", [a, 2]), tensor("b", "FP32", [b, 3])])

    check(request(8, 8), declaring(BATCHED, 8))
    check(request(0, 0), declaring(BATCHED, 8))
    with pytest.raises(InvalidInput, match="inference request batch-size must be <= 8 for 'm', got 9"):
        check(request(9, 9), declaring(BATCHED, 8))
    with pytest.raises(InvalidInput, match="input 'b' batch size does not match other inputs for 'm': expected 8"):
        check(request(8, 7), declaring(BATCHED, 8))


def test_a_model_that_gathers_batches_by_time_counts_requests_and_takes_any_batch() -> None:
    given = [tensor("a", "FP32", [9, 2]), tensor("b", "FP32", [9, 3])]

    check(InferenceRequest(model_name="m", inputs=given), declaring(BATCHED, 8, 0.1))


class Optional(MLModel):
    @decode_args
    async def predict(self, a: np.ndarray, b: np.ndarray | None) -> np.ndarray:
        return a if b is None else b


def test_an_input_that_the_signature_makes_optional_may_miss() -> None:
    model = Optional(ModelSettings(name="m", implementation=Optional, inputs=DECLARED))

    check(InferenceRequest(model_name="m", inputs=[A]), model)
    with pytest.raises(InputsNotFound, match=r"missing required input\(s\) \['a'\]"):
        check(InferenceRequest(model_name="m", inputs=[B]), model)


class Typed(MLModel):
    @decode_args
    async def predict(self, a: NDArray[np.floating], text: list[str] | None) -> np.ndarray:
        del text
        return a


class Rest(MLModel):
    @decode_args
    async def predict(self, a: np.ndarray, frame: pa.Table | None) -> np.ndarray:
        del frame
        return a


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ([], "missing required input(s) ['a']"),
        ([tensor("a", "INT8", [1])], "data-type is 'INT8', but model 'm' expects 'FP16' or 'FP32' or 'FP64'"),
        ([B, A], "inputs[0]: unexpected inference input 'b' for model 'm'"),
        ([tensor("a", "FP32", [1]), tensor("text", "FP32", [1])], "but model 'm' expects 'BYTES'"),
    ],
)
def test_what_a_signature_implies_is_checked_like_metadata(inputs: list[RequestInput], text: str) -> None:
    model = Typed(ModelSettings(name="m", implementation=Typed))

    with pytest.raises(InvalidInput, match=re.escape(text)):
        check(InferenceRequest(model_name="m", inputs=inputs), model)


def test_a_signature_that_takes_the_rest_takes_any_other_input() -> None:
    model = Rest(ModelSettings(name="m", implementation=Rest))

    check(InferenceRequest(model_name="m", inputs=[A, B]), model)
    with pytest.raises(InputsNotFound, match=r"missing required input\(s\) \['a'\]"):
        check(InferenceRequest(model_name="m", inputs=[B]), model)


def test_an_output_must_not_be_asked_for_twice() -> None:
    request = InferenceRequest(outputs=[RequestOutput(name="y"), RequestOutput(name="y")])

    with pytest.raises(InvalidInput, match="outputs\\[1\\]: output 'y' already exists in request"):
        check_requested(request)


def test_an_output_that_the_metadata_does_not_have_is_refused_before_the_model_runs() -> None:
    request = InferenceRequest(model_name="m", outputs=[RequestOutput(name="z")])

    with pytest.raises(OutputNotFound, match="outputs\\[0\\]: unexpected inference output 'z' for model 'm'"):
        check_outputs(request, DECLARED)


def runtime(version: str | None = None) -> MLModel:
    from srv import ModelParameters

    return MLModel(ModelSettings(name="m", implementation=MLModel, parameters=ModelParameters(version=version)))


def output(name: str) -> ResponseOutput:
    return ResponseOutput(name=name, datatype="INT32", shape=[1], data=[1])


def test_a_response_gets_the_models_name_and_version_and_the_requests_id() -> None:
    request = Wanted(id="7")

    response = finish_response(runtime("3"), request, InferenceResponse(id="other", outputs=[output("y")]))

    assert (response.model_name, response.model_version, response.id) == ("m", "3", "7")


def test_a_response_object_that_a_runtime_keeps_is_not_written_to() -> None:
    kept = InferenceResponse(outputs=[output("y")])

    finish_response(runtime(), Wanted(id="1"), kept)

    assert (kept.id, kept.model_name) == ("", "")


def test_requested_outputs_come_alone_and_in_the_order_of_the_request() -> None:
    request = Wanted(outputs=(RequestOutput(name="z"), RequestOutput(name="x")))

    response = finish_response(runtime(), request, InferenceResponse(outputs=[output(name) for name in "xyz"]))

    assert [each.name for each in response.outputs] == ["z", "x"]


def test_a_requested_output_that_the_runtime_did_not_give_is_named_with_those_it_gave() -> None:
    request = Wanted(outputs=(RequestOutput(name="w"),))

    with pytest.raises(OutputNotFound, match="'w' for model 'm'; it gave 'x', 'y'"):
        finish_response(runtime(), request, InferenceResponse(outputs=[output("x"), output("y")]))


@pytest.mark.parametrize("returned", [None, [1, 2], {"outputs": []}], ids=repr)
def test_something_that_is_no_response_is_the_models_fault(returned: object) -> None:
    with pytest.raises(
        InferenceError, match=f"model 'm' returned no inference response, but {type(returned).__name__}"
    ):
        finish_response(runtime(), Wanted(), returned)


def test_two_outputs_of_one_name_are_the_models_fault() -> None:
    with pytest.raises(InferenceError, match="two outputs of one name"):
        finish_response(runtime(), Wanted(), InferenceResponse(outputs=[output("y"), output("y")]))


@pytest.mark.parametrize("output", [{"name": "y"}, None, ResponseOutput(name=5)], ids=["dict", "None", "number"])  # type: ignore[arg-type]
def test_an_output_that_is_none_is_the_models_fault(output: object) -> None:
    response = InferenceResponse()
    response.outputs = [output]  # type: ignore[list-item]
    with pytest.raises(InferenceError, match="outputs\\[0\\]: expected a ResponseOutput with a name"):
        finish_response(runtime(), Wanted(), response)
