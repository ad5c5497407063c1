"""V2 over HTTP: a body <-> an inference message, as JSON with an optional binary tail.

Source: "Inference Protocol - HTTP/REST" and Triton's "Binary Tensor Data Extension".
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from srv_codecs._arrays import tensor_array
from srv_codecs._envelope import explain, parse_json, parse_python
from srv_codecs._forms import OutputForms, take_flag
from srv_codecs._json import decode_json, encode_json
from srv_codecs._json_numbers import MIN_TEXT, cut_arrays, read_numbers
from srv_codecs._place import input_place, output_place
from srv_codecs._raw import decode_raw
from srv_codecs._regions import REGION, take_output_spans, take_span
from srv_codecs._shape import count_elements, find_datatype
from srv_codecs._text_data import TextData
from srv_protocol.datatypes import Datatype
from srv_protocol.errors import InvalidInput, WireError
from srv_protocol.inference import Parameters, TensorData
from srv_protocol.inference_json import InferOutputTensorView, ModelInferRequestView, ModelInferResponseView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from srv_codecs._place import Place
    from srv_codecs._regions import Regions, Span
    from srv_protocol.inference import InferInputTensor, ModelInferRequest, ModelInferResponse

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
JSON_TYPE: Final = "application/json"
BINARY_TYPE: Final = "application/octet-stream"

_request_decoder: Final = msgspec.json.Decoder(ModelInferRequestView)
_encoder: Final = msgspec.json.Encoder()
_NULL: Final = msgspec.Raw(b"null")
_NONFINITE: Final = re.compile(rb"NaN|Infinity")
JSON: Final = OutputForms(default=False)
BINARY: Final = OutputForms(default=True)
_ONE_FORM: Final = (
    "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', "
    "'shared_memory_region' in 'parameters'. But"
)


class EncodedBody(NamedTuple):
    """A response body in pieces, to be written one behind the other.

    Attributes:
        header_length: size of the JSON part, where a binary tail follows it; else ``None``.
    """

    parts: tuple[bytes | memoryview, ...]
    header_length: int | None

    @property
    def content_type(self) -> str:
        """The media type."""
        return JSON_TYPE if self.header_length is None else BINARY_TYPE

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(len(part) for part in self.parts)


def parse_header_length(value: str | None, body_size: int) -> int | None:
    """Return the size of the JSON part that the header announces, ``None`` without the header.

    Raises:
        InvalidInput: the header is no number, or not within the body.
    """
    if value is None:
        return None
    text = value.strip(" \t")
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:  # beyond any 64-bit size
        raise InvalidInput(f"Unable to parse {HEADER_LENGTH}, got: {value[:64]}")
    length = int(text)
    if not 0 <= length <= body_size:
        raise InvalidInput(f"inference header size should be in range (0, {body_size}), got: {text}")
    return length


def decode_request(
    body: memoryview | bytes,
    header_length: str | None = None,
    *,
    model: str = "",
    regions: Regions | None = None,
) -> tuple[ModelInferRequest, OutputForms]:
    """Return the request that a body holds, and the form that it wants its outputs in.

    Binary inputs are read-only views of `body`, inputs in shared memory views of the client's memory in `regions`;
    BYTES and JSON inputs are new arrays. Only `header_length` (the value of the header of that name) decides whether
    there is a binary tail; the media type has no say. `model` is the name that the request gets; a ``model_name`` in
    the body has no say either.

    Raises:
        InvalidInput: the JSON is malformed or no inference request, or a tensor's data does not fit its
            description; the text names the place.
        NotFound: a tensor lies in a region that is not registered.
        Unsupported: a tensor lies in shared memory, which clients may not use.
    """
    buffer = memoryview(body).toreadonly()
    json_size = parse_header_length(header_length, len(buffer))
    if json_size == 0:
        raise InvalidInput(f"{HEADER_LENGTH}: 0 announces a raw request, which is no JSON")
    view, data = _parse_request(buffer if json_size is None else buffer[:json_size])
    try:
        request = view.to_message()
    except WireError as error:
        raise _with_place(error, view) from None
    request.model_name = model
    tail = None if json_size is None else buffer[json_size:]
    _bind_inputs(data, request, tail, regions)
    return request, _output_forms(request, regions)


def _parse_request(text: memoryview) -> tuple[ModelInferRequestView, list[object]]:
    """Return a request's view, and the ``data`` of each input.

    That is an array, raw JSON, values, or ``None`` where there is none.
    """
    found = _parse_large(text) if len(text) >= MIN_TEXT else None
    if found is not None:
        return found
    try:
        view = parse_json(_request_decoder, text)
    except InvalidInput:
        # Clients write NaN and Infinity, which are no JSON. They are rare, so only a text that has failed is searched.
        if not _NONFINITE.search(text):
            raise
        return _parse_nonfinite(text)
    return view, [given_data(each.data) for each in view.inputs]


def given_data(data: msgspec.Raw | msgspec.UnsetType) -> msgspec.Raw | None:
    """Return the ``data`` of a tensor, if there is any."""
    # KServe's client sends "data": null beside an empty binary tensor.
    return None if data is msgspec.UNSET or data == _NULL else data


def _parse_large(text: memoryview) -> tuple[ModelInferRequestView, list[object]] | None:
    """Parse JSON with large arrays of numbers in one pass; ``None`` for what the general way has to look at."""
    cut = cut_arrays(text)
    if cut is None:
        return None
    try:
        view = _request_decoder.decode(cut.text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    data: list[object] = []
    for each in view.inputs:
        found = given_data(each.data)
        array = None if found is None else cut.arrays.pop(bytes(found), None)
        # Twice the same mark cannot be: the second time, it is no array's any more, and no text of a client's.
        numbers = found if array is None else read_numbers(array, each.datatype, each.shape)
        if numbers is None and found is not None:
            return None
        data.append(numbers)
    # One that is left was no tensor's.
    return None if cut.arrays else (view, data)


def _parse_nonfinite(text: memoryview) -> tuple[ModelInferRequestView, list[object]]:
    """Parse JSON in which NaN, Infinity and -Infinity stand for numbers, as Python's own parser and rapidjson do."""
    parsed = parse_python(text)
    place = ""
    try:
        document = msgspec.convert(parsed, dict[str, object])
        place = "inputs"
        inputs = msgspec.convert(document.get("inputs"), list[dict[str, object]])
        place = ""
        data = [each.pop("data", None) for each in inputs]
        view = msgspec.convert({**document, "inputs": inputs}, ModelInferRequestView)
    except msgspec.ValidationError as error:
        raise InvalidInput(explain(error, place)) from None
    for path, parameters in _parameters_of(view):
        for name, value in parameters.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise InvalidInput(f"{path}parameters.{name}: expected a finite number, got {value}")
    return view, data


def _parameters_of(view: ModelInferRequestView) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield all parameters of a request, each with the path before ``parameters``."""
    yield "", view.parameters or {}
    for index, tensor in enumerate(view.inputs):
        yield f"inputs[{index}].", tensor.parameters or {}
    for index, output in enumerate(view.outputs or ()):
        yield f"outputs[{index}].", output.parameters or {}


def _with_place(error: WireError, view: ModelInferRequestView) -> InvalidInput:
    """Return the error of a request's parameters with the tensor that has them, which is looked for only now."""
    for path, parameters in _parameters_of(view):
        try:
            Parameters(parameters)
        except WireError as found:
            return InvalidInput(f"{path}{found}")
    return error


def _bind_inputs(
    given: Sequence[object],
    request: ModelInferRequest,
    tail: memoryview | None,
    regions: Regions | None,
) -> None:
    pos = 0
    for index, (data, tensor) in enumerate(zip(given, request.inputs, strict=True)):
        place = input_place(index, tensor.name, request.model_name)
        span = take_span(tensor.parameters, place.path, regions) if len(tensor.parameters) else None
        spec = find_datatype(tensor.datatype, place)
        count = count_elements(tensor.shape, place, spec.itemsize)
        size = _binary_size(tensor, place) if len(tensor.parameters) else None
        if (span is not None or size is not None) and (data is not None or (span is not None and size is not None)):
            _check_alone({"data": data, "binary_data_size": size, REGION: span}, place)
        if span is not None:
            tensor.data = TensorData(decode_raw(span.view(), spec, tensor.shape, count, place))
            continue
        if size is None:
            if data is None:
                raise place.fail("data", f"{_ONE_FORM} no field is set")
            tensor.data = data if type(data) is TextData else decode_json(data, spec, tensor.shape, count, place)
            if spec.name is Datatype.BYTES and len(tensor.data) == 1 and count != 1:
                tensor.shape = [1]
            continue
        if tail is None and size:
            raise place.fail(
                "parameters.binary_data_size",
                "must specify valid 'Infer-Header-Content-Length' in request header and 'binary_data_size' when "
                f"passing inputs in binary data format; there is no header {HEADER_LENGTH}",
            )
        available = tail or memoryview(b"")
        if size > len(available) - pos:
            raise place.fail(
                "parameters.binary_data_size",
                f"unexpected size for input '{tensor.name}', expecting {size - len(available) + pos} additional bytes "
                f"for model '{request.model_name}'",
            )
        tensor.data = TensorData(decode_raw(available[pos : pos + size], spec, tensor.shape, count, place))
        pos += size
    if tail is not None and pos != len(tail):
        raise InvalidInput(
            f"unexpected additional input data for model '{request.model_name}': {len(tail) - pos} bytes behind the "
            "last binary input"
        )


def _binary_size(tensor: InferInputTensor, place: Place) -> int | None:
    """Take the size of a tensor's binary data out of its parameters."""
    size = tensor.parameters.pop("binary_data_size", None)
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise place.fail("parameters.binary_data_size", f"expected an unsigned integer, got {size!r}")
    return size


def _check_alone(forms: Mapping[str, object], place: Place) -> None:
    given = [name for name, value in forms.items() if value is not None]
    if len(given) > 1:
        raise place.fail(given[0], f"{_ONE_FORM} set {' '.join(map(repr, given))}")


def _output_forms(request: ModelInferRequest, regions: Regions | None) -> OutputForms:
    wish = request.parameters.pop("binary_data_output", None) if len(request.parameters) else None
    default = take_flag(wish, "parameters.binary_data_output")
    if not request.outputs:
        return BINARY if default else JSON
    spans = take_output_spans(request.outputs, regions)
    listed: set[str] = set()
    for index, output in enumerate(request.outputs):
        path = f"outputs[{index}]"
        if take_flag(output.parameters.pop("binary_data", None), f"{path}.parameters.binary_data"):
            listed.add(output.name)
    return OutputForms(default, frozenset(listed), spans=spans)


def encode_response(
    response: ModelInferResponse, forms: OutputForms, *, nonfinite_as_null: bool = False
) -> EncodedBody:
    """Return the body for a response; binary outputs are views of the runtime's arrays wherever they can be.

    Outputs that are to lie in shared memory are written there, and the body only describes them.

    Raises:
        InvalidInput: an output has no JSON form and the client has not asked for binary data; the shared memory is
            not there any more.
        InferenceError: the runtime's output is no valid tensor, or does not fit into the shared memory.
    """
    shown: list[InferOutputTensorView] = []
    tail: list[memoryview] = []
    writes: list[tuple[Span, memoryview]] = []
    has_binary = False
    for index, output in enumerate(response.outputs):
        place = output_place(index, output.name)
        array = tensor_array(output, place)
        spec = find_datatype(output.datatype, place)
        span = forms.spans.get(output.name) if forms.spans else None
        # A C++ client takes any parameters on an output as the sign of binary data, so others have none.
        parameters: dict[str, object] | None = None
        values: object = msgspec.UNSET
        if span is not None:
            writes.append((span, forms.encode_raw(array, spec, place)))
        elif forms.is_binary(output.name):
            has_binary = True
            data = forms.encode_raw(array, spec, place)
            parameters = {**output.parameters, "binary_data_size": len(data)}
            tail.append(data)
        else:
            values = encode_json(array, spec, place, nonfinite_as_null=nonfinite_as_null)
        # The shape of the array: the tensor's own may have numpy's integers.
        shape = list(array.shape)
        shown.append(
            InferOutputTensorView(
                name=output.name, shape=shape, datatype=output.datatype, parameters=parameters, data=values
            )
        )
    for span, data in writes:
        span.write(data)
    header = _encoder.encode(
        ModelInferResponseView(
            model_name=response.model_name,
            outputs=shown,
            model_version=response.model_version or None,
            id=response.id or None,
            parameters=dict(response.parameters) or None,
        )
    )
    return EncodedBody((header, *tail), len(header) if has_binary else None)
