"""V2 over HTTP as a client has it: an inference message -> a body, and a body -> the answer.

Source: "Inference Protocol - HTTP/REST" and Triton's "Binary Tensor Data Extension".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from srv_codecs._arrays import tensor_array
from srv_codecs._envelope import explain, parse_python
from srv_codecs._json import decode_json, encode_json
from srv_codecs._place import input_place, output_place
from srv_codecs._plain import raw_tensor
from srv_codecs._raw import decode_raw, encode_raw
from srv_codecs._rest import EncodedBody, given_data
from srv_codecs._shape import count_elements, find_datatype
from srv_protocol.errors import InferenceError, InvalidInput, WireError
from srv_protocol.inference import InferOutputTensor, ModelInferResponse, TensorData
from srv_protocol.inference_json import InferInputTensorView, InferRequestedOutputTensorView, ModelInferRequestView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codecs._place import Place
    from srv_protocol.inference import ModelInferRequest

_encoder: Final = msgspec.json.Encoder()
_BINARY_OUTPUT: Final[dict[str, object]] = {"binary_data": True}


class _OutputView(msgspec.Struct, gc=False):
    """A tensor of an answer; others' servers leave out what may be left out, or say null."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, object] | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _ResponseView(msgspec.Struct, gc=False):
    """An answer."""

    outputs: list[_OutputView]
    model_name: str | None = None
    model_version: str | None = None
    id: str | None = None
    parameters: dict[str, object] | None = None


_decoder: Final = msgspec.json.Decoder(_ResponseView)


def encode_request(request: ModelInferRequest, *, binary: bool = True) -> EncodedBody:
    """Return the body of a request that wants its answer in the same form.

    With `binary`, tensors stand behind the JSON: contents are views of the inputs' arrays wherever they can be; BYTES,
    and arrays that are not C-contiguous or not little-endian, are copied. Without, everything is JSON.

    Raises:
        InvalidInput: an input's datatype, shape and data do not belong together, or it has no JSON form.
    """
    shown: list[InferInputTensorView] = []
    tail: list[memoryview] = []
    for index, each in enumerate(request.inputs):
        parameters: dict[str, object] | None = each.parameters or None  # type: ignore[assignment]  # values are any object's
        values: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
        data = raw_tensor(each) if binary else None
        if data is None:
            place = input_place(index, each.name, request.model_name)
            array = tensor_array(each, place)
            spec = find_datatype(each.datatype, place)
            if binary:
                data = encode_raw(array, spec, place)
            else:
                values = msgspec.Raw(_encoder.encode(encode_json(array, spec, place)))
        if data is not None:
            parameters = (
                {**parameters, "binary_data_size": len(data)} if parameters else {"binary_data_size": len(data)}
            )
            tail.append(data)
        shown.append(
            InferInputTensorView(
                name=each.name, shape=each.shape, datatype=each.datatype, parameters=parameters, data=values
            )
        )
    wish = _BINARY_OUTPUT if binary else {}
    outputs = [
        InferRequestedOutputTensorView(name=each.name, parameters={**wish, **each.parameters} or None)
        for each in request.outputs
    ]
    parameters = dict(request.parameters)
    if binary and not outputs:
        parameters["binary_data_output"] = True
    header = _encoder.encode(
        ModelInferRequestView(
            inputs=shown, id=request.id or None, parameters=parameters or None, outputs=outputs or None
        )
    )
    return EncodedBody((header, *tail), len(header) if tail else None)


def decode_response(body: memoryview | bytes, header_length: str | None = None) -> ModelInferResponse:
    """Return the answer that a body holds, whichever of its tensors are binary.

    Binary outputs are read-only views of `body`, BYTES and JSON outputs new arrays. `header_length` is the value of the
    header of that name.

    Raises:
        InferenceError: the body is no inference answer, or a tensor's data does not fit its description.
    """
    buffer = memoryview(body).toreadonly()
    size = len(buffer) if header_length is None else _parse_length(header_length, len(buffer))
    view, parsed = _parse(buffer[:size])
    tail, pos = buffer[size:], 0
    outputs: list[InferOutputTensor] = []
    try:
        for index, each in enumerate(view.outputs):
            place = output_place(index, each.name)
            spec = find_datatype(each.datatype, place)
            count = count_elements(each.shape, place, spec.itemsize)
            binary = _take_size(each.parameters, place) if each.parameters else None
            output = InferOutputTensor(each.name, each.datatype, each.shape, each.parameters or None)
            data = given_data(each.data) if parsed is None else parsed[index]
            if binary is not None:
                if binary > len(tail) - pos:
                    raise place.fail(
                        "parameters.binary_data_size",
                        f"expected at most the {len(tail) - pos} bytes that are left of the answer, got {binary}",
                    )
                output.data = TensorData(decode_raw(tail[pos : pos + binary], spec, each.shape, count, place))
                pos += binary
            elif data is not None:
                output.data = decode_json(data, spec, each.shape, count, place)
            outputs.append(output)
        message = ModelInferResponse(
            view.model_name or "", view.model_version or "", view.id or "", view.parameters, outputs=outputs
        )
    except (InvalidInput, WireError) as error:
        raise InferenceError(f"the answer: {error}") from None
    if pos != len(tail):
        raise InferenceError(f"the answer: {len(tail) - pos} bytes stand behind the last binary output")
    return message


def _parse_length(value: str, size: int) -> int:
    length = int(value) if value.isascii() and value.isdigit() and len(value) < 20 else -1  # digits of 64 bits
    if not 0 <= length <= size:
        raise InferenceError(f"the answer: expected the size of its JSON, 0 to {size}, got {value[:40]!r}")
    return length


def _parse(text: memoryview) -> tuple[_ResponseView, Sequence[object] | None]:
    """Return an answer's view, and the data of its outputs where the view has none of them."""
    try:
        return _decoder.decode(text), None
    except msgspec.ValidationError as error:
        raise InferenceError(f"the answer: {explain(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Triton writes NaN and Infinity, which are no JSON.
        return _parse_nonfinite(text)


def _parse_nonfinite(text: memoryview) -> tuple[_ResponseView, Sequence[object]]:
    try:
        document = msgspec.convert(parse_python(text), dict[str, object])
        outputs = msgspec.convert(document.get("outputs"), list[dict[str, object]])
        data = [each.pop("data", None) for each in outputs]
        return msgspec.convert({**document, "outputs": outputs}, _ResponseView), data
    except msgspec.ValidationError as error:
        raise InferenceError(f"the answer: {explain(error)}") from None
    except InvalidInput as error:
        raise InferenceError(f"the answer is no V2 JSON: {str(error).partition(': ')[2]}") from None


def _take_size(parameters: dict[str, object], place: Place) -> int | None:
    size = parameters.pop("binary_data_size", None)
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise place.fail("parameters.binary_data_size", f"expected an unsigned integer, got {size!r}")
    return size
