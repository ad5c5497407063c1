"""Metrics of a model's own, beside the server's: each value carries the name and the version of the model.

MLServer's ``register`` and ``log``, and counters, gauges and histograms. They are registered once, under a name, and
count for the model whose code runs: in ``load``, ``predict``, handlers, and whatever runs in their context.
"""

from __future__ import annotations

from srv._custom_metrics import CounterMetric, GaugeMetric, HistogramMetric, counter, gauge, histogram, log, register

__all__ = ["CounterMetric", "GaugeMetric", "HistogramMetric", "counter", "gauge", "histogram", "log", "register"]
