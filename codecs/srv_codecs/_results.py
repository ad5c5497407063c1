"""What a runtime's return hint makes of its result: the outputs of a response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast, get_args, get_origin

from srv_codecs._hints import ByTypeHint, TableHint, TensorHint, find_hint, search_codecs, unexpected
from srv_codecs._type_hints import show, take_apart
from srv_protocol.errors import CodecNotFound, InferenceError
from srv_protocol.inference import ModelInferResponse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv_codecs._hints import ValueHint
    from srv_protocol.inference import InferOutputTensor


class Result(Protocol):
    """How the value that a runtime returns becomes outputs."""

    def encode(self, value: object) -> Sequence[InferOutputTensor] | ModelInferResponse:
        """Return the outputs, or the response that the runtime made itself.

        Raises:
            InferenceError: the value does not fit; the text names the output, what was expected and what came.
        """
        ...


@dataclass(frozen=True, slots=True)
class OneResult:
    """``-> np.ndarray``: one value, which is one output, or several as with a DataFrame."""

    name: str
    hint: ValueHint
    optional: bool

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
class DictResult:
    """``-> dict[str, np.ndarray]``: one output for each key, which is its name."""

    hint: ValueHint
    optional: bool

    def encode(self, value: object) -> Sequence[InferOutputTensor]:
        """Return the outputs of all items."""
        if value is None and self.optional:
            return ()
        if not isinstance(value, dict):
            raise unexpected("output-0", f"dict[str, {self.hint.text}]", value)
        outputs: list[InferOutputTensor] = []
        for name, item in cast("dict[object, object]", value).items():
            if not isinstance(name, str):
                raise InferenceError(f"output {name!r}: expected a name that is text, got {type(name).__name__}")
            outputs += self.hint.encode(name, item)
        return outputs


@dataclass(frozen=True, slots=True)
class ResponseResult:
    """``-> ModelInferResponse``: the runtime makes the response itself."""

    optional: bool

    def encode(self, value: object) -> Sequence[InferOutputTensor] | ModelInferResponse:
        """Return the value as it is."""
        if isinstance(value, ModelInferResponse):
            return value
        if value is None and self.optional:
            return ()
        raise InferenceError(f"the result: expected InferenceResponse, got {_kind(value)}")


@dataclass(frozen=True, slots=True)
class NoResult:
    """``-> None``: there are no outputs."""

    def encode(self, value: object) -> Sequence[InferOutputTensor]:
        """Return nothing."""
        if value is None:
            return ()
        raise InferenceError(f"the result: expected None, as the type hint says, got {_kind(value)}")


@dataclass(frozen=True, slots=True)
class UnhintedResult:
    """No return hint: the codec is found by the type of each value.

    A tuple is several values, and a dict named ones.
    """

    def encode(self, value: object) -> Sequence[InferOutputTensor] | ModelInferResponse:
        """Return the outputs, or the value when it is a response."""
        if isinstance(value, ModelInferResponse):
            return value
        if isinstance(value, dict):
            return DictResult(_BY_TYPE, optional=False).encode(cast("object", value))
        values = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
        return [output for index, item in enumerate(values) for output in _BY_TYPE.encode(f"output-{index}", item)]


_BY_TYPE: Final = ByTypeHint()


def _kind(value: object) -> str:
    return "None" if value is None else type(value).__name__


def find_result(hint: object, where: str) -> Result:
    """Return what a return hint means.

    Raises:
        CodecNotFound: no codec has the hint, or outputs share a name; the text starts with `where`.
    """
    if hint is type(None):
        return NoResult()
    parts = take_apart(hint)
    origin, members = get_origin(parts.core), get_args(parts.core)
    if parts.core is ModelInferResponse:
        return ResponseResult(parts.optional)
    # A codec may have such a hint of its own.
    if origin is dict and search_codecs(parts.core) is None:
        if members[:1] != (str,):
            raise CodecNotFound(f"{where}: expected names of outputs that are text, got {show(parts.core)}")
        return DictResult(find_hint(members[1], where), parts.optional)
    if origin is tuple:
        if not members or Ellipsis in members:
            raise CodecNotFound(f"{where}: {show(parts.core)} does not say how many outputs there are; use a dict")
        return TupleResult(_several(members, where), parts.optional)
    return _one(hint, 0, where)


def _several(hints: Sequence[object], where: str) -> tuple[OneResult, ...]:
    results = tuple(_one(hint, index, where) for index, hint in enumerate(hints))
    # The outputs of a table have names of their own, known when they are there.
    names = [result.name for result in results if isinstance(result.hint, TensorHint)]
    if len(set(names)) != len(names):
        raise CodecNotFound(f"{where}: expected outputs of different names, got {', '.join(names)}")
    return results


def _one(hint: object, index: int, where: str) -> OneResult:
    parts = take_apart(hint)
    found = find_hint(parts.core, where)
    if parts.output is not None and isinstance(found, TableHint):
        raise CodecNotFound(f"{where}: Output('{parts.output}') names one output, but {found.text} may give several")
    return OneResult(parts.output or f"output-{index}", found, parts.optional)
