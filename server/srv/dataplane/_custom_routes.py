"""Which model's handler a path leads to, and how it is called."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from srv.dataplane._deadline import Deadline
from srv.runtimes._calls import Ticket
from srv_protocol.errors import ModelNotFound, ModelNotReady, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from srv._settings import Settings
    from srv.controlplane._registry import ModelRegistry
    from srv.dataplane._timeline import Timeline
    from srv.runtimes._handler_arguments import HandlerCall
    from srv.runtimes._handlers import HandlerRoute
    from srv.runtimes._loaded import LoadedModel

_logger: Final = logging.getLogger("srv")
_MODELS: Final = "/v2/models"


class OwnRoute(NamedTuple):
    """A route of the server's own; ``None`` among the segments stands for a parameter."""

    method: str
    segments: tuple[str | None, ...]

    def covers(self, method: str, segments: Sequence[str | None]) -> bool:
        """Whether it takes every request to a route."""
        return (
            self.method == method
            and len(self.segments) == len(segments)
            and all(own is None or own == given for own, given in zip(self.segments, segments, strict=True))
        )


@dataclass(frozen=True, slots=True)
class CustomRoute:
    """A route that a path leads to.

    Attributes:
        template: the path with its parameters' names.
        parameters: their values.
    """

    model: LoadedModel
    handler: HandlerRoute
    template: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class FoundRoutes:
    """The routes that a path leads to.

    Attributes:
        methods: those of all of them; empty if there are none.
        route: the one of the request's method, if there is one.
    """

    methods: frozenset[str]
    route: CustomRoute | None = None


class CustomRoutes:
    """The routes of the handlers of all models that are loaded."""

    def __init__(self, settings: Settings, registry: ModelRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._own: Collection[OwnRoute] = ()
        registry.on_load.append(self._warn)

    def set_own(self, routes: Collection[OwnRoute]) -> None:
        """Take note of the server's own routes, which come before those of models."""
        self._own = routes

    def is_own(self, method: str, segments: Sequence[str]) -> bool:
        """Whether a route is the server's own."""
        return any(own.covers(method, segments) for own in self._own)

    def find(self, method: str, segments: Sequence[str]) -> FoundRoutes:
        """Return the routes that a path leads to; below a model's own path, those of that model or version.

        Raises:
            ModelNotFound: the path is that of a model that is not there.
            ModelNotReady: the model is being loaded.
            NotFound: several models have a route there, so that none is meant.
        """
        found: list[CustomRoute] = []
        if len(segments) > 2 and segments[0] == "v2" and segments[1] == "models":
            found += self._of_model(segments[2], segments[3:])
        else:
            for name in self._registry.names_with_handlers():
                try:
                    found += _matches(self._registry.find(name), segments, "")
                except (ModelNotFound, ModelNotReady):
                    continue
        chosen = [each for each in found if each.handler.method == method]
        # A model's first match is its most specific one.
        by_model = {each.model.runtime.name: each for each in reversed(chosen)}
        if len(by_model) > 1:
            paths = [f"{_MODELS}/{name}{each.handler.path.text}" for name, each in sorted(by_model.items())]
            raise NotFound(
                f"{method} /{'/'.join(segments)}: {len(paths)} models have a route of this path; "
                f"expected one of {', '.join(paths)}"
            )
        return FoundRoutes(frozenset(each.handler.method for each in found), next(iter(by_model.values()), None))

    def _of_model(self, name: str, rest: Sequence[str]) -> Iterator[CustomRoute]:
        if len(rest) > 1 and rest[0] == "versions":
            found = _matches(self._registry.find(name, rest[1]), rest[2:], f"{_MODELS}/{{name}}/versions/{{version}}")
            yield from found
            return
        yield from _matches(self._registry.find(name), rest, f"{_MODELS}/{{name}}")

    async def call(self, route: CustomRoute, call: HandlerCall, times: Timeline) -> object:
        """Return what a handler makes of a request; it waits for its model as inference does.

        The caller holds the model in use.

        Raises:
            InvalidInput: an argument is missing or wrong.
            QueueFull: too many wait already.
            DeadlineExceeded: it takes longer than the server allows.
            Exception: whatever the handler raises.
        """
        times.mark_queued()
        ticket = Ticket(bounded=True, begin=times.mark_started)
        answering = route.model.runner.handle(route.handler, call, ticket)
        return await Deadline(None, self._settings.request_timeout, times).hold(answering)

    def _warn(self, model: LoadedModel) -> None:
        name = model.runtime.name
        for handler in model.handlers:
            for above in (("v2", "models", name), ()):
                segments = (*above, *handler.path.segments)
                if any(own.covers(handler.method, segments) for own in self._own):
                    _logger.warning(
                        "model '%s': %s(): %s %s is a route of the server's own, which comes first",
                        name,
                        handler.name,
                        handler.method,
                        f"{'/' if above else ''}{'/'.join(above)}{handler.path.text}" or "/",
                    )


def _matches(model: LoadedModel, segments: Sequence[str], above: str) -> Iterator[CustomRoute]:
    for handler in model.handlers:
        parameters = handler.path.match(segments)
        if parameters is not None:
            yield CustomRoute(model, handler, f"{above}{handler.path.text}" or "/", parameters)
