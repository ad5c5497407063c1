"""What a server process knows of the others on its ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv._changes import Load, Unload
from srv._state import SHUTTING_DOWN
from srv.controlplane._load_parameters import check_unload_parameters, read_load_parameters
from srv.supervision._channel import ChannelClosed
from srv.supervision._messages import Ask
from srv.supervision._sums import sum_statistics
from srv_protocol.errors import ModelNotReady
from srv_protocol.inference import ModelStatistics

if TYPE_CHECKING:
    from srv._changes import Change
    from srv.supervision._channel import Channel


class SupervisedPeers:
    """The processes of one supervisor, as :class:`srv._backend.Peers` has them."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def change(self, change: Change) -> None:
        """Have a change made in all processes, in this one first; where that fails, nothing is changed.

        Raises:
            SrvError: what it raises here.
            InferenceError: it has failed in others, which are replaced.
        """
        # In JSON, bytes would look like text.
        if isinstance(change, Load):
            read_load_parameters(change.parameters)
        elif isinstance(change, Unload):
            check_unload_parameters(change.parameters)
        try:
            await self._channel.call("change", change, type(None))
        except ChannelClosed:
            raise ModelNotReady(SHUTTING_DOWN) from None

    async def statistics(self, name: str, version: str) -> list[ModelStatistics]:
        """Return the sums over all processes that live."""
        try:
            found = await self._channel.call("statistics", Ask(name, version), list[list[bytes]])
        except ChannelClosed:
            raise ModelNotReady(SHUTTING_DOWN) from None
        return sum_statistics([ModelStatistics.parse(each) for each in of_process] for of_process in found)
