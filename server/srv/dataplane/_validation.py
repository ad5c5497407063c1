"""Requests against a model's metadata, and what a runtime returned against the request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from srv.runtimes._derived import OPTIONAL, main_signature
from srv_codecs.arrays import as_single_string, output_place
from srv_codecs.classification import classify, take_classification
from srv_codecs.content_types import input_codecs, request_codecs
from srv_codecs.hints import ImpliedTensor
from srv_protocol.errors import InferenceError, InputsNotFound, InvalidInput, OutputNotFound, WireError
from srv_protocol.inference import InferOutputTensor, ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from srv.runtimes._model import MLModel
    from srv_codecs.content_types import CodecRegistry
    from srv_codecs.hints import SignatureSummary
    from srv_protocol.inference import (
        InferInputTensor,
        InferRequestedOutputTensor,
        ModelInferRequest,
        Parameters,
        TensorMetadata,
    )


def check_inputs(request: ModelInferRequest, runtime: MLModel, signature: SignatureSummary | None) -> None:
    """Check a request's inputs against those of the model: what it declares, else what `signature` implies.

    That is the one of the method that answers, if it is under ``decode_args``. No name comes twice; a model that says
    nothing of its inputs takes any. Optional ones may miss.

    Raises:
        InputsNotFound: an input is missing, or unexpected.
        InvalidInput: a name comes twice; a datatype or shape is not the declared one, or the batch is too large.
    """
    model = request.model_name
    inputs = request.inputs
    if len(inputs) > 1 and len({tensor.name for tensor in inputs}) != len(inputs):
        names = [tensor.name for tensor in inputs]
        index = next(index for index, name in enumerate(names) if name in names[:index])
        raise InvalidInput(f"inputs[{index}]: input '{names[index]}' already exists in request")
    declared = runtime.inputs
    known: Mapping[str, TensorMetadata | ImpliedTensor]
    if declared:
        known = {each.name: each for each in declared}
    elif signature is not None:
        known = signature.implied_by_name
    else:
        return
    takes_rest = not declared and signature is not None and signature.takes_rest
    # Too few comes before a wrong name, as in Triton: it says more.
    too_few = len(inputs) < len(known)
    if too_few:
        _check_missing(request, runtime, signature, known)
    matched = 0
    for index, tensor in enumerate(inputs):
        expected = known.get(tensor.name)
        if expected is not None:
            matched += 1
            if not isinstance(expected, ImpliedTensor) or expected.datatypes is not None:
                _check_tensor(tensor, expected, index, model)
        elif not takes_rest:
            raise InputsNotFound(f"inputs[{index}]: unexpected inference input '{tensor.name}' for model '{model}'")
    if not too_few and matched < len(known):
        _check_missing(request, runtime, signature, known)
    if declared and runtime.settings.max_batch_size:
        _check_batch(request, runtime)


def _check_tensor(tensor: InferInputTensor, expected: TensorMetadata | ImpliedTensor, index: int, model: str) -> None:
    datatypes = expected.datatypes if isinstance(expected, ImpliedTensor) else (expected.datatype,)
    if datatypes is not None and tensor.datatype not in datatypes:
        raise InvalidInput(
            f"inputs[{index}].datatype: inference input '{tensor.name}' data-type is '{tensor.datatype}', "
            f"but model '{model}' expects {' or '.join(map(repr, sorted(datatypes)))}"
        )
    if not isinstance(expected, ImpliedTensor) and not (
        _fits(tensor.shape, expected.shape) or _is_column(tensor.shape, expected)
    ):
        raise InvalidInput(
            f"inputs[{index}].shape: unexpected shape for input '{tensor.name}' for model '{model}'. "
            f"Expected {_show(expected.shape)}, got {_show(tensor.shape)}."
        )


def _check_missing(
    request: ModelInferRequest, runtime: MLModel, signature: SignatureSummary | None, known: Collection[str]
) -> None:
    optional = optional_inputs(runtime.inputs, signature or main_signature(runtime))
    given = [tensor.name for tensor in request.inputs]
    missing = [name for name in known if name not in given and name not in optional]
    if missing:
        required = len(known) - len(optional.intersection(known))
        numbers = (
            f"{required} inputs" if required == len(known) else f"number of inputs between {required} and {len(known)}"
        )
        raise InputsNotFound(
            f"expected {numbers} but got {len(given)} inputs for model '{request.model_name}'. Got input(s) "
            f"{_names(given)}, but missing required input(s) {_names(missing)}. Please provide all required input(s)."
        )


def optional_inputs(inputs: Sequence[TensorMetadata], signature: SignatureSummary | None) -> frozenset[str]:
    """Return the inputs that requests may leave out.

    They have a default in a signature under decode_args, or the parameter ``optional`` in the model's metadata.
    """
    implied = () if signature is None else signature.implied_inputs
    declared = (each.name for each in inputs if each.parameters.get(OPTIONAL) is True)
    return frozenset((*declared, *(each.name for each in implied if each.optional)))


def _check_batch(request: ModelInferRequest, runtime: MLModel) -> None:
    """Check that all inputs have one batch size, which is the first dimension, and that it is not too large."""
    settings, size = runtime.settings, batch_size(request, runtime)
    for index, tensor in enumerate(request.inputs):
        if tensor.shape and tensor.shape[0] != size:
            raise InvalidInput(
                f"inputs[{index}].shape: input '{tensor.name}' batch size does not match other inputs for "
                f"'{request.model_name}': expected {size}, got {tensor.shape[0]}"
            )
    # MLServer's batches, which wait for each other, are counted in requests.
    if size > settings.max_batch_size and not settings.max_batch_time:
        raise InvalidInput(
            f"inference request batch-size must be <= {settings.max_batch_size} for '{request.model_name}', got {size}"
        )


def batch_size(request: ModelInferRequest, runtime: MLModel) -> int:
    """Return how many items a request has: 1 for a model without batches."""
    if not (runtime.settings.max_batch_size and request.inputs and request.inputs[0].shape):
        return 1
    return request.inputs[0].shape[0]


def _fits(shape: Sequence[int], declared: Sequence[int]) -> bool:
    return len(shape) == len(declared) and all(
        expected in (-1, size) for size, expected in zip(shape, declared, strict=True)
    )


def _is_column(shape: Sequence[int], declared: TensorMetadata) -> bool:
    """Whether a tensor is a column without its second dimension.

    MLServer's runtime for MLflow declares its columns ``[-1, 1]``, with content types, and its clients send ``[N]``.
    """
    return len(shape) == 1 and declared.shape == [-1, 1] and bool(declared.parameters.content_type)


def _show(shape: Sequence[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _names(names: Sequence[str]) -> str:
    return f"[{','.join(repr(name) for name in names)}]"


def check_requested(request: ModelInferRequest) -> None:
    """Check that no output is asked for twice, and that a classification has a number of classes.

    Raises:
        InvalidInput: one of this is wrong.
    """
    seen: set[str] = set()
    for index, output in enumerate(request.outputs):
        if output.name in seen:
            # In the words of Triton's core, and of its front.
            raise InvalidInput(
                f"outputs[{index}]: output '{output.name}' already exists in request. "
                f"Duplicate output name '{output.name}' is not allowed in a request"
            )
        seen.add(output.name)
        take_classification(output.parameters, f"outputs[{index}]")


def check_content_types(request: ModelInferRequest) -> None:
    """Check that every content type that a request names is known, whether or not the runtime will ask for it.

    Those count that the model's own code has registered; no codec is imported for it.

    Raises:
        CodecNotFound: one is not.
        WireError: one is no text.
    """
    if len(request.parameters):
        _check_content_type(request_codecs, request.parameters)
    for index, tensor in enumerate(request.inputs):
        # Few say anything, and what they say is asked for by name, which takes longer.
        if len(tensor.parameters):
            _check_content_type(input_codecs, tensor.parameters, f"inputs[{index}].")
    for index, output in enumerate(request.outputs):
        if len(output.parameters):
            _check_content_type(input_codecs, output.parameters, f"outputs[{index}].")


def _check_content_type(registry: CodecRegistry[Any], parameters: Parameters, where: str = "") -> None:
    if "content_type" not in parameters:
        return
    try:
        content_type = parameters.content_type
    except WireError as error:
        raise WireError(f"{where}{error.message}") from None
    if content_type:
        registry.check(content_type, f"{where}parameters.content_type")


def check_outputs(request: ModelInferRequest, declared: Sequence[TensorMetadata]) -> None:
    """Check the requested outputs against those that the model declares, if it declares any.

    Raises:
        OutputNotFound: one is not among them.
    """
    known = {tensor.name for tensor in declared}
    for index, output in enumerate(request.outputs) if known else ():
        if output.name not in known:
            raise OutputNotFound(
                f"outputs[{index}]: unexpected inference output '{output.name}' for model '{request.model_name}'"
            )


class Wanted(NamedTuple):
    """What a client's request says about its answer."""

    id: str = ""
    outputs: tuple[InferRequestedOutputTensor, ...] = ()


def finish_response(runtime: MLModel, wanted: Wanted, response: object) -> ModelInferResponse:
    """Return a runtime's response as the client gets it.

    It has the model's name and version, the request's id, and the outputs that were asked for, in that order. The
    message is a new one: a runtime may return the same response object again and again.

    Raises:
        InferenceError: it is no response, or has an output that is none, without a name, or with that of another.
        OutputNotFound: a requested output is not there.
    """
    if type(response) is not ModelInferResponse and not isinstance(response, ModelInferResponse):
        raise InferenceError(
            f"model '{runtime.name}' returned no inference response, but {type(response).__name__}: {response!r:.80}"
        )
    by_name: dict[str, InferOutputTensor] = {}
    for index, output in enumerate(response.outputs):
        # The classes themselves are the usual case, and asking for them is quicker than for their subclasses.
        if not (type(output) is InferOutputTensor and type(output.name) is str):
            _check_output(runtime, index, output)
        by_name[output.name] = as_single_string(output) if output.datatype == "BYTES" else output
    if len(by_name) != len(response.outputs):
        names = [each.name for each in response.outputs]
        raise InferenceError(f"model '{runtime.name}' returned two outputs of one name: {names}")
    outputs = list(by_name.values())
    if wanted.outputs:
        batched = runtime.settings.max_batch_size > 0
        outputs = [_find(runtime, by_name, index, each, batched=batched) for index, each in enumerate(wanted.outputs)]
    return ModelInferResponse(
        model_name=runtime.name,
        model_version=response.model_version or runtime.version or "",
        id=wanted.id,
        parameters=response.parameters,
        outputs=outputs,
    )


def _check_output(runtime: MLModel, index: int, given: object) -> None:
    if not isinstance(given, InferOutputTensor) or not isinstance(cast("object", given.name), str):
        raise InferenceError(
            f"model '{runtime.name}': outputs[{index}]: expected a ResponseOutput with a name, got {given!r:.80}"
        )


def _find(
    runtime: MLModel,
    outputs: Mapping[str, InferOutputTensor],
    index: int,
    wanted: InferRequestedOutputTensor,
    *,
    batched: bool,
) -> InferOutputTensor:
    """Return a requested output, in the form that is asked for."""
    found = outputs.get(wanted.name)
    if found is None:
        raise OutputNotFound(
            f"outputs[{index}]: unexpected inference output '{wanted.name}' for model '{runtime.name}'; "
            f"it gave {', '.join(map(repr, outputs)) or 'none'}"
        )
    classes = take_classification(wanted.parameters, f"outputs[{index}]")
    if classes is None:
        return found
    return classify(found, classes, batched=batched, place=output_place(index, wanted.name))
