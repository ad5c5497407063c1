"""The custom handlers of a model: methods that REST serves on paths of their own.

Source: MLServer's ``custom_handler``, whose routes hang on the server's root alone.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from srv.runtimes._handler_arguments import HandlerArguments, compile_arguments
from srv.runtimes._markers import name_of, resolve, resolve_async
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from srv.runtimes._model import MLModel

METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""The methods that a handler may have; HEAD and OPTIONS follow from them."""

_MARKS: Final = "__srv_custom_handlers__"

_F = TypeVar("_F", bound="Callable[..., object]")


@dataclass(frozen=True, slots=True)
class RoutePath:
    """The path of a handler, in segments.

    Attributes:
        text: as the handler has it, without a slash at the end; ``""`` for ``/``.
        segments: ``None`` stands for a parameter.
        names: the parameters' names, in order.
    """

    text: str
    segments: tuple[str | None, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> RoutePath:
        """Return a path; ``{name}`` is a segment that is a parameter.

        Raises:
            LoadError: it does not begin with a slash, has braces of another kind, or a parameter twice.
        """
        given = cast("object", text)
        if not isinstance(given, str) or not given.startswith("/"):
            raise LoadError(f"rest_path: expected a path that begins with '/', got {given!r:.80}")
        segments: list[str | None] = []
        names: list[str] = []
        for segment in filter(None, given.split("/")):
            if segment[0] == "{" and segment[-1] == "}" and segment[1:-1].isidentifier():
                names.append(segment[1:-1])
                segments.append(None)
            elif "{" in segment or "}" in segment:
                raise LoadError(
                    f"rest_path {given!r}: expected parameters that are a whole segment, as in '/items/{{item}}', "
                    f"got {segment!r}"
                )
            else:
                segments.append(segment)
        if len(set(names)) != len(names):
            raise LoadError(f"rest_path {given!r}: expected parameters of different names, got {', '.join(names)}")
        return cls("".join(f"/{each}" for each in given.split("/") if each), tuple(segments), tuple(names))

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the parameters that a request's path has, ``None`` if it is another path."""
        if len(segments) != len(self.segments):
            return None
        values: list[str] = []
        for own, given in zip(self.segments, segments, strict=True):
            if own is None:
                values.append(given)
            elif own != given:
                return None
        return dict(zip(self.names, values, strict=True))


@dataclass(frozen=True, slots=True)
class _Mark:
    path: RoutePath
    method: str


@dataclass(frozen=True, slots=True)
class HandlerRoute:
    """Where a handler of a loaded model is served.

    Attributes:
        name: the method's, with that of its class.
        method: of HTTP.
    """

    name: str
    path: RoutePath
    method: str


@dataclass(frozen=True, slots=True)
class Handler(HandlerRoute):
    """A handler of a model that is loaded in this process.

    Attributes:
        arguments: makes the method's arguments of a request.
        invoke: calls the method with its arguments; a coroutine function if the method is one.
    """

    arguments: HandlerArguments
    invoke: Callable[[dict[str, object]], object]


def custom_handler(rest_path: str, rest_method: str = "POST") -> Callable[[_F], _F]:
    """Serve a method of a model over REST.

    Its routes are ``/v2/models/{name}{rest_path}``, the same below ``/versions/{version}``, and `rest_path` itself
    while no other model claims that. Used several times, it serves one method on several paths.

    Raises:
        LoadError: the path does not begin with ``/``, or the method is none of DELETE, GET, PATCH, POST and PUT.
    """
    path = RoutePath.parse(rest_path)
    given = cast("object", rest_method)
    method = given.upper() if isinstance(given, str) else ""
    if method not in METHODS:
        raise LoadError(f"rest_method of {rest_path!r}: expected one of {', '.join(METHODS)}, got {given!r:.80}")

    def mark(function: _F) -> _F:
        vars(function)[_MARKS] = (*_marks(function), _Mark(path, method))
        return function

    return mark


def find_handlers(runtime: MLModel) -> tuple[Handler, ...]:
    """Return the handlers of a runtime, inherited ones included; those with parameters behind those without.

    Raises:
        LoadError: a handler cannot be served; the text names it, and the argument.
    """
    found: dict[tuple[str, tuple[str | None, ...]], Handler] = {}
    for attribute in dir(type(runtime)):
        plain = inspect.getattr_static(type(runtime), attribute)
        # A static or class method is marked itself, or the function within.
        for mark in _marks(plain) or _marks(getattr(plain, "__func__", None)):
            handler = _bind(getattr(runtime, attribute), mark)
            other = found.setdefault((mark.method, mark.path.segments), handler)
            if other is not handler:
                raise LoadError(
                    f"{handler.name}(): {mark.method} {mark.path.text or '/'} is that of {other.name}() too"
                )
    return tuple(sorted(found.values(), key=lambda each: [segment is None for segment in each.path.segments]))


def _marks(function: object) -> tuple[_Mark, ...]:
    marks: object = getattr(function, "__dict__", {}).get(_MARKS, ())
    return cast("tuple[_Mark, ...]", marks)


def _bind(method: object, mark: _Mark) -> Handler:
    if not callable(method):
        # A property, or what __init__ has put there.
        raise LoadError(
            f"the handler of {mark.path.text!r}: expected a method, got {type(method).__name__}: its name is taken"
        )
    name = getattr(method, "__qualname__", repr(method))
    if inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
        raise LoadError(f"{name}(): expected a function that returns its answer, got a generator")
    call = cast("Callable[..., Any]", method)
    arguments = compile_arguments(call, mark.path.names, has_body=mark.method in {"PATCH", "POST", "PUT"})

    def plain(given: dict[str, object]) -> object:
        return call(**resolve(given))

    async def asynchronous(given: dict[str, object]) -> object:
        return await call(**await resolve_async(given))

    if inspect.iscoroutinefunction(method):
        return Handler(name, mark.path, mark.method, arguments, asynchronous)
    for needed in filter(inspect.iscoroutinefunction, arguments.dependencies):
        raise LoadError(f"{name}(): expected an async def, since it depends on one, {name_of(needed)}(), got a def")
    return Handler(name, mark.path, mark.method, arguments, plain)
