"""Which models have worker processes, and how these are run."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from srv.environments import Environments
from srv.workers._pool import PoolPlan
from srv.workers._settings import pack_server
from srv.workers._surface import BOOTSTRAP, surface_arguments
from srv_protocol.errors import LoadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv._log_settings import LogValue
    from srv._model_settings import ModelSettings
    from srv._settings import Settings
    from srv.environments import Lease
    from srv.workers._pool import WorkerPool

_START: Final = (
    "import json, sys; given = json.loads(sys.argv[1]); sys.path[:] = given['path']; "
    "from srv.workers._main import main; main(given)"
)
_logger: Final = logging.getLogger("srv")


class WorkerPlans:
    """Makes the plan of each model's workers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._logging: dict[str, LogValue] = {}
        self._pools: WeakSet[WorkerPool] = WeakSet()
        self._environments = Environments(Path(settings.environments_dir), settings.environment_max_size)

    async def plan(self, settings: ModelSettings) -> PoolPlan | None:
        """Return how a model's workers are run, ``None`` for a model that runs in the server's process.

        Raises:
            LoadError: the model's environment cannot be used.
        """
        path, tarball = settings.parameters.environment_path, settings.parameters.environment_tarball
        has_environment = path is not None or tarball is not None
        count = self._count(settings) or has_environment
        if not count:
            return None
        if not isinstance(settings.implementation, str):
            if has_environment:
                raise LoadError("a class cannot be told to another Python; name it as `module.Class`")
            _logger.warning(
                "model '%s': a class cannot be told to a worker process; it runs in this one", settings.name
            )
            return None
        lease: Lease | None = None
        command: tuple[str, ...] = (sys.executable, "-c", _START)
        arguments: Mapping[str, object] = {"path": sys.path}
        variables: Mapping[str, str] = os.environ
        if has_environment:
            lease = await self._environments.prepare(
                None if path is None else Path(path), None if tarball is None else Path(tarball)
            )
            command = (*lease.environment.python, str(BOOTSTRAP))
            arguments = surface_arguments()
            variables = lease.environment.environ(os.environ)
        pinned = settings.parameters.worker_env or {}
        return PoolPlan(
            count=int(count),
            command=command,
            arguments=arguments,
            variables=variables,
            pinned={name: (value,) if isinstance(value, str) else tuple(value) for name, value in pinned.items()},
            stop_timeout=self._settings.parallel_workers_timeout,
            hang_timeout=self._settings.worker_timeout,
            server=pack_server(self._settings),
            logging=self._logging,
            pools=self._pools,
            release=_nothing if lease is None else lease.release,
        )

    def set_logging(self, changes: Mapping[str, LogValue]) -> None:
        """Let all workers, and those to come, log as the server does from now on."""
        self._logging |= changes
        for pool in self._pools:
            pool.set_logging(changes)

    async def close(self) -> None:
        """Remove what was unpacked; no worker runs any more."""
        await self._environments.close()

    def _count(self, settings: ModelSettings) -> int:
        if settings.parameters.workers is not None:
            return settings.parameters.workers
        # MLServer's way to keep one model out of its workers; other numbers have no effect there, too.
        disabled = settings.parallel_workers is not None and settings.parallel_workers <= 0
        return 0 if disabled else self._settings.parallel_workers


def _nothing() -> None:
    pass
