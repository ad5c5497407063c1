"""What a model has done so far, in the terms of Triton's "Statistics Extension"."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from srv_protocol.inference import (
    InferBatchStatistics,
    InferResponseStatistics,
    InferStatistics,
    ModelStatistics,
    StatisticDuration,
)

if TYPE_CHECKING:
    from srv.dataplane._timeline import Timeline

MAX_BATCH_SIZES: Final = 1000
"""Batch sizes that are counted one by one; clients choose them."""
MAX_RESPONSES: Final = 1000
"""Positions in a stream that are counted one by one; streams may be endless."""
# Triton's versions are numbers from 1. perf_analyzer reads a number here, and ends at anything else.
_SOLE_VERSION: Final = "1"


class _Duration:
    """How often something happened, and the nanoseconds that it took in all."""

    __slots__ = ("count", "ns")

    def __init__(self) -> None:
        self.count = 0
        self.ns = 0

    def add(self, ns: int) -> None:
        self.count += 1
        self.ns += ns

    def to_message(self) -> StatisticDuration:
        return StatisticDuration(count=self.count, ns=self.ns)


class _Phases:
    """The three phases of the executions that had one batch size."""

    __slots__ = ("count", "infer_ns", "input_ns", "output_ns")

    def __init__(self) -> None:
        self.count = self.input_ns = self.infer_ns = self.output_ns = 0

    def add(self, other: _Phases) -> None:
        self.count += other.count
        self.input_ns += other.input_ns
        self.infer_ns += other.infer_ns
        self.output_ns += other.output_ns

    @property
    def input(self) -> StatisticDuration:
        return StatisticDuration(count=self.count, ns=self.input_ns)

    @property
    def infer(self) -> StatisticDuration:
        return StatisticDuration(count=self.count, ns=self.infer_ns)

    @property
    def output(self) -> StatisticDuration:
        return StatisticDuration(count=self.count, ns=self.output_ns)


class _Response:
    """The responses at one position of the model's streams."""

    __slots__ = ("cancel", "empty", "fail", "infer", "output", "success")

    def __init__(self) -> None:
        self.infer = _Duration()
        self.output = _Duration()
        self.success = _Duration()
        self.fail = _Duration()
        self.empty = _Duration()
        self.cancel = _Duration()

    def to_message(self) -> InferResponseStatistics:
        return InferResponseStatistics(
            compute_infer=self.infer.to_message(),
            compute_output=self.output.to_message(),
            success=self.success.to_message(),
            fail=self.fail.to_message(),
            empty_response=self.empty.to_message(),
            cancel=self.cancel.to_message(),
        )


class Statistics:
    """Counters of one loaded model; they begin again when it is loaded anew."""

    def __init__(self) -> None:
        self._last_inference_ms = 0
        self._inferences = 0
        self._executions = 0
        self._success = _Duration()
        self._fail = _Duration()
        self._queue = _Duration()
        self._cache_hit = _Duration()
        self._cache_miss = _Duration()
        self._batches: dict[int, _Phases] = {}
        # Those of all batch sizes that are not counted one by one.
        self._further = _Phases()
        self._responses: dict[int, _Response] = {}
        # Those of requests, where several may have one execution.
        self._requests: _Phases | None = None

    def add_success(self, times: Timeline, batch_size: int, infer_ns: int, output_ns: int) -> None:
        """Count a request that has its answer, or all of its answers.

        Args:
            times: of the request.
            batch_size: 1 for a model without batches.
            infer_ns: what the model took, in nanoseconds.
            output_ns: what it took to encode the answers.
        """
        self._last_inference_ms = time.time_ns() // 1_000_000
        self._inferences += batch_size
        self._executions += 1
        received, queued = times.received, times.queued
        # Each inference comes here: a call for each number would take longer than all of them.
        success, queue = self._success, self._queue
        success.count += 1
        success.ns += times.ended - received
        queue.count += 1
        queue.ns += times.started - queued
        batch = self._batches.get(batch_size) or self._new_batch(batch_size)
        batch.count += 1
        batch.input_ns += queued - received
        batch.infer_ns += infer_ns
        batch.output_ns += output_ns

    def _new_batch(self, size: int) -> _Phases:
        if len(self._batches) >= MAX_BATCH_SIZES:
            return self._further
        found = self._batches[size] = _Phases()
        return found

    def add_hit(self, times: Timeline, lookup_ns: int) -> None:
        """Count a request that the cache has answered: a success and, as in Triton, no inference and no execution."""
        self._success.add(times.ended - times.received)
        self._queue.add(times.started - times.queued)
        self._cache_hit.add(lookup_ns)

    def add_miss(self, cache_ns: int) -> None:
        """Count a request that the cache could not answer, beside its success."""
        self._cache_miss.add(cache_ns)

    def add_failure(self, times: Timeline) -> None:
        """Count a request that has an error for its answer, or none."""
        self._fail.add(times.ended - (times.received or times.arrived))

    def add_response(self, position: int, infer_ns: int, output_ns: int) -> None:
        """Count a response of a stream: how long the model took since the one before, and its encoding."""
        response = self._response(position)
        if response is not None:
            response.infer.add(infer_ns)
            response.output.add(output_ns)
            response.success.add(infer_ns + output_ns)

    def add_stream_end(self, position: int, infer_ns: int) -> None:
        """Count the end of a stream, which is an empty response."""
        response = self._response(position)
        if response is not None:
            response.empty.add(infer_ns)

    def add_stream_failure(self, position: int, infer_ns: int, *, cancelled: bool) -> None:
        """Count the end of a stream by an error, or by a client that went away."""
        response = self._response(position)
        if response is not None:
            (response.cancel if cancelled else response.fail).add(infer_ns)

    def _response(self, position: int) -> _Response | None:
        if position >= MAX_RESPONSES:
            return None
        found = self._responses.get(position)
        if found is None:
            found = self._responses[position] = _Response()
        return found

    def to_message(self, name: str, version: str) -> ModelStatistics:
        """Return the counters as they are now; those of a model without version say that it is version 1."""
        phases = self._requests
        if phases is None:
            phases = _Phases()
            for each in (*self._batches.values(), self._further):
                phases.add(each)
        return ModelStatistics(
            name=name,
            version=version or _SOLE_VERSION,
            last_inference=self._last_inference_ms,
            inference_count=self._inferences,
            execution_count=self._executions,
            inference_stats=InferStatistics(
                success=self._success.to_message(),
                fail=self._fail.to_message(),
                queue=self._queue.to_message(),
                compute_input=phases.input,
                compute_infer=phases.infer,
                compute_output=phases.output,
                cache_hit=self._cache_hit.to_message(),
                cache_miss=self._cache_miss.to_message(),
            ),
            response_stats={str(position): each.to_message() for position, each in sorted(self._responses.items())},
            batch_stats=[
                InferBatchStatistics(
                    batch_size=size,
                    compute_input=each.input,
                    compute_infer=each.infer,
                    compute_output=each.output,
                )
                for size, each in sorted(self._batches.items())
            ],
        )


class BatchStatistics(Statistics):
    """Counters of a model that may answer several requests in one execution.

    As in Triton, the phases of requests are those of all of them, and those of a batch size those of its executions.
    """

    def __init__(self) -> None:
        super().__init__()
        self._requests = self._all = _Phases()

    def add_success(self, times: Timeline, batch_size: int, infer_ns: int, output_ns: int) -> None:
        """Count a request that has its answer, and no execution."""
        self._last_inference_ms = time.time_ns() // 1_000_000
        self._inferences += batch_size
        self._success.add(times.ended - times.received)
        self._queue.add(times.started - times.queued)
        _add_phases(self._all, times.queued - times.received, infer_ns, output_ns)

    def add_execution(self, batch_size: int, input_ns: int, infer_ns: int, output_ns: int) -> None:
        """Count what the model has done for one request, or for several at once.

        Args:
            batch_size: the rows of all of them.
            input_ns: what it took to join the requests.
            infer_ns: what the model took.
            output_ns: what it took to take the response apart.
        """
        self._executions += 1
        batch = self._batches.get(batch_size) or self._new_batch(batch_size)
        _add_phases(batch, input_ns, infer_ns, output_ns)

    def add_stream_end(self, position: int, infer_ns: int) -> None:
        """Count the end of a stream, which is an execution of its own."""
        super().add_stream_end(position, infer_ns)
        self._executions += 1


def _add_phases(phases: _Phases, input_ns: int, infer_ns: int, output_ns: int) -> None:
    phases.count += 1
    phases.input_ns += input_ns
    phases.infer_ns += infer_ns
    phases.output_ns += output_ns
