"""The Litestar applications: the REST front, and the metrics."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import unquote

from litestar import Litestar, Response, get
from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from srv._metrics import METRICS_TYPE
from srv.rest._custom_routes import CustomAnswer, is_unrouted, own_routes
from srv.rest._errors import CLIENT_CLOSED, AnyRequest, bare_error_response, describe_cut, handle_error
from srv.rest._generate_routes import generate_routes
from srv.rest._inference_routes import inference_routes
from srv.rest._metadata_routes import metadata_routes
from srv.rest._protocol import running_requests
from srv.rest._repository_routes import repository_routes
from srv.rest._settings_routes import settings_routes
from srv.rest._shared_memory_routes import shared_memory_routes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from srv._backend import Backend
    from srv._metrics import Metrics
    from srv._settings import CORSSettings
    from srv._state import ServerState

_ESCAPED_SLASH: Final = re.compile("%(?=2f)", re.IGNORECASE)


def rest_app(backend: Backend) -> ASGIApp:
    """Return the REST front as an ASGI application."""
    settings = backend.settings

    def answer_error(request: AnyRequest, error: Exception) -> Response[bytes]:
        return CustomAnswer(backend, error) if is_unrouted(request, error) else handle_error(request, error)

    app = Litestar(
        [
            *metadata_routes(backend),
            *repository_routes(backend),
            *shared_memory_routes(backend),
            *inference_routes(backend),
            *generate_routes(backend),
            *settings_routes(backend),
        ],
        exception_handlers={Exception: answer_error},
        openapi_config=OpenAPIConfig(
            title=settings.server_name,
            version=settings.server_version,
            path="/v2/docs",
            render_plugins=[JsonRenderPlugin(path="/dataplane.json")],
        ),
        cors_config=_cors(settings.cors_settings),
        # read_body() has the limit, for every route.
        request_max_body_size=None,
        # Litestar would set up handlers of its own for the root logger.
        logging_config=None,
    )
    backend.custom_routes.set_own(own_routes(app))
    return _guarded(app, backend.metrics, backend.state)


def metrics_app(path: str, render: Callable[[], Awaitable[bytes]]) -> ASGIApp:
    """Return the application that serves the metrics, as `render` writes them."""

    @get(path)
    async def show_metrics() -> Response[bytes]:
        return Response(await render(), media_type=METRICS_TYPE)

    return Litestar(
        [show_metrics], exception_handlers={Exception: handle_error}, openapi_config=None, logging_config=None
    )


def _cors(settings: CORSSettings | None) -> CORSConfig | None:
    if settings is None:
        return None
    return CORSConfig(
        allow_origins=settings.allow_origins,
        allow_origin_regex=settings.allow_origin_regex,
        allow_credentials=settings.allow_credentials,
        allow_methods=settings.allow_methods,  # type: ignore[arg-type]  # any method that the settings name
        allow_headers=settings.allow_headers,
        expose_headers=settings.expose_headers,
        max_age=settings.max_age,
    )


def _guarded(app: ASGIApp, metrics: Metrics, state: ServerState) -> ASGIApp:
    """Count requests by route and status, and answer those that are cut short.

    Health is not counted: its probes would drown the rest.
    """

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        _keep_escaped_slashes(scope)
        # uvicorn puts the path of the proxy in front.
        path = scope["path"].removeprefix(cast("Mapping[str, str]", scope).get("root_path", ""))
        if scope["type"] != ScopeType.HTTP or path.startswith("/v2/health/"):
            await app(scope, receive, send)
            return
        status, complete = 0, False

        async def watch(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            if message["type"] == "http.response.body":
                complete = not message.get("more_body")

        running, task = running_requests(cast("Mapping[str, object]", scope)), asyncio.current_task()
        assert task is not None  # noqa: S101  # ASGI applications are coroutines of a task
        running.add(task)
        started = metrics.http_started()
        try:
            await app(scope, receive, watch)
        except (asyncio.CancelledError, Exception) as error:
            if running.lost:
                # Whoever has the whole answer may leave before its end is noticed here.
                status = status if complete else CLIENT_CLOSED
                return
            if status and isinstance(error, asyncio.CancelledError):
                return  # within an answer that nobody reads; uvicorn closes the connection
            if status:
                raise
            await bare_error_response(describe_cut(error, state, scope["path"]))(scope, receive, watch)
        finally:
            running.remove(task)
            # Only a request that found its route has one.
            route = cast("Mapping[str, str]", scope).get("path_template", "unmatched")
            metrics.http_finished(scope["method"], route, status or CLIENT_CLOSED, started)

    return guard


def _keep_escaped_slashes(scope: Scope) -> None:
    """Make an escaped slash a part of its name: undone, it would lead to another route."""
    raw = scope["raw_path"].decode("latin-1")
    if _ESCAPED_SLASH.search(raw):
        scope["path"] = unquote(_ESCAPED_SLASH.sub("%25", raw))
