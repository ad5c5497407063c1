"""The arguments of a custom handler: names and hints say where they come from. Resolved once, when a model is loaded.

Source: FastAPI's rules, which MLServer's handlers are written against; :mod:`srv.runtimes._markers` has its markers.
"""

from __future__ import annotations

import enum
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from srv.runtimes._argument_hints import find_hints
from srv.runtimes._markers import REQUIRED, Dependency, Marker, check_dependency, find_marker
from srv_codecs.hints import resolve_hints, show
from srv_protocol.errors import InvalidInput, LoadError
from srv_protocol.inference import Headers, ModelInferRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from srv.runtimes._argument_hints import ArgumentHint, Hints

_KINDS: Final = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


class HandlerCall(Protocol):
    """What a handler's arguments are made of: one request."""

    path: Mapping[str, str]
    query: Mapping[str, Sequence[str]]
    headers: Headers
    body: memoryview

    def request(self) -> object:
        """Return the request in the form of the REST front's framework."""
        ...

    def inference_request(self) -> ModelInferRequest:
        """Return the body as V2 inference has it.

        Raises:
            InvalidInput: it is no inference request.
        """
        ...


class _Place(enum.Enum):
    """Where an argument comes from."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"
    BODY = "body"
    EITHER = "query or body"


class _Read(Protocol):
    """Makes an argument of a request; :data:`REQUIRED` where the request does not have it."""

    def __call__(self, call: HandlerCall, /) -> object: ...


@dataclass(frozen=True, slots=True)
class _Argument:
    name: str
    read: _Read
    default: object
    expected: str

    def take(self, call: HandlerCall) -> object:
        value = self.read(call)
        if value is not REQUIRED:
            return value
        if self.default is REQUIRED:
            raise InvalidInput(self.expected)
        return self.default


@dataclass(frozen=True, slots=True)
class HandlerArguments:
    """Makes the arguments of a handler.

    Attributes:
        dependencies: the functions that give some of them, or arguments of one another.
        takes_request: whether one of them is the request in the form of the REST front's framework.
        takes_inference: whether one of them is a V2 inference request.
    """

    _arguments: tuple[_Argument, ...]
    dependencies: tuple[Callable[..., object], ...] = ()
    takes_request: bool = False
    takes_inference: bool = False

    def bind(self, call: HandlerCall) -> dict[str, object]:
        """Return the arguments for a request, by name; a :class:`Dependency` has still to be resolved.

        Raises:
            InvalidInput: one is missing or is not what its hint says; the text names the place.
        """
        return {argument.name: argument.take(call) for argument in self._arguments}


_PARTS: Final[dict[object, _Read]] = {
    ModelInferRequest: lambda call: call.inference_request(),
    Headers: lambda call: call.headers,
    bytes: lambda call: bytes(call.body),
}


class _Hinted(NamedTuple):
    """A parameter that is no part of the request itself."""

    parameter: inspect.Parameter
    hint: object
    marker: Marker | None
    kind: ArgumentHint
    where: str

    @property
    def wire_name(self) -> str:
        if self.marker is not None and self.marker.alias:
            return self.marker.alias
        name = self.parameter.name
        return name.replace("_", "-") if self.marker is not None and self.marker.underscores else name

    @property
    def is_header(self) -> bool:
        return self.marker is not None and self.marker.kind == "Header"

    @property
    def default(self) -> object:
        default = self.parameter.default if self.marker is None else self.marker.default
        return None if default is REQUIRED and self.kind.takes_none else default


def compile_arguments(
    function: Callable[..., object], path_names: Collection[str], *, has_body: bool
) -> HandlerArguments:
    """Return what makes the arguments of a bound method.

    Args:
        function: the method.
        path_names: the parameters of its path; each is an argument.
        has_body: whether requests have a body; those without are about their path and query alone.

    Raises:
        LoadError: an argument cannot come from a request; the text names it.
        CodecNotFound: a name in a hint is not known at run time.
    """
    name = function.__qualname__
    plain = inspect.unwrap(function)
    hints = resolve_hints(getattr(plain, "__func__", plain))
    reading = find_hints()
    arguments: list[_Argument] = []
    hinted: list[_Hinted] = []
    parameters = inspect.signature(function).parameters
    dependencies: list[Callable[..., object]] = []
    takes_request = takes_inference = False
    for parameter in parameters.values():
        where = f"{name}(): argument '{parameter.name}'"
        if parameter.kind not in _KINDS:
            raise LoadError(f"{where}: expected one that can be given by name, got {parameter}")
        hint = hints.get(parameter.name, Any)
        marker = find_marker(parameter, hint, where)
        if marker is not None and marker.kind == "Depends":
            needed = check_dependency(marker.dependency or hint, where)
            inner = compile_arguments(needed, _taken(needed, path_names), has_body=has_body)
            dependencies += [needed, *inner.dependencies]
            takes_request, takes_inference = (
                takes_request or inner.takes_request,
                takes_inference or inner.takes_inference,
            )
            arguments.append(_Argument(parameter.name, _depends(needed, inner), REQUIRED, ""))
            continue
        part = _request if _is_request(hint) else _find_part(hint)
        if part is not None and parameter.name not in path_names:
            takes_request = takes_request or part is _request
            takes_inference = takes_inference or hint is ModelInferRequest
            arguments.append(_Argument(parameter.name, part, REQUIRED, ""))
            continue
        hint = Any if hint is object else hint
        hinted.append(_Hinted(parameter, hint, marker, reading.compile(hint, where), where))
    missing = [each for each in path_names if each not in parameters]
    # One that takes the request may read them there, and a dependency may take them.
    if missing and not dependencies and not any(map(_is_request, hints.values())):
        raise LoadError(f"{name}(): expected an argument '{missing[0]}', which the path has, got none")
    body: list[_Hinted] = []
    alone = sum(each.parameter.name not in path_names and not each.is_header for each in hinted) == 1
    for each in hinted:
        place = _place(each, path_names, alone=alone, has_body=has_body)
        if place is _Place.BODY:
            body.append(each)
        else:
            arguments.append(_of_text(each, place, reading))
    embedded = len(body) > 1 or any(each.marker is not None and each.marker.embed for each in body)
    arguments += [_of_body(each, reading, embedded=embedded) for each in body]
    return HandlerArguments(tuple(arguments), tuple(dependencies), takes_request, takes_inference)


def _taken(function: Callable[..., object], path_names: Collection[str]) -> list[str]:
    parameters = inspect.signature(function).parameters
    return [name for name in path_names if name in parameters]


def _depends(function: Callable[..., object], arguments: HandlerArguments) -> _Read:
    return lambda call: Dependency(function, arguments.bind(call))


def _find_part(hint: object) -> _Read | None:
    return _PARTS.get(hint) if isinstance(hint, type) else None


def _is_request(hint: object) -> bool:
    """Whether a hint is the class of requests of a framework: Litestar's, Starlette's or FastAPI's."""
    return isinstance(hint, type) and hint.__name__ == "Request"


def _request(call: HandlerCall) -> object:
    return call.request()


def _place(each: _Hinted, path_names: Collection[str], *, alone: bool, has_body: bool) -> _Place:
    scalar = each.kind.scalar
    if each.parameter.name in path_names:
        if not scalar:
            raise LoadError(f"{each.where}: expected a hint that text fits, as str or int, got {show(each.hint)}")
        return _Place.PATH
    kind = "" if each.marker is None else each.marker.kind
    if kind == "Path":
        raise LoadError(f"{each.where}: expected a path that has {{{each.parameter.name}}}, got none")
    if kind == "Body" or (not kind and has_body and not scalar):
        return _Place.BODY
    if not scalar and not each.kind.many and each.hint is not Any:
        raise LoadError(
            f"{each.where}: expected a hint that the query's text fits, as str or list[int], got {show(each.hint)}"
        )
    if kind == "Header":
        return _Place.HEADER
    # MLServer's users send the one argument as the body; FastAPI takes a plain one from the query.
    return _Place.EITHER if has_body and alone and not kind else _Place.QUERY


def _of_text(each: _Hinted, place: _Place, reading: Hints) -> _Argument:
    """Return an argument that is text in the path or in the query."""
    name, hint = each.wire_name, each.hint
    many = each.kind.many

    def convert(value: object, spot: str) -> object:
        try:
            return each.kind.from_text(value)
        except ValueError:
            raise InvalidInput(f"{spot}: expected {show(hint)}, got {_shown(value)}") from None

    def read_path(call: HandlerCall) -> object:
        return convert(call.path[each.parameter.name], f"path.{name}")

    def read_query(call: HandlerCall) -> object:
        values = call.query.get(name)
        if values is None:
            return REQUIRED
        if many:
            return convert(list(values), f"query.{name}")
        if len(values) > 1:
            raise InvalidInput(f"query.{name}: expected one value, got {len(values)}")
        return convert(values[0], f"query.{name}")

    def read_header(call: HandlerCall) -> object:
        value = call.headers.get(name)
        # Those of a header that came several times are one text by now.
        return REQUIRED if value is None else convert([value] if many else value, f"header.{name}")

    if place is _Place.PATH:
        return _Argument(each.parameter.name, read_path, REQUIRED, "")
    if place is _Place.HEADER:
        expected = f"header.{name}: expected {show(hint)}, got none"
        return _Argument(each.parameter.name, read_header, each.default, expected)
    if place is _Place.QUERY:
        expected = f"query.{name}: expected {show(hint)}, got none"
        return _Argument(each.parameter.name, read_query, each.default, expected)
    from_body = _of_body(each, reading, embedded=False)

    def read_either(call: HandlerCall) -> object:
        value = read_query(call)
        if value is REQUIRED:
            return from_body.read(call)
        if call.body:
            raise InvalidInput(f"query.{name}: expected it in the query or as the body, got both")
        return value

    expected = f"query.{name}: expected {show(hint)}, there or as the body's JSON, got none"
    return _Argument(each.parameter.name, read_either, each.default, expected)


def _of_body(each: _Hinted, reading: Hints, *, embedded: bool) -> _Argument:
    """Return an argument that is the body's JSON, or one of its members."""
    name, hint = each.wire_name, each.hint

    def read_body(call: HandlerCall) -> object:
        return each.kind.from_json(call.body, "body") if call.body else REQUIRED

    def read_member(call: HandlerCall) -> object:
        members: Mapping[str, object] = reading.members(call.body) if call.body else {}
        return each.kind.from_member(members[name], f"body.{name}") if name in members else REQUIRED

    kind = "JSON" if hint is Any else show(hint)
    expected = f"body.{name}: expected {kind}, got none" if embedded else f"body: expected {kind}, got none"
    return _Argument(each.parameter.name, read_member if embedded else read_body, each.default, expected)


def _shown(value: object) -> str:
    return f"{value!r:.80}"
