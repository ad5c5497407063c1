"""The client of threads and that of asyncio are one to their callers."""

from __future__ import annotations

import inspect

from srv.client import AsyncClient, Client

NAMES = {name for name in vars(Client) if not name.startswith("_")}


def test_they_have_the_same_methods_with_the_same_arguments() -> None:
    assert {name for name in vars(AsyncClient) if not name.startswith("_")} == (NAMES - {"close"}) | {"aclose"}
    for name in (NAMES - {"close"}) | {"__init__"}:
        ours, theirs = (inspect.signature(getattr(each, name)).parameters for each in (Client, AsyncClient))
        assert list(ours.values()) == list(theirs.values()), name
