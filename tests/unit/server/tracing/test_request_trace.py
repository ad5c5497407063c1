"""The trace of one request."""

from __future__ import annotations

import gc
import weakref

import numpy as np

from srv.dataplane._timeline import HTTP, Timeline
from srv.tracing._request_trace import RequestTrace
from srv.tracing._trace import TraceLevel, Tracer
from srv.types import InferenceRequest, RequestInput


def test_tensors_go_with_what_is_written() -> None:
    """At once, and not when the collector comes: they may be large, and requests many."""
    inputs = [RequestInput("x", "INT32", [2], data=np.zeros(2, "<i4"))]
    times = Timeline(HTTP)
    request = InferenceRequest(model_name="m", inputs=inputs)
    trace = RequestTrace(Tracer(None), frozenset({TraceLevel.TENSORS}), request, "", times)
    times.finish = trace.write
    array = weakref.ref(trace._tensors[0].array)
    gc.disable()
    try:
        times.finish()
        del trace, times
        assert array() is None
    finally:
        gc.enable()
