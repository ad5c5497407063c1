"""Which models have requests answered together."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from srv.batching._batcher import Batcher, BatchRules
from srv.dataplane._statistics import BatchStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from srv.runtimes._calls import Ticket
    from srv.runtimes._loaded import LoadedModel
    from srv_protocol.inference import ModelInferRequest

_logger: Final = logging.getLogger("srv")


def make_batcher(
    model: LoadedModel, serve: Callable[[ModelInferRequest, Ticket], Coroutine[object, object, object]]
) -> Batcher | None:
    """Return what answers a model's requests together, if its settings say so; and else ``None``.

    A model that cannot have it is logged. Its statistics become such as count executions by themselves.

    Args:
        model: which is loaded.
        serve: has one request answered by it.
    """
    settings = model.runtime.settings
    if not settings.max_batch_time:
        return None
    reason = unfit(model)
    if reason:
        _logger.warning("model '%s': max_batch_time has no effect: %s", model.name, reason)
        return None
    model.statistics = statistics = BatchStatistics()
    signature = model.signature
    rules = BatchRules(
        model.name,
        settings.max_batch_size,
        settings.max_batch_time,
        model.runner.limit,
        overlap=model.runner.overlaps,
        places=model.runner.places,
        reads_headers=signature is None or signature.reads_request,
    )
    return Batcher(rules, serve, model.use, statistics)


def unfit(model: LoadedModel) -> str:
    """Return why a model's requests cannot be answered together; ``""`` if they can."""
    runtime, signature = model.runtime, model.signature
    if runtime.settings.max_batch_size < 2:
        return f"max_batch_size is {runtime.settings.max_batch_size}"
    if type(runtime).stateful:
        return "the runtime is stateful"
    if model.decoupled:
        return "the runtime has only predict_stream"
    if signature is not None and signature.takes_headers:
        return "predict takes Headers, which are those of one request"
    shapes = [(each.name, tuple(each.shape)) for each in (*runtime.inputs, *runtime.outputs)]
    if signature is not None:
        shapes += [(each.name, each.shape) for each in (*signature.implied_inputs, *signature.implied_outputs)]
    for name, shape in shapes:
        if shape[:1] != (-1,):
            return f"the first dimension of '{name}' is not that of a batch, its shape is {list(shape)}"
    return ""
