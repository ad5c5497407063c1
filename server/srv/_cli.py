"""The command ``srv``."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import rich_click as click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from srv._allocator import keep_freed_memory
from srv._environment import read_environment
from srv._logging import configure_logging
from srv._report import ReportLine, print_report
from srv._running import end_tasks, give_up, run_to_end
from srv._settings import load_settings
from srv._version import __version__
from srv.controlplane._repository import FolderRepository
from srv.controlplane._source import make_repository
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srv._model_settings import ModelSettings
    from srv._server import Server
    from srv._settings import Settings
    from srv.controlplane._entry import ModelEntry
    from srv.controlplane._repository import ModelRepository

_logger: Final = logging.getLogger("srv")
_FAILED: Final = 1
_USAGE: Final = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(  # pyright: ignore[reportUnknownMemberType]  # an unbound type variable of click's
    __version__, prog_name="srv"
)
def main() -> None:
    """Serve models over the Open Inference Protocol."""


@main.command()
@click.argument(  # pyright: ignore[reportUnknownMemberType]  # the same
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False
)
@click.option(  # pyright: ignore[reportUnknownMemberType]  # the same
    "--reload", is_flag=True, help="Follow changes: load new models, reload changed ones, unload those that are gone."
)
def start(folder: Path | None, *, reload: bool) -> None:
    """Serve every model below FOLDER, or the current folder, over REST and gRPC.

    A model is a folder with a `model-settings.json`. The server's own settings come from environment variables
    (`SRV_HTTP_PORT`, …), then from `settings.json` in FOLDER.
    """
    try:
        environ = read_environment()
        root = folder or Path(load_settings(None, environ).model_repository_root)
        settings = load_settings(root, environ)
        configure_logging(settings)
        settings.log_warnings()
        if settings.processes > 1:
            from srv.supervision._supervisor import Supervisor  # which others need not wait for

            sys.exit(asyncio.run(Supervisor(root, settings, reload=reload).run()))
        repository = make_repository(settings, environ)
        if reload:
            check_watchable(repository)
        keep_freed_memory()
        sys.exit(run_to_end(_serve(settings, repository, reload=reload)))
    except SettingsError as error:
        click.echo(f"srv: {error.message}", err=True)
        sys.exit(_USAGE)


def check_watchable(repository: ModelRepository) -> None:
    """Refuse to follow the changes of a repository that has no folders.

    Raises:
        SettingsError: it has none.
    """
    if not isinstance(repository, FolderRepository):
        raise SettingsError(f"--reload: expected a repository of folders, got {type(repository).__name__}")


async def _serve(settings: Settings, repository: ModelRepository, *, reload: bool) -> tuple[int, bool]:
    """Run a server until a signal; return the exit status, and whether all code of the models has ended."""
    from srv._server import Server  # the fronts take half a second, which --help need not wait for

    server = Server(settings, repository, reload=reload)
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            server.hasten()
        stopping.set()

    reloading: set[asyncio.Task[None]] = set()

    def on_hangup() -> None:
        # While models load, they are as they are in the repository.
        if server.state.started and not stopping.is_set() and not reloading:
            task = asyncio.ensure_future(server.reload())
            reloading.add(task)
            task.add_done_callback(reloading.discard)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    await server.open()
    console = Console(stderr=True)
    loading = asyncio.ensure_future(_load(server, console))
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({loading, waiting}, return_when=asyncio.FIRST_COMPLETED)
    failed = False
    if loading.done():
        loading.result()
        print_report(console, [ReportLine.of(each) for each in server.registry.entries()], server.addresses)
        # What is watched may still be mended.
        failed = settings.load_models_at_startup and not reload and not server.backend.dataplane.model_names()
    else:
        await give_up(loading)
    if failed:
        _logger.error("%s: %s", server.root, nothing_to_serve(repository, server.registry.entries()))
    else:
        watching = asyncio.ensure_future(server.watch())
        await waiting
        watching.cancel()
        _logger.info("stopping")
    ended = await server.stop()
    waiting.cancel()
    return (_FAILED if failed else 0), ended and await end_tasks()


def nothing_to_serve(repository: ModelRepository, entries: Sequence[ModelEntry]) -> str:
    """Return what to say of a repository of which no model serves."""
    if entries:
        return "no model could be loaded"
    of_folders = isinstance(repository, FolderRepository)
    return "there is no model-settings.json" if of_folders else "the repository has no models"


async def _load(server: Server, console: Console) -> None:
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("loading models")

        def done(settings: ModelSettings) -> None:
            progress.update(task, description=f"loading models: {settings.name} done")

        await server.load_models(done)
