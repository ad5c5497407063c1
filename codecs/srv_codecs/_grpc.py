"""V2 over gRPC: the wire forms of the tensors in an inference message <-> their data.

Source: "Inference Protocol - gRPC" of the Open Inference Protocol.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv_codecs._arrays import tensor_array
from srv_codecs._contents import decode_contents, encode_contents, filled_fields
from srv_codecs._forms import reject_reserved, reject_shared_memory
from srv_codecs._place import input_place, output_place
from srv_codecs._raw import decode_raw, encode_raw
from srv_codecs._shape import count_elements, find_datatype
from srv_codecs._single_string import is_single_string
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import InferOutputTensor, ModelInferResponse, TensorData

if TYPE_CHECKING:
    from srv_protocol.inference import ModelInferRequest


def bind_request(request: ModelInferRequest) -> bool:
    """Give each input of a parsed request its data, and return whether any came as typed contents.

    Raw contents become read-only views of the parsed buffer, typed ones new arrays. A raw entry belongs to the next
    input that has no typed contents; empty contents count as none, since MLServer's clients send them with raw data.

    Raises:
        InvalidInput: a tensor's data does not fit its description, the number of raw entries is wrong, or a parameter
            is reserved.
        Unsupported: a tensor lies in shared memory.
    """
    reject_reserved(request.parameters)
    raw = request.raw_input_contents
    typed = False
    for index, tensor in enumerate(request.inputs):
        place = input_place(index, tensor.name)
        reject_shared_memory(tensor.parameters, place.path)
        spec = find_datatype(tensor.datatype, place)
        count = count_elements(tensor.shape, place)
        if not raw:
            typed = typed or bool(filled_fields(tensor.contents))
            if tensor.contents is not None and is_single_string(tensor.contents.bytes_contents, count):
                tensor.shape, count = [1], 1
            array = decode_contents(tensor.contents, spec, tensor.shape, count, place)
        elif filled_fields(tensor.contents):
            raise InvalidInput(
                "contents field must not be specified when using raw_input_contents "
                f"for input '{tensor.name}' for model '{request.model_name}'"
            )
        elif len(raw) != len(request.inputs):
            raise InvalidInput(
                f"the number of inputs ({len(request.inputs)}) does not match the expected number of "
                f"raw input contents ({len(raw)}) for model '{request.model_name}'."
            )
        else:
            array = decode_raw(raw[index], spec, tensor.shape, count, place)
        tensor.bind(TensorData(array))
    if raw and not request.inputs:
        raise InvalidInput(f"raw_input_contents: {len(raw)} entries, but there are no inputs")
    for index, output in enumerate(request.outputs):
        reject_shared_memory(output.parameters, f"outputs[{index}]")
    return typed


def lower_response(response: ModelInferResponse, *, typed: bool) -> ModelInferResponse:
    """Return a response whose tensors are in wire form: typed contents, or raw ones for all outputs.

    A datatype without typed contents makes all of them raw. Raw contents are views of the runtime's arrays wherever
    they can be.

    Raises:
        InferenceError: the runtime's output is no valid tensor.
    """
    places = [output_place(index, output.name) for index, output in enumerate(response.outputs)]
    specs = [find_datatype(output.datatype, place) for output, place in zip(response.outputs, places, strict=True)]
    typed = typed and all(spec.contents is not None for spec in specs)
    lowered = ModelInferResponse(
        model_name=response.model_name,
        model_version=response.model_version,
        id=response.id,
        parameters=response.parameters,
    )
    for output, spec, place in zip(response.outputs, specs, places, strict=True):
        array = tensor_array(output, place)
        tensor = InferOutputTensor(output.name, output.datatype, output.shape, output.parameters)
        if typed:
            tensor.contents = encode_contents(array, spec, place)
        else:
            lowered.raw_output_contents.append(encode_raw(array, spec, place))
        lowered.outputs.append(tensor)
    return lowered
