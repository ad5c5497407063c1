"""Work that would hold up the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

# Bytes whose compression takes a millisecond or two.
_LARGE: Final = 1 << 17

_P = ParamSpec("_P")
_R = TypeVar("_R")


async def off_loop(size: int, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Call a function; on a thread when `size` bytes would hold up everybody else's requests."""
    if size > _LARGE:
        return await asyncio.to_thread(function, *args, **kwargs)
    return function(*args, **kwargs)
