"""What is kept of each inference, whatever becomes of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from srv.dataplane._timeline import now

if TYPE_CHECKING:
    from types import TracebackType

    from srv._metrics import InferenceMetrics
    from srv.dataplane._statistics import Statistics
    from srv.dataplane._timeline import Timeline
    from srv.tracing._request_trace import RequestTrace
    from srv_protocol.inference import ModelInferResponse


class Recording:
    """Counts one request, which is answered inside of it, in the metrics and in its model's statistics.

    Anything but a normal end is a failure.
    """

    __slots__ = (
        "_answered",
        "_batch_size",
        "_hit_ns",
        "_infer_ns",
        "_metrics",
        "_miss_ns",
        "_output_ns",
        "_position",
        "_statistics",
        "_times",
        "_trace",
    )

    def __init__(
        self,
        metrics: InferenceMetrics,
        statistics: Statistics,
        times: Timeline,
        batch_size: int,
        trace: RequestTrace | None,
    ) -> None:
        self._metrics = metrics
        self._statistics = statistics
        self._times = times
        self._batch_size = batch_size
        self._trace = trace
        self._infer_ns = 0
        self._output_ns = 0
        self._position = 0
        self._answered = False
        self._hit_ns: int | None = None
        self._miss_ns: int | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def add_answer(self, response: ModelInferResponse) -> None:
        """Take note of the one answer of a model, which has been encoded."""
        times = self._times
        if self._trace is not None:
            self._trace.add_response(response)
        times.ended = now()
        self._answered = True
        self._infer_ns = times.computed - times.started
        self._output_ns = times.ended - times.computed

    def add_cached(self, response: ModelInferResponse, lookup_ns: int) -> None:
        """Take note of an answer out of the cache, which has been encoded."""
        self._hit_ns = lookup_ns
        self.add_answer(response)

    def add_miss(self, cache_ns: int) -> None:
        """Take note that the cache had no answer, and of the nanoseconds that looking and keeping took."""
        self._miss_ns = cache_ns

    def add_response(self, response: ModelInferResponse, asked: int) -> None:
        """Take note of a response of a stream, which has been encoded; `asked` is when the model was asked for it."""
        times = self._times
        times.mark_ended()
        if self._trace is not None:
            self._trace.add_response(response)
        infer_ns, output_ns = times.computed - self._begun(asked), times.ended - times.computed
        self._statistics.add_response(self._position, infer_ns, output_ns)
        self._infer_ns += infer_ns
        self._output_ns += output_ns
        self._position += 1

    def add_stream_end(self, asked: int) -> None:
        """Take note of a stream that has ended of itself."""
        infer_ns = now() - self._begun(asked)
        self._statistics.add_stream_end(self._position, infer_ns)
        self._infer_ns += infer_ns

    def add_stream_failure(self, asked: int, error: BaseException) -> None:
        """Take note of a stream that ends with an error, or with a client that goes away."""
        cancelled = isinstance(error, (asyncio.CancelledError, GeneratorExit))
        self._statistics.add_stream_failure(self._position, now() - self._begun(asked), cancelled=cancelled)

    def _begun(self, asked: int) -> int:
        """Return when the model began with what it was asked for: its wait for the first is counted elsewhere."""
        return max(asked, self._times.started)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Count success with its durations, or failure."""
        times = self._times
        if not self._answered:
            times.mark_ended()
        if self._trace is not None:
            self._end_trace(self._trace, answered=kind is None and self._answered)
        if kind is not None:
            self._metrics.failure.count += 1
            self._statistics.add_failure(times)
            return
        self._metrics.success.count += 1
        self._metrics.duration.add((times.ended - times.queued) / 1e9)
        if self._hit_ns is not None:
            self._metrics.cache_hit.count += 1
            self._statistics.add_hit(times, self._hit_ns)
            return
        if self._miss_ns is not None:
            self._metrics.cache_miss.count += 1
            self._statistics.add_miss(self._miss_ns)
        self._statistics.add_success(times, self._batch_size, self._infer_ns, self._output_ns)

    def _end_trace(self, trace: RequestTrace, *, answered: bool) -> None:
        if answered:
            # The front has yet to write the answer.
            self._times.finish = trace.write
        else:
            trace.write()
