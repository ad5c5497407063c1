from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from srv import MLModel
from srv.errors import InvalidInput
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Stream(MLModel):
    """Answers one request with many responses."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Count to the number that the input ``count`` has.

        With an input ``port`` it is connected to from the first response to the end, however that comes. A negative
        count is an error after as many responses; an input ``mistake`` makes the next one None.
        """
        payload = await anext(aiter(payloads))
        given = {tensor.name: tensor.data[0] for tensor in payload.inputs}
        count = int(str(given["count"]))
        writer = None
        try:
            if "port" in given:
                _, writer = await asyncio.open_connection("127.0.0.1", int(str(given["port"])))
            for number in range(abs(count)):
                yield InferenceResponse(outputs=[ResponseOutput("number", "INT32", [1], data=[number])])
                await asyncio.sleep(0)
            if "mistake" in given:
                yield None  # type: ignore[misc]  # the mistake
            if count < 0:
                raise InvalidInput(f"the end is at {abs(count)}")
        finally:
            if writer is not None:
                writer.close()
