"""The sum of what several processes say of the same models (Triton's "Statistics Extension")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srv_protocol.inference import (
    InferBatchStatistics,
    InferResponseStatistics,
    InferStatistics,
    ModelStatistics,
    StatisticDuration,
)

if TYPE_CHECKING:
    from collections.abc import Iterable


def sum_statistics(processes: Iterable[Iterable[ModelStatistics]]) -> list[ModelStatistics]:
    """Return one message for each version of each model, in the order in which they come first."""
    found: dict[tuple[str, str], list[ModelStatistics]] = {}
    for each in processes:
        for statistics in each:
            found.setdefault((statistics.name, statistics.version), []).append(statistics)
    return [_sum(same) for same in found.values()]


def _sum(same: list[ModelStatistics]) -> ModelStatistics:
    batches: dict[int, list[InferBatchStatistics]] = {}
    responses: dict[str, list[InferResponseStatistics]] = {}
    for each in same:
        for batch in each.batch_stats:
            batches.setdefault(batch.batch_size, []).append(batch)
        for position, response in each.response_stats.items():
            responses.setdefault(position, []).append(response)
    inferences = [each.inference_stats for each in same if each.inference_stats is not None]
    return ModelStatistics(
        name=same[0].name,
        version=same[0].version,
        last_inference=max(each.last_inference for each in same),
        inference_count=sum(each.inference_count for each in same),
        execution_count=sum(each.execution_count for each in same),
        inference_stats=InferStatistics(
            success=_add(each.success for each in inferences),
            fail=_add(each.fail for each in inferences),
            queue=_add(each.queue for each in inferences),
            compute_input=_add(each.compute_input for each in inferences),
            compute_infer=_add(each.compute_infer for each in inferences),
            compute_output=_add(each.compute_output for each in inferences),
            cache_hit=_add(each.cache_hit for each in inferences),
            cache_miss=_add(each.cache_miss for each in inferences),
        ),
        response_stats={
            position: InferResponseStatistics(
                compute_infer=_add(each.compute_infer for each in found),
                compute_output=_add(each.compute_output for each in found),
                success=_add(each.success for each in found),
                fail=_add(each.fail for each in found),
                empty_response=_add(each.empty_response for each in found),
                cancel=_add(each.cancel for each in found),
            )
            for position, found in sorted(responses.items(), key=lambda item: int(item[0]))
        },
        batch_stats=[
            InferBatchStatistics(
                batch_size=size,
                compute_input=_add(each.compute_input for each in found),
                compute_infer=_add(each.compute_infer for each in found),
                compute_output=_add(each.compute_output for each in found),
            )
            for size, found in sorted(batches.items())
        ],
    )


def _add(durations: Iterable[StatisticDuration | None]) -> StatisticDuration:
    given = [each for each in durations if each is not None]
    return StatisticDuration(count=sum(each.count for each in given), ns=sum(each.ns for each in given))
