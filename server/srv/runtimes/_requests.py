"""The requests that a stream is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Self

    from srv_protocol.inference import ModelInferRequest


class RequestStream:
    """A stream of requests, for ``predict_stream`` of either kind.

    It is an iterator of the first one, and an asynchronous one of all.
    """

    def __init__(self, first: ModelInferRequest, more: AsyncIterator[ModelInferRequest] | None) -> None:
        self._first = [first]
        self._more = more

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ModelInferRequest:
        if not self._first:
            raise StopIteration
        return self._first.pop()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ModelInferRequest:
        if self._first:
            return self._first.pop()
        if self._more is None:
            raise StopAsyncIteration
        return await anext(self._more)
