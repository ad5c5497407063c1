"""What all server processes have counted, those that have ended too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from srv.supervision._channel import ChannelClosed
from srv.supervision._samples import Family, add_up, counted, render
from srv_protocol.errors import SrvError

if TYPE_CHECKING:
    from collections.abc import Collection

    from srv.supervision._process import ServerProcess

# Seconds that a process has to say what it has counted; of one that takes longer the last that it said is shown.
_PATIENCE: Final = 1.0
# Seconds between looks: what a process that is killed has counted since the last one is lost.
_INTERVAL: Final = 2.0


class Totals:
    """The sums of the metrics; what is counted never goes back.

    Args:
        processes: those that live, as the supervisor keeps them.
    """

    def __init__(self, processes: Collection[ServerProcess]) -> None:
        self._processes = processes
        self._past: list[Family] = []

    async def follow(self) -> None:
        """Ask the processes from time to time, for ever: one that is killed cannot be asked any more."""
        while True:
            await asyncio.sleep(_INTERVAL)
            await self._ask()

    async def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        await self._ask()
        return render(add_up([*(each.families for each in self._processes), self._past]))

    def keep(self, process: ServerProcess) -> None:
        """Take note of what a process has counted that has ended."""
        self._past = add_up([self._past, counted(process.families)])

    async def _ask(self) -> None:
        await asyncio.gather(*map(_ask_one, list(self._processes)))


async def _ask_one(process: ServerProcess) -> None:
    if process.is_leaving:
        return  # it says so itself, at its end
    try:
        families = await asyncio.wait_for(process.channel.call("metrics", None, list[Family]), _PATIENCE)
    except (ChannelClosed, SrvError, TimeoutError):
        return
    # Its last word may have come meanwhile.
    if not process.is_leaving:
        process.families = families
