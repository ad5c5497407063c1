"""V2 over gRPC: the wire forms of the tensors in an inference message <-> their data.

Source: "Inference Protocol - gRPC" of the Open Inference Protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_codecs._arrays import tensor_array
from srv_codecs._contents import decode_contents, encode_contents, filled_fields
from srv_codecs._forms import OutputForms
from srv_codecs._place import input_place, output_place
from srv_codecs._plain import bind_plain, raw_tensor
from srv_codecs._raw import decode_raw, encode_raw
from srv_codecs._regions import REGION, take_output_spans, take_span
from srv_codecs._shape import count_elements, find_datatype
from srv_codecs._single_string import is_single_string
from srv_protocol.errors import InferenceError, InvalidInput
from srv_protocol.inference import (
    InferInputTensor,
    InferOutputTensor,
    ModelInferRequest,
    ModelInferResponse,
    TensorData,
)

if TYPE_CHECKING:
    from srv_codecs._regions import Regions, Span

_EMPTY: Final = memoryview(b"")
_RAW: Final = OutputForms()
_TYPED: Final = OutputForms(typed=True)


def bind_request(request: ModelInferRequest, regions: Regions | None = None) -> OutputForms:
    """Give each input of a parsed request its data, and return the form that it wants its outputs in.

    Raw contents, and typed ones of their datatype's own width, become read-only views of what was parsed, inputs in
    shared memory views of the client's memory in `regions`, other typed ones and BYTES new arrays. A raw entry belongs
    to the next input outside of shared memory; empty contents count as none, since MLServer's clients send them with
    raw data.

    Raises:
        InvalidInput: a tensor's data does not fit its description, or the number of raw entries is wrong.
        NotFound: a tensor lies in a region that is not registered.
        Unsupported: a tensor lies in shared memory, which clients may not use.
    """
    raw = request.raw_input_contents
    if request.inputs and bind_plain(request.inputs, raw):
        if not request.outputs:
            return _RAW if raw else _TYPED
        return OutputForms(typed=not raw, spans=take_output_spans(request.outputs, regions))
    places = [input_place(index, tensor.name, request.model_name) for index, tensor in enumerate(request.inputs)]
    # All of them first: how many raw entries there are to be depends on it.
    spans = [
        take_span(tensor.parameters, place.path, regions) for tensor, place in zip(request.inputs, places, strict=True)
    ]
    expected = spans.count(None)
    outside = "" if expected == len(spans) else " outside of shared memory"
    entries = iter(raw)
    typed = False
    for tensor, place, span in zip(request.inputs, places, spans, strict=True):
        spec = find_datatype(tensor.datatype, place)
        count = count_elements(tensor.shape, place, spec.itemsize)
        if span is not None:
            if filled_fields(tensor.contents):
                raise place.fail("contents", f"Input must set only one of the following fields: 'contents', '{REGION}'")
            # Not bound: the message would be encoded without it.
            tensor.data = TensorData(decode_raw(span.view(), spec, tensor.shape, count, place))
            continue
        if not raw:
            typed = typed or bool(filled_fields(tensor.contents))
            if count != 1 and tensor.contents is not None and is_single_string(tensor.contents.bytes_contents, count):
                tensor.shape, count = [1], 1
            array = decode_contents(tensor.contents, spec, tensor.shape, count, place)
        elif filled_fields(tensor.contents):
            raise InvalidInput(
                "contents field must not be specified when using raw_input_contents "
                f"for input '{tensor.name}' for model '{request.model_name}'"
            )
        elif len(raw) != expected:
            raise InvalidInput(
                f"the number of inputs{outside} ({expected}) does not match the expected number of "
                f"raw input contents ({len(raw)}) for model '{request.model_name}'."
            )
        else:
            array = decode_raw(next(entries), spec, tensor.shape, count, place)
        tensor.bind(TensorData(array))
    if raw and not expected:
        raise InvalidInput(f"raw_input_contents: {len(raw)} entries, but there are no inputs{outside}")
    return OutputForms(typed=typed, spans=take_output_spans(request.outputs, regions))


def lower_response(response: ModelInferResponse, forms: OutputForms, *, typed: bool) -> ModelInferResponse:
    """Return a response whose tensors are in wire form: typed contents, or raw ones for all outputs.

    A datatype without typed contents makes all of them raw, and so does an output in shared memory: it is written
    there, and its raw contents are empty. Other raw contents are views of the runtime's arrays wherever they can be.

    Raises:
        InferenceError: the runtime's output is no valid tensor, or does not fit into the shared memory.
        InvalidInput: the shared memory is not there any more.
    """
    lowered = ModelInferResponse(
        model_name=response.model_name,
        model_version=response.model_version,
        id=response.id,
        parameters=response.parameters,
    )
    if not typed and not forms.spans:
        raw = [data for output in response.outputs if (data := raw_tensor(output)) is not None]
        if len(raw) == len(response.outputs):
            lowered.outputs = [
                InferOutputTensor(output.name, output.datatype, output.shape, output.parameters)
                for output in response.outputs
            ]
            lowered.raw_output_contents += raw
            return lowered
    places = [output_place(index, output.name) for index, output in enumerate(response.outputs)]
    specs = [find_datatype(output.datatype, place) for output, place in zip(response.outputs, places, strict=True)]
    typed = typed and not forms.spans and all(spec.contents is not None for spec in specs)
    writes: list[tuple[Span, memoryview]] = []
    for output, spec, place in zip(response.outputs, specs, places, strict=True):
        array = tensor_array(output, place)
        tensor = InferOutputTensor(output.name, output.datatype, output.shape, output.parameters)
        if typed:
            tensor.contents = encode_contents(array, spec, place)
        else:
            data = forms.encode_raw(array, spec, place)
            span = forms.spans.get(output.name)
            if span is not None:
                writes.append((span, data))
                data = _EMPTY
            lowered.raw_output_contents.append(data)
        lowered.outputs.append(tensor)
    for span, data in writes:
        span.write(data)
    return lowered


# ---- The client's side


def lower_request(request: ModelInferRequest, *, typed: bool) -> ModelInferRequest:
    """Return a request whose inputs are in wire form: typed contents, or raw ones for all of them.

    A datatype without typed contents makes all of them raw. Contents are views of the inputs' arrays wherever they can
    be.

    Raises:
        InvalidInput: an input's datatype, shape and data do not belong together.
    """
    lowered = ModelInferRequest(
        request.model_name, request.model_version, request.id, request.parameters, outputs=request.outputs
    )
    if not typed:
        raw = [data for each in request.inputs if (data := raw_tensor(each)) is not None]
        if len(raw) == len(request.inputs):
            lowered.inputs = [
                InferInputTensor(each.name, each.datatype, each.shape, each.parameters) for each in request.inputs
            ]
            lowered.raw_input_contents += raw
            return lowered
    places = [input_place(index, each.name, request.model_name) for index, each in enumerate(request.inputs)]
    specs = [find_datatype(each.datatype, place) for each, place in zip(request.inputs, places, strict=True)]
    typed = typed and all(spec.contents is not None for spec in specs)
    for each, spec, place in zip(request.inputs, specs, places, strict=True):
        array = tensor_array(each, place)
        tensor = InferInputTensor(each.name, each.datatype, each.shape, each.parameters)
        if typed:
            tensor.contents = encode_contents(array, spec, place)
        else:
            lowered.raw_input_contents.append(encode_raw(array, spec, place))
        lowered.inputs.append(tensor)
    return lowered


def bind_response(response: ModelInferResponse) -> None:
    """Give each output of a parsed response its data.

    Raw contents become read-only views of the parsed buffer, typed ones and BYTES new arrays.

    Raises:
        InferenceError: an output's contents do not fit its description, or there are more or fewer raw entries.
    """
    raw = response.raw_output_contents
    if raw and len(raw) != len(response.outputs):
        raise InferenceError(f"raw_output_contents: expected {len(response.outputs)} entries, got {len(raw)}")
    for index, output in enumerate(response.outputs):
        place = output_place(index, output.name)
        spec = find_datatype(output.datatype, place)
        count = count_elements(output.shape, place, spec.itemsize)
        if raw:
            array = decode_raw(raw[index], spec, output.shape, count, place)
        else:
            array = decode_contents(output.contents, spec, output.shape, count, place)
        output.bind(TensorData(array))
