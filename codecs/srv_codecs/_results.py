"""What a runtime's return hint makes of its result: the outputs of a response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast, get_args, get_origin

from srv_codecs._fields import MISSING, fields_of
from srv_codecs._hints import find_hint, search_codecs
from srv_codecs._type_hints import show, take_apart
from srv_codecs._value_hints import ByTypeHint, TensorHint, encode_items, kind_of, unexpected
from srv_protocol.errors import CodecNotFound, InferenceError
from srv_protocol.inference import ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from srv_codecs._fields import Fields
    from srv_codecs._tensor_form import ImpliedTensor
    from srv_codecs._value_hints import ValueHint
    from srv_protocol.inference import InferOutputTensor


class Result(Protocol):
    """How the value that a runtime returns becomes outputs."""

    @property
    def implied(self) -> tuple[ImpliedTensor, ...]:
        """What is known of the outputs whose names are."""
        ...

    def encode(self, value: object) -> Sequence[InferOutputTensor] | ModelInferResponse:
        """Return the outputs, or the response that the runtime made itself.

        Raises:
            InferenceError: the value does not fit; the text names the output, what was expected and what came.
        """
        ...


@dataclass(frozen=True, slots=True)
class OneResult:
    """``-> np.ndarray``: one value, which is one output, or several as with a DataFrame or a dict."""

    name: str
    hint: ValueHint
    optional: bool

    @property
    def implied(self) -> tuple[ImpliedTensor, ...]:
        """The one output; nothing of those that have names of their own."""
        return (self.hint.implied_output(self.name),) if isinstance(self.hint, TensorHint) else ()

    def encode(self, value: object) -> Sequence[InferOutputTensor]:
        """Return the value's outputs, none for an optional one that is ``None``."""
        if value is None:
            if self.optional:
                return ()
            raise unexpected(self.name, self.hint.text, value)
        return self.hint.encode(self.name, value)


@dataclass(frozen=True, slots=True)
class TupleResult:
    """``-> tuple[A, B]``: one value for each member."""

    members: tuple[OneResult, ...]
    optional: bool

    @property
    def implied(self) -> tuple[ImpliedTensor, ...]:
        """The outputs of all members."""
        return _join(self.members)

    def encode(self, value: object) -> Sequence[InferOutputTensor]:
        """Return the outputs of all members."""
        if value is None and self.optional:
            return ()
        expected = f"a tuple of {len(self.members)} values"
        if not isinstance(value, tuple):
            raise unexpected(self.members[0].name, expected, value)
        values = cast("tuple[object, ...]", value)
        if len(values) < len(self.members):
            raise InferenceError(f"output '{self.members[len(values)].name}': expected {expected}, got {len(values)}")
        if len(values) > len(self.members):
            raise InferenceError(f"output 'output-{len(self.members)}': expected {expected}, got {len(values)}")
        pairs = zip(self.members, values, strict=True)
        return [output for member, item in pairs for output in member.encode(item)]


@dataclass(frozen=True, slots=True)
class FieldsResult:
    """``-> Answer``: a class whose fields are one value each; their names are those of the outputs."""

    fields: Fields
    members: tuple[OneResult, ...]
    optional: bool

    @property
    def implied(self) -> tuple[ImpliedTensor, ...]:
        """The outputs of all fields."""
        return _join(self.members)

    def encode(self, value: object) -> Sequence[InferOutputTensor]:
        """Return the outputs of all fields, none for an optional one that is ``None`` or missing."""
        if value is None and self.optional:
            return ()
        got = self.fields.misfit(value)
        if got:
            raise InferenceError(f"the result: expected {self.fields.text}, got {got}")
        read = self.fields.read
        outputs: list[InferOutputTensor] = []
        for field, member in zip(self.fields.names, self.members, strict=True):
            found = read(value, field)
            if found is not MISSING:
                outputs += member.encode(found)
            elif field in self.fields.required:
                raise InferenceError(f"output '{member.name}': expected {member.hint.text}, got no '{field}'")
        return outputs


@dataclass(frozen=True, slots=True)
class ResponseResult:
    """``-> ModelInferResponse``: the runtime makes the response itself."""

    optional: bool

    @property
    def implied(self) -> tuple[ImpliedTensor, ...]:
        """Nothing."""
        return ()

    def encode(self, value: object) -> Sequence[InferOutputTensor] | ModelInferResponse:
        """Return the value as it is."""
        if isinstance(value, ModelInferResponse):
            return value
        if value is None and self.optional:
            return ()
        raise InferenceError(f"the result: expected InferenceResponse, got {kind_of(value)}")


@dataclass(frozen=True, slots=True)
class NoResult:
    """``-> None``: there are no outputs."""

    @property
    def implied(self) -> tuple[ImpliedTensor, ...]:
        """Nothing."""
        return ()

    def encode(self, value: object) -> Sequence[InferOutputTensor]:
        """Return nothing."""
        if value is None:
            return ()
        raise InferenceError(f"the result: expected None, as the type hint says, got {kind_of(value)}")


@dataclass(frozen=True, slots=True)
class UnhintedResult:
    """No return hint: the codec is found by the type of each value.

    A tuple is several values, and a dict named ones.
    """

    @property
    def implied(self) -> tuple[ImpliedTensor, ...]:
        """Nothing."""
        return ()

    def encode(self, value: object) -> Sequence[InferOutputTensor] | ModelInferResponse:
        """Return the outputs, or the value when it is a response."""
        if isinstance(value, ModelInferResponse):
            return value
        if isinstance(value, dict):
            return encode_items(cast("dict[object, object]", value), _BY_TYPE)
        values = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
        return [output for index, item in enumerate(values) for output in _BY_TYPE.encode(f"output-{index}", item)]


_BY_TYPE: Final = ByTypeHint()


def _join(members: Iterable[OneResult]) -> tuple[ImpliedTensor, ...]:
    return tuple(each for member in members for each in member.implied)


def find_result(hint: object, where: str) -> Result:
    """Return what a return hint means.

    Raises:
        CodecNotFound: no codec has the hint, or outputs share a name; the text starts with `where`.
    """
    if hint is type(None):
        return NoResult()
    parts = take_apart(hint)
    if parts.core is ModelInferResponse:
        return ResponseResult(parts.optional)
    # A codec may have such a hint of its own.
    found = search_codecs(parts.core)
    if get_origin(parts.core) is tuple and found is None:
        members = get_args(parts.core)
        if not members or Ellipsis in members:
            raise CodecNotFound(f"{where}: {show(parts.core)} does not say how many outputs there are; use a dict")
        return TupleResult(_several(dict(enumerate(members)), where), parts.optional)
    fields = fields_of(parts.core, where) if found is None else None
    if fields is not None:
        if parts.output is not None:
            raise CodecNotFound(f"{where}: Output('{parts.output}') names one output, but {fields.text} gives several")
        return FieldsResult(fields, _several(fields.hints, where), parts.optional)
    return _one(hint, "output-0", where)


def _several(hints: Mapping[int, object] | Mapping[str, object], where: str) -> tuple[OneResult, ...]:
    results = tuple(
        _one(hint, f"output-{key}", where) if isinstance(key, int) else _one(hint, key, f"{where}: field '{key}'")
        for key, hint in hints.items()
    )
    # The outputs of a table have names of their own, known when they are there.
    names = [result.name for result in results if isinstance(result.hint, TensorHint)]
    if len(set(names)) != len(names):
        raise CodecNotFound(f"{where}: expected outputs of different names, got {', '.join(names)}")
    return results


def _one(hint: object, name: str, where: str) -> OneResult:
    parts = take_apart(hint)
    found = find_hint(parts.core, where)
    if parts.output is not None and not isinstance(found, TensorHint):
        raise CodecNotFound(f"{where}: Output('{parts.output}') names one output, but {found.text} may give several")
    return OneResult(parts.output or name, found, parts.optional)
