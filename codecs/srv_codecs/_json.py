"""The ``data`` of a tensor in V2 JSON <-> arrays."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import numpy as np

from srv_codecs._arrays import flatten, from_checked, from_values
from srv_codecs._envelope import explain
from srv_codecs._shape import MAX_DEPTH, with_shape
from srv_codecs._single_string import is_single_string
from srv_codecs._text_data import depth_of
from srv_protocol.datatypes import Datatype, JsonForm
from srv_protocol.errors import InvalidInput
from srv_protocol.inference import TensorData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from srv_codecs._place import Place
    from srv_protocol.datatypes import DatatypeSpec

_TYPES: Final[dict[JsonForm, tuple[type, str]]] = {
    JsonForm.BOOLEAN: (bool, "true or false"),
    JsonForm.INTEGER: (int, "integers"),
    JsonForm.NUMBER: (float, "numbers"),
    JsonForm.STRING: (str, "strings"),
}
_FEW: Final = 64
_BRACKET: Final = ord("[")
_BEFORE: Final = b"[ \t\r\n"


def decode_json(data: object, spec: DatatypeSpec, shape: Sequence[int], count: int, place: Place) -> TensorData:
    """Return the data of a JSON tensor, whose elements are flat or nested to `shape`.

    `data` is ``msgspec.Raw``, the text, or what a parser made of it that knows NaN and infinities.

    The values as they came and, for numbers and booleans, an array of them; both are new. ``null`` is NaN in a
    float tensor. A BYTES tensor may be one string as long as its shape says, a form that MLServer's documentation
    sends: that gives one element, whatever `count` is.

    Fails at `place` when the text is no such array, a value has another type or is out of range, or the number of
    elements is not that of `shape`.
    """
    if spec.json is JsonForm.NONE:
        raise place.fail(
            "data",
            f"receiving {spec.name} data via JSON is not supported. "
            f"Please use the binary data format for input '{place.name}'",
        )
    if not isinstance(data, msgspec.Raw):
        return _from_parsed(data, spec, shape, count, place)
    text = memoryview(data)
    # Most arrays are flat, and begin with their first element.
    depth = 1 if text[0] == _BRACKET and text[1] not in _BEFORE else depth_of(text)
    if depth > MAX_DEPTH:
        raise place.fail("data", f"JSON nesting depth exceeds maximum allowed limit ({MAX_DEPTH}), got {depth}")
    values, has_nulls = _decode_values(text, spec, depth, place)
    if spec.name is Datatype.BYTES:
        if isinstance(values, str):
            values = [values]
        if not is_single_string(values, count):
            flatten(values, shape, count, place)
        return TensorData(values)
    flat = values if depth == 1 and len(values) == count else flatten(values, shape, count, place)
    if has_nulls:
        flat = [float("nan") if item is None else item for item in flat]
    found = TensorData(values)
    found.array = with_shape(from_checked(flat, spec, place), shape, place)
    return found


def _from_parsed(data: object, spec: DatatypeSpec, shape: Sequence[int], count: int, place: Place) -> TensorData:
    values = [data] if isinstance(data, str) else data
    if not isinstance(values, list) or (isinstance(data, str) and spec.json is not JsonForm.STRING):
        raise place.fail("data", f"expected an array of {_TYPES[spec.json][1]}, got {data!r:.40}")
    found = TensorData(cast("list[object]", values))
    if not (spec.json is JsonForm.STRING and is_single_string(found.root, count)):
        found.array = from_values(found.root, spec, shape, count, place)
    return found


@functools.lru_cache(maxsize=256)
def values_decoder(form: JsonForm, depth: int, nullable: bool) -> msgspec.json.Decoder[Sequence[object]]:  # noqa: FBT001  # a cache key
    """Return the decoder of an array of that depth, whose elements have a form."""
    # Any: a type that is built at run time is none to a checker.
    kind: Any = float | None if nullable else _TYPES[form][0]
    for _ in range(depth):
        kind = list[kind]
    return msgspec.json.Decoder(kind)


def _decode_values(text: memoryview, spec: DatatypeSpec, depth: int, place: Place) -> tuple[Sequence[object], bool]:
    """Return the values, and whether there are nulls among them."""
    if not depth and spec.json is not JsonForm.STRING:
        raise place.fail("data", f"expected an array of {_TYPES[spec.json][1]}, got {_excerpt(text)}")
    try:
        return values_decoder(spec.json, depth, False).decode(text), False  # noqa: FBT003  # a cache key
    except msgspec.ValidationError as error:
        failure = error
        # Nulls are rare, and the stricter decoder is the faster one.
        if spec.json is JsonForm.NUMBER and "got `null`" in str(error):
            try:
                return values_decoder(spec.json, depth, True).decode(text), True  # noqa: FBT003  # a cache key
            except msgspec.ValidationError as other:
                failure = other
        raise InvalidInput(f"{explain(failure, f'{place.path}.data')} ({place.noun} '{place.name}')") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise place.fail("data", str(error)) from None


def _excerpt(text: memoryview) -> str:
    return bytes(text[:32]).decode("utf-8", "replace")


def encode_json(
    array: NDArray[np.generic], spec: DatatypeSpec, place: Place, *, nonfinite_as_null: bool = False
) -> list[object]:
    """Return an array's elements as a flat list that JSON can carry: booleans, numbers, text from UTF-8 bytes.

    Raises:
        InvalidInput: JSON has no form for the datatype, for NaN and infinity (unless they may become ``null``) or
            for bytes that are no UTF-8; the client can ask for binary data instead.
    """
    if spec.json is JsonForm.NONE:
        raise InvalidInput(
            f"sending {spec.name} data via JSON is not supported. "
            f"Please use the binary data format for {place.noun} '{place.name}'"
        )
    flat = array.reshape(-1)
    values: list[object] = flat.tolist()
    if spec.json is JsonForm.NUMBER and not nonfinite_as_null and not _all_finite(flat, values):
        index = int(np.argmin(np.isfinite(flat)))
        setting = ", or set json_nonfinite to null" if place.noun == "output" else ""
        raise InvalidInput(
            f"{place.path}.data[{index}]: {flat[index]} has no JSON form. "
            f"Please use the binary data format for {place.noun} '{place.name}'{setting}"
        )
    if spec.json is JsonForm.STRING:
        return _as_texts(values, place)
    return values


def _all_finite(array: NDArray[np.generic], values: list[Any]) -> bool:
    # Of a few values Python knows sooner than numpy.
    return all(map(math.isfinite, values)) if len(values) < _FEW else bool(np.isfinite(array).all())


def _as_texts(values: list[object], place: Place) -> list[object]:
    try:
        return list(map(bytes.decode, cast("list[bytes]", values)))
    except (TypeError, UnicodeDecodeError):
        # One of them is text already, or is to be named.
        return [_as_text(item, index, place) for index, item in enumerate(values)]


def _as_text(item: object, index: int, place: Place) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, (bytes, bytearray)):
        try:
            return str(item, "utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"{place.path}.data[{index}]: the bytes are not valid UTF-8 ({error.reason}), so JSON cannot carry "
                f"them. Please use the binary data format for {place.noun} '{place.name}'"
            ) from None
    raise place.fail(f"data[{index}]", f"expected bytes or text, got {type(item).__name__}")
