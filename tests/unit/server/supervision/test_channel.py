"""Calls over a socket, both ways."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import msgspec
import pytest

from srv.supervision._channel import Channel, ChannelClosed
from srv_protocol.errors import InvalidInput, ModelNotFound, SrvError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from srv.supervision._channel import Handler


@contextlib.asynccontextmanager
async def pair(**handlers: Handler) -> AsyncGenerator[tuple[Channel, Channel]]:
    """Connect two channels, the second of which has the handlers."""
    ours, theirs = socket.socketpair()
    first, second = Channel(ours, {}), Channel(theirs, handlers)
    running = [asyncio.ensure_future(each.run()) for each in (first, second)]
    try:
        yield first, second
    finally:
        first.close()
        second.close()
        await asyncio.gather(*running)


def test_answers_and_errors_come_back() -> None:
    """Errors of the project's own as they are, with their kind and their text; large ones whole."""

    async def run() -> None:
        async def echo(body: msgspec.Raw) -> object:
            return msgspec.json.decode(body)

        async def fail(_: msgspec.Raw) -> object:
            raise ModelNotFound("m", "3")

        async with pair(echo=echo, fail=fail) as (channel, _):
            large = "x" * (1 << 20)
            assert await channel.call("echo", large, str) == large
            assert await asyncio.gather(*(channel.call("echo", each, int) for each in range(50))) == list(range(50))
            with pytest.raises(ModelNotFound) as found:
                await channel.call("fail", None, type(None))
            assert found.value.message == ModelNotFound("m", "3").message

    asyncio.run(run())


def test_what_waits_ends_when_the_other_side_does() -> None:
    """And so does what is asked behind that; what is told then is lost without a word."""

    async def run() -> None:
        entered = asyncio.Event()

        async def hang(_: msgspec.Raw) -> object:
            entered.set()
            await asyncio.Event().wait()
            raise InvalidInput("never")

        async with pair(hang=hang) as (channel, other):
            waiting = asyncio.ensure_future(channel.call("hang", None, type(None)))
            await entered.wait()
            other.close()
            with pytest.raises(ChannelClosed):
                await waiting
            with pytest.raises(ChannelClosed):
                await channel.call("hang", None, type(None))
            channel.tell("hang")
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                if "_handle" in repr(task):
                    task.cancel()

    asyncio.run(run())


def test_a_fault_of_the_other_side_is_an_error_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged there."""

    async def run() -> None:
        async def fail(_: msgspec.Raw) -> object:
            raise RuntimeError("secret")

        async with pair(fail=fail) as (channel, _):
            with pytest.raises(Exception) as found:  # noqa: PT011  # of whatever kind
                await channel.call("fail", None, type(None))
        assert not isinstance(found.value, SrvError)
        assert "fail failed" in caplog.text

    asyncio.run(run())
