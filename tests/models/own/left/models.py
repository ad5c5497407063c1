from __future__ import annotations

import asyncio
import logging
import socket
from contextvars import ContextVar
from typing import TYPE_CHECKING

import srv
from srv import MLModel, custom_handler
from srv.context import model_name, model_version
from srv.logging import logger
from srv.metrics import counter
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

EDITION = "first"
SEEN = counter("left_seen", "Requests that the model has seen", labels=["by"])

mine: ContextVar[str] = ContextVar("mine", default="unset")


def response(*values: str) -> InferenceResponse:
    """Return texts as a response."""
    return InferenceResponse(outputs=[ResponseOutput("y", "BYTES", [len(values)], data=list(values))])


def first(payload: InferenceRequest) -> str:
    """Return the text that a request has."""
    value = payload.inputs[0].data[0]
    return value.decode() if isinstance(value, bytes) else str(value)


class Left(MLModel):
    """Uses all that a model may use beside inference."""

    def load(self) -> None:
        """Write and count, as in every other place."""
        logger.info("load {%s}", '"quoted"')
        srv.log(left_loads=1)

    def unload(self) -> None:
        """Write."""
        logger.info("unload")

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Set a variable, and look for it in a thread and in a task."""
        before = mine.get()
        mine.set(first(payload))
        await asyncio.sleep(0)
        SEEN.inc(by="predict")
        in_thread = await asyncio.to_thread(mine.get)
        in_task = await asyncio.create_task(self.look())
        return response(before, in_thread, in_task, mine.get(), f"{model_name.get()}:{model_version.get()}")

    async def look(self) -> str:
        """Return the variable, and write."""
        await asyncio.to_thread(logger.warning, "in a thread")
        logging.getLogger(__name__).info("in a task")
        return mine.get()

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Set a variable with the first item, and give it with all."""
        async for payload in payloads:
            before = mine.get()
            mine.set(first(payload))
            for _ in range(3):
                await asyncio.sleep(0)
                yield response(before, mine.get(), model_name.get())

    @custom_handler("/hello", rest_method="GET")
    def hello(self) -> str:
        """Say which edition of the code this is."""
        logger.info("hello")
        SEEN.inc(by="handler")
        return EDITION

    @custom_handler("/wait/{port}")
    async def wait(self, port: int) -> str:
        """Connect to a port, and answer when a byte comes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await reader.read(1)
        finally:
            writer.close()
        return EDITION

    @custom_handler("/wait-plain/{port}")
    def wait_plain(self, port: int) -> str:
        """Do the same on the model's thread."""
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.recv(1)
        return EDITION

    @custom_handler("/mine")
    def mine(self, value: str) -> list[str]:
        """Set a variable."""
        before = mine.get()
        mine.set(value)
        return [before, mine.get()]


class Plain(MLModel):
    """Sets a variable on the model's thread."""

    def predict_stream(self, payloads: Iterator[InferenceRequest]) -> Iterator[InferenceResponse]:
        """Set a variable with the first item, and give it with all."""
        for payload in payloads:
            before = mine.get()
            mine.set(first(payload))
            for _ in range(3):
                yield response(before, mine.get(), model_name.get())

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Set a variable."""
        before = mine.get()
        mine.set(first(payload))
        return response(before, mine.get())
