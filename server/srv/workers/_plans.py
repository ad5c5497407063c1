"""Which models have worker processes, and how these are run."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING, Final

from srv.workers._pool import PoolPlan
from srv.workers._settings import pack_logging

if TYPE_CHECKING:
    from srv._model_settings import ModelSettings
    from srv._settings import Settings

_START: Final = (
    "import json, sys; given = json.loads(sys.argv[1]); sys.path[:] = given['path']; "
    "from srv.workers._main import main; main(given)"
)
_logger: Final = logging.getLogger("srv")


class WorkerPlans:
    """Makes the plan of each model's workers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def plan(self, settings: ModelSettings) -> PoolPlan | None:
        """Return how a model's workers are run, ``None`` for a model that runs in the server's process."""
        count = self._count(settings)
        if not count:
            return None
        if not isinstance(settings.implementation, str):
            _logger.warning(
                "model '%s': a class cannot be told to a worker process; it runs in this one", settings.name
            )
            return None
        pinned = settings.parameters.worker_env or {}
        return PoolPlan(
            count=count,
            command=(sys.executable, "-c", _START),
            arguments={"path": sys.path},
            variables=os.environ,
            pinned={name: [value] if isinstance(value, str) else value for name, value in pinned.items()},
            stop_timeout=self._settings.parallel_workers_timeout,
            hang_timeout=self._settings.worker_timeout,
            logging=pack_logging(self._settings),
        )

    def _count(self, settings: ModelSettings) -> int:
        if settings.parameters.workers is not None:
            return settings.parameters.workers
        # MLServer's way to keep one model out of its workers; other numbers have no effect there, too.
        disabled = settings.parallel_workers is not None and settings.parallel_workers <= 0
        return 0 if disabled else self._settings.parallel_workers
