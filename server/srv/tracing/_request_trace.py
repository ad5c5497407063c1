"""The trace of one request, while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv.dataplane._timeline import now
from srv.tracing._trace import TraceLevel
from srv.tracing._trace_file import TracedTensor, TraceRecord
from srv_codecs.arrays import input_place, output_place, tensor_array

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from srv.dataplane._timeline import Timeline
    from srv.tracing._trace import Tracer
    from srv_protocol.inference import ModelInferRequest, ModelInferResponse, Tensor


class RequestTrace:
    """What is traced of a request.

    Args:
        tracer: takes the trace in the end.
        levels: what is asked for.
        request: as its front has read it; the runtime may change it later.
        version: of the model that answers.
    """

    def __init__(
        self, tracer: Tracer, levels: frozenset[TraceLevel], request: ModelInferRequest, version: str, times: Timeline
    ) -> None:
        self._tracer = tracer
        self._levels = levels
        self._who = (request.model_name, version, request.id)
        self._times = times
        self._tensors: list[TracedTensor] = []
        self._add("TENSOR_QUEUE_INPUT", request.inputs)

    def add_response(self, response: ModelInferResponse) -> None:
        """Take note of a response of the model."""
        self._add("TENSOR_BACKEND_OUTPUT", response.outputs)

    def _add(self, activity: str, tensors: Sequence[Tensor]) -> None:
        if TraceLevel.TENSORS not in self._levels:
            return
        find_place = input_place if activity.endswith("INPUT") else output_place
        for index, tensor in enumerate(tensors):
            # A copy: the runtime may write into what it was given, and into what it has returned.
            array = tensor_array(tensor, find_place(index, tensor.name)).copy()
            self._tensors.append(TracedTensor(activity, tensor.name, tensor.datatype, tuple(tensor.shape), array))

    def write(self) -> None:
        """Hand on the trace, which ends now."""
        stamps = tuple(_stamps(self._times)) if TraceLevel.TIMESTAMPS in self._levels else ()
        # Its timeline holds it, and it its timeline: the tensors would stay until the collector comes.
        tensors, self._tensors = self._tensors, []
        self._tracer.write(TraceRecord(*self._who, stamps, tuple(tensors)))


def _stamps(times: Timeline) -> Iterator[tuple[str, int]]:
    """Yield the stations that were reached, in Triton's names.

    Inputs are decoded before a request waits for its model, so that COMPUTE_INPUT_END is COMPUTE_START.
    """
    receive, send = times.front
    stations = (
        (f"{receive}_START", times.arrived if receive else 0),
        (f"{receive}_END", times.received if receive else 0),
        ("REQUEST_START", times.received),
        ("QUEUE_START", times.queued),
        ("COMPUTE_START", times.started),
        ("COMPUTE_INPUT_END", times.started),
        ("COMPUTE_OUTPUT_START", times.computed),
        ("COMPUTE_END", times.ended if times.computed else 0),
        ("REQUEST_END", times.ended),
        (f"{send}_START", times.sending),
        (f"{send}_END", now() if times.sending else 0),
    )
    return (station for station in stations if station[1])
