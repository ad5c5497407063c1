"""What is asked of a runtime once it is loaded, so that it does not fail at each request."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

from srv_codecs.content_types import input_codecs, request_codecs
from srv_protocol.errors import CodecError, LoadError, WireError

if TYPE_CHECKING:
    from collections.abc import Callable

    from srv.runtimes._calls import Caller
    from srv.runtimes._model import MLModel


async def load_runtime(runtime: MLModel, caller: Caller, changed: Callable[[], None]) -> None:
    """Call ``load``, and take what it returns or sets as the model's readiness.

    `changed` is called on the event loop whenever the runtime sets that later, or its inputs or outputs.

    Raises:
        LoadError: it returned something false that is not ``None``.
        Exception: whatever it raises.
    """
    # What its __init__ has said was about the time before.
    runtime._ready = None  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the server's own base class
    returned: object = await caller.call(runtime.load)
    if returned is not None and not returned:
        raise LoadError(f"load() returned {returned!r:.80}")
    if returned is not None or runtime._ready is None:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above
        runtime.ready = True
    loop = asyncio.get_running_loop()
    runtime._changed = partial(_call_on_loop, loop, changed)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # as above


def _call_on_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    # A thread of the model's may outlive the server's loop.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function)


def check_content_types(runtime: MLModel) -> None:
    """Check the content types of a model's settings and metadata; the codecs are loaded.

    Raises:
        LoadError: nobody has registered one.
    """
    try:
        content_type = runtime.settings.parameters.content_type
        if content_type:
            request_codecs.find(content_type, "parameters.content_type")
        for member, tensors in (("inputs", runtime.inputs), ("outputs", runtime.outputs)):
            for index, each in enumerate(tensors):
                if each.parameters.content_type:
                    where = f"{member}[{index}].parameters.content_type"
                    input_codecs.find(each.parameters.content_type, where)
    except (CodecError, WireError) as error:
        raise LoadError(error.message) from error
