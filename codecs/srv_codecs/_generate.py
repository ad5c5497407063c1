"""Free-form JSON of language models <-> inference messages.

Source: Triton's "Generate Extension". A member that has the name of an input is that tensor, any other is a request
parameter; outputs and response parameters are members of the answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

import msgspec

from srv_codecs._arrays import tensor_array
from srv_codecs._envelope import parse_python
from srv_codecs._json import decode_json, encode_json
from srv_codecs._place import output_place
from srv_codecs._shape import count_elements, find_datatype
from srv_codecs._side import REQUEST
from srv_codecs._tensor_form import ImpliedTensor
from srv_protocol.datatypes import Datatype
from srv_protocol.errors import InferenceError, InvalidInput
from srv_protocol.inference import InferInputTensor, ModelInferRequest, Parameters

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from srv_codecs._place import Place
    from srv_protocol.inference import ModelInferResponse

_PARAMETERS: Final = "parameters"
_RESERVED: Final = "triton_"
"""How the parameters begin that are between a model and its server."""
_NATURAL: Final = (
    (frozenset[type]({bool}), Datatype.BOOL),
    (frozenset[type]({int}), Datatype.INT64),
    (frozenset[type]({int, float}), Datatype.FP64),
    (frozenset[type]({str}), Datatype.BYTES),
)
"""Types of JSON's values -> the datatype of an input that says nothing itself; the first row that fits counts."""

_SINGLE: Final[dict[str, tuple[type, str]]] = {Datatype.BOOL: (bool, "boolean"), Datatype.BYTES: (str, "string")}
"""Datatypes whose values Triton's own tests send wrong -> the one type in JSON, and what its errors call it."""

_encoder: Final = msgspec.json.Encoder()


class ExpectedInput(Protocol):
    """What is known of an input; a model's metadata fits, and what a signature implies."""

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def datatype(self) -> str | None:
        """The datatype; ``None`` where the JSON values say it."""
        ...

    @property
    def shape(self) -> Sequence[int]:
        """The shape, with -1 for dimensions of any size."""
        ...


class _Members(tuple[tuple[str, object], ...]):
    """A JSON object as it was written: a dict would lose what comes twice."""

    __slots__ = ()


_TYPES: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    _Members: "an object",
}
"""Types of JSON's values -> what errors call them."""
_NESTED: Final = frozenset[type]({list, _Members})


@dataclass(frozen=True, slots=True)
class GenerateBody:
    """The JSON object of a generate request.

    Attributes:
        members: names and values in the order of the text; a nested object is no dict, but members again.
    """

    members: tuple[tuple[str, object], ...]

    @property
    def is_inference_request(self) -> bool:
        """Whether it is a V2 inference request, which is MLServer's form: it has an array of inputs."""
        return any(name == "inputs" and isinstance(value, list) for name, value in self.members)


def parse_generate(body: memoryview | bytes) -> GenerateBody:
    """Return the JSON object that a body is; NaN, Infinity and -Infinity stand for numbers, as in V2 JSON.

    Raises:
        InvalidInput: it is no valid JSON, or no object.
    """
    found = parse_python(body, _Members)
    if not isinstance(found, _Members):
        raise InvalidInput(f"the request body: expected an object, got {_kind(found)}")
    return GenerateBody(found)


def decode_generate(body: GenerateBody, inputs: Collection[ExpectedInput], *, batched: bool) -> ModelInferRequest:
    """Return the request that a free-form body is, for a model with these inputs.

    A value or a flat list of them becomes a tensor of the expected shape, whose fixed dimensions divide the number of
    elements: the innermost variable one has the rest, any other 1. With `batched` the first dimension is that of the
    batch, which has one row. Values are checked as those of V2 JSON are; the data is new.

    Raises:
        InvalidInput: a member comes twice, is no value of its input's datatype, does not fit its shape, or cannot be
            a parameter; the text names it.
    """
    known = {each.name: each for each in inputs}
    if _PARAMETERS in known:
        raise InvalidInput(f"Keyword '{_PARAMETERS}' for nested schema also given as input tensor name")
    request = ModelInferRequest()
    parameters: dict[str, object] = {}
    seen: set[str] = set()
    for name, value, nested in _flatten(body.members):
        expected = known.get(name)
        if name in seen:
            raise InvalidInput(f"{'parameter' if expected is None else 'input'} '{name}' already exists in request")
        seen.add(name)
        if expected is not None:
            request.inputs.append(_decode_input(expected, value, batched=batched))
        elif name == "id" and not nested:
            request.id = _decode_id(value)
        else:
            parameters[name] = _checked_parameter(name, value)
    request.parameters = Parameters(parameters)
    return request


def _flatten(members: Sequence[tuple[str, object]]) -> Iterator[tuple[str, object, bool]]:
    """Yield every name with its value, and whether it stands among the parameters."""
    has_parameters = False
    for name, value in members:
        if name != _PARAMETERS:
            yield name, value, False
            continue
        if has_parameters:
            raise InvalidInput(f"keyword '{name}' already exists in request")
        has_parameters = True
        if not isinstance(value, _Members):
            raise InvalidInput(f"Expected JSON object for keyword: '{name}', got {_kind(value)}")
        for inner, each in value:
            yield inner, each, True


def _decode_id(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    raise InvalidInput(f"id: expected a string, got {_kind(value)}")


def _checked_parameter(name: str, value: object) -> object:
    if type(value) in _NESTED:
        raise InvalidInput(
            f"parameter '{name}' has invalid type: expected a string, number or boolean, got {_kind(value)}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidInput(f"parameter '{name}': expected a finite number, got {value}")
    return value


def _decode_input(expected: ExpectedInput, value: object, *, batched: bool) -> InferInputTensor:
    name = expected.name
    place = REQUEST.place(name)
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    kinds = set(map(type, values))
    single = _SINGLE.get(expected.datatype or "")
    if single is not None and not kinds <= {single[0]}:
        kind, noun = single
        got = _kind(next(each for each in values if type(each) is not kind))
        raise place.fail("", f"attempt to access JSON non-{noun} as {noun}: got {got}")
    # A lone null is no NaN: it says that there is no value.
    if value is None or kinds & _NESTED:
        got = "a nested list" if isinstance(value, list) else _kind(value)
        raise place.fail("", f"expected a value or a flat list of values, got {got}")
    allowed = expected.datatypes if isinstance(expected, ImpliedTensor) else None
    spec = find_datatype(expected.datatype or _natural_datatype(kinds, allowed, place), place)
    shape = _pad(expected.shape, len(values), place, batched=batched)
    data = decode_json(values, spec, shape, count_elements(shape, place), place)
    return InferInputTensor(name, spec.name, shape, data=data)


def _natural_datatype(kinds: set[type], allowed: Collection[str] | None, place: Place) -> Datatype:
    for types, datatype in _NATURAL:
        if kinds and kinds <= types and (allowed is None or datatype in allowed):
            return datatype
    got = " and ".join(sorted({_TYPES[kind] for kind in kinds})) or "no values"
    # Without what is allowed, any value of these kinds has a datatype.
    expected = "numbers, strings or booleans" if allowed is None else f"values of {' or '.join(sorted(allowed))}"
    raise place.fail("", f"expected {expected}, got {got}")


def _pad(shape: Sequence[int], count: int, place: Place, *, batched: bool) -> list[int]:
    """Return a shape whose variable dimensions are such that it has `count` elements."""
    padded = [1, *shape[1:]] if batched and shape else list(shape)
    fixed = math.prod(size for size in padded if size >= 0)
    variable = [index for index, size in enumerate(padded) if size < 0]
    # A fixed dimension of 0 leaves nothing to divide: only an empty list has that shape.
    rest, over = divmod(count, fixed) if fixed else (0, count)
    if over or (fixed and not variable and rest != 1):
        raise place.fail(
            "",
            f"The schema can not convert input '{place.name}' to tensor with proper shape: "
            f"expected {list(shape)}, got {count} elements",
        )
    for index in variable:
        padded[index] = 1
    if variable:
        padded[variable[-1]] = rest
    return padded


def _kind(value: object) -> str:
    return _TYPES[type(value)]


def encode_generate(response: ModelInferResponse, *, nonfinite_as_null: bool = False) -> bytes:
    """Return the free-form JSON of a response.

    An output of one element is its bare value, any other a flat list. The parameters that are the server's own stay
    out of it.

    Raises:
        InvalidInput: an output has no JSON form.
        InferenceError: an output is no valid tensor, or two members of the answer would have one name.
    """
    answer: dict[str, object] = {"model_name": response.model_name, "model_version": response.model_version}
    if response.id:
        answer["id"] = response.id
    for index, output in enumerate(response.outputs):
        place = output_place(index, output.name)
        array = tensor_array(output, place)
        spec = find_datatype(output.datatype, place)
        values = encode_json(array, spec, place, nonfinite_as_null=nonfinite_as_null)
        _add(answer, "output", output.name, values[0] if len(values) == 1 else values)
    for name, value in response.parameters.items():
        if not name.startswith(_RESERVED):
            _add(answer, "parameter", name, value)
    return _encoder.encode(answer)


def _add(answer: dict[str, object], noun: str, name: str, value: object) -> None:
    if name in answer:
        raise InferenceError(f"{noun} '{name}': the generated answer has another member of this name")
    answer[name] = value
