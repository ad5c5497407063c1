"""What is counted, timed and restored, whatever becomes of a request and whichever kind of method answers it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from srv import MLModel, ModelParameters, ModelSettings, Settings
from srv._logging import model_context, model_name, model_version
from srv._server import Server
from srv.controlplane._repository import FolderRepository
from srv.dataplane._timeline import Timeline, now
from srv.types import InferenceRequest, InferenceResponse, Parameters, RequestInput, RequestOutput, ResponseOutput
from srv_codecs.content_types import codec_package, codec_scope
from srv_protocol.errors import DeadlineExceeded, InvalidInput, OutputNotFound, QueueTimeout
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator


class Model(MLModel):
    """Does what the request's parameter says."""

    contexts: ClassVar[list[tuple[str, str]]] = []

    async def load(self) -> bool:
        """Prepare to be waited for."""
        self.begun = asyncio.Event()
        self.loop = asyncio.get_running_loop()
        self.gate = threading.Event()
        return True

    def answer(self, payload: InferenceRequest) -> InferenceResponse:
        self.contexts.append((model_name.get(), model_version.get()))
        if payload.parameters.get("do") == "raise":
            raise ArithmeticError
        return InferenceResponse(outputs=[ResponseOutput("y", "FP32", [1], data=np.zeros(1, np.float32))])

    def wait(self, payload: InferenceRequest) -> None:
        self.loop.call_soon_threadsafe(self.begun.set)
        if payload.parameters.get("do") == "wait":
            self.gate.wait()

    async def wait_async(self, payload: InferenceRequest) -> None:
        self.begun.set()
        if payload.parameters.get("do") == "wait":
            await asyncio.Event().wait()


class Plain(Model):
    """Answers on its thread."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        self.wait(payload)
        return self.answer(payload)


class Async(Model):
    """Answers on the event loop."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        await self.wait_async(payload)
        return self.answer(payload)


class PlainStream(Model):
    """Answers twice on its thread."""

    def predict_stream(self, payloads: Iterator[InferenceRequest]) -> Iterator[InferenceResponse]:
        for payload in payloads:
            self.wait(payload)
            yield self.answer(payload)
            yield self.answer(payload)


class AsyncStream(Model):
    """Answers twice on the event loop."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        async for payload in payloads:
            await self.wait_async(payload)
            yield self.answer(payload)
            yield self.answer(payload)


KINDS = pytest.mark.parametrize("runtime", [Plain, Async, PlainStream, AsyncStream])


def request(model: str = "m", **parameters: Any) -> InferenceRequest:
    data = np.zeros((3, 1), np.float32)
    return InferenceRequest(
        model_name=model,
        id="asked",
        parameters=Parameters(parameters),
        inputs=[RequestInput("x", "FP32", [3, 1], data=data)],
    )


@contextlib.asynccontextmanager
async def serve(runtime: type[MLModel], *names: str, **model: Any) -> AsyncGenerator[Server]:
    server = Server(Settings(), FolderRepository(Path(), {}))
    for name in names:
        settings = ModelSettings(name=name, implementation=runtime, parameters=ModelParameters(version="2"), **model)
        await server.registry.load(settings)
    try:
        yield server
    finally:
        # Ends only if no request is left that uses the model.
        await server.registry.close()


async def ask(
    server: Server, asked: InferenceRequest, encode: Callable[[InferenceResponse], Any], times: Timeline
) -> int:
    """Send a request the way that its model answers, and return the number of responses."""
    plane = server.backend.dataplane
    if not server.registry.find(asked.model_name).streams:
        await plane.infer(asked, Headers({}), times, encode)
        return 1
    count = 0
    async with aclosing(plane.infer_stream(asked, Headers({}), times, encode)) as responses:
        async for _ in responses:
            count += 1
    return count


def counts(server: Server, model: str = "m") -> dict[str, int]:
    """Return what the metrics and the statistics say of a model."""
    text = server.backend.metrics.render().decode()
    (found,) = server.backend.dataplane.statistics(model)
    stats = found.inference_stats
    assert stats is not None
    assert stats.success is not None
    assert stats.fail is not None
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    names = {"success": "request_success_total", "failure": "request_failure_total", "timed": "request_duration_count"}
    return {
        **{
            key: int(float(values.get(f'model_infer_{name}{{model="{model}",version="2"}}', 0)))
            for key, name in names.items()
        },
        "statistics.success": stats.success.count,
        "statistics.fail": stats.fail.count,
        "inferences": found.inference_count,
        "executions": found.execution_count,
    }


def succeeded(number: int, batch: int) -> dict[str, int]:
    return {
        "success": number,
        "timed": number,
        "statistics.success": number,
        "inferences": number * batch,
        "executions": number,
    }


def count_outputs(response: InferenceResponse) -> int:
    return len(response.outputs)


def refuse(_response: InferenceResponse) -> None:
    raise LookupError


@KINDS
@pytest.mark.parametrize("batch", [1, 3])
def test_an_answer_counts_once_and_passes_every_station_in_order(runtime: type[Model], batch: int) -> None:
    async def run() -> None:
        Model.contexts.clear()
        async with serve(runtime, "m", max_batch_size=batch if batch > 1 else 0) as server:
            before = counts(server)
            responses = 0
            for _ in range(2):
                times = Timeline()
                responses += await ask(server, request(), count_outputs, times)
                stations = [
                    times.arrived, times.received, times.queued, times.started, times.computed, times.ended
                ]  # fmt: skip
                assert stations == sorted(stations)
                assert 0 not in stations
            after = counts(server)

            assert {key: after[key] - before[key] for key in after} == {
                "failure": 0, "statistics.fail": 0, **succeeded(2, batch)
            }  # fmt: skip
            assert set(Model.contexts) == {("m", "2")}
            assert len(Model.contexts) == responses

    asyncio.run(run())


@KINDS
def test_encoding_is_part_of_the_output_and_not_of_the_model(runtime: type[Model]) -> None:
    async def run() -> None:
        took: list[int] = []

        def encode(_response: InferenceResponse) -> None:
            began = now()
            while now() < began + 1_000_000:
                pass
            took.append(now() - began)

        async with serve(runtime, "m") as server:
            times = Timeline()
            await ask(server, request(), encode, times)
            (found,) = server.backend.dataplane.statistics("m")
            stats: Any = found.inference_stats

            assert stats.compute_output.ns >= sum(took)
            assert stats.compute_infer.ns + stats.compute_output.ns <= times.ended - times.started

    asyncio.run(run())


async def fail(server: Server, how: str, runtime: Model) -> None:
    """Send a request that has no answer."""
    asked, encode = request(), count_outputs
    if how == "the model raises":
        with pytest.raises(ArithmeticError):
            await ask(server, request(do="raise"), encode, Timeline())
    elif how == "its answer cannot be encoded":
        with pytest.raises(LookupError):
            await ask(server, asked, refuse, Timeline())
    elif how == "an option is wrong":
        with pytest.raises(InvalidInput):
            await ask(server, request(priority="first"), encode, Timeline())
    elif how == "an output is not there":
        asked.outputs = [RequestOutput("z")]
        with pytest.raises(OutputNotFound):
            await ask(server, asked, encode, Timeline())
    elif how == "the time is over":
        with pytest.raises((DeadlineExceeded, QueueTimeout)):
            await ask(server, request(do="wait", timeout=20_000), encode, Timeline())
    else:
        task = asyncio.create_task(ask(server, request(do="wait"), encode, Timeline()))
        await runtime.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


FAILURES = (
    "the model raises",
    "its answer cannot be encoded",
    "an option is wrong",
    "an output is not there",
    "the time is over",
    "the client leaves",
)


@KINDS
@pytest.mark.parametrize("how", FAILURES)
def test_a_request_without_an_answer_is_one_failure_and_leaves_nothing(runtime: type[Model], how: str) -> None:
    """No context, no use of the model; and the next request is answered and counted as if nothing had been."""

    async def run() -> None:
        async with serve(runtime, "m") as server:
            model: Any = server.registry.find("m").runtime
            try:
                with codec_scope("outer"), model_context("outer", "1"):
                    await fail(server, how, model)
                    assert (codec_package.get(), model_name.get(), model_version.get()) == ("outer", "outer", "1")
            finally:
                # The thread of a plain one runs on, whoever has left.
                model.gate.set()
            expected = {**succeeded(0, 1), "failure": 1, "statistics.fail": 1}

            assert counts(server) == expected
            await ask(server, request(), count_outputs, Timeline())
            assert counts(server) == {**expected, **succeeded(1, 1)}

    asyncio.run(run())


@pytest.mark.parametrize(("how", "counter"), [("the client leaves", "cancel"), ("the model raises", "fail")])
@pytest.mark.parametrize("runtime", [PlainStream, AsyncStream])
def test_a_stream_without_an_end_says_at_which_response_and_why(runtime: type[Model], how: str, counter: str) -> None:
    async def run() -> None:
        async with serve(runtime, "m") as server:
            model: Any = server.registry.find("m").runtime
            try:
                await fail(server, how, model)
            finally:
                model.gate.set()
            (found,) = server.backend.dataplane.statistics("m")
            (position,) = found.response_stats
            first = found.response_stats[position]
            each = {"cancel": first.cancel, "fail": first.fail, "success": first.success, "empty": first.empty_response}

            assert position == "0"
            assert {name: each[name].count for name in each if each[name] is not None} == {  # type: ignore[union-attr]  # just seen
                **dict.fromkeys(each, 0),
                counter: 1,
            }

    asyncio.run(run())


class Meeting(MLModel):
    """Answers when a request to each of two models is being answered, with the model that its logs would show."""

    together: ClassVar[asyncio.Barrier]

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        before = model_name.get()
        await self.together.wait()
        return InferenceResponse(parameters=Parameters(before=before, after=model_name.get(), id=payload.id))


class MeetingThreads(MLModel):
    """The same on threads."""

    together: ClassVar[threading.Barrier]

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        before = model_name.get()
        self.together.wait(60)
        return InferenceResponse(parameters=Parameters(before=before, after=model_name.get(), id=payload.id))


@pytest.mark.parametrize("runtime", [Meeting, MeetingThreads])
def test_requests_side_by_side_have_the_context_and_the_counts_of_their_own_model(runtime: type[MLModel]) -> None:
    async def run() -> None:
        Meeting.together = asyncio.Barrier(2)
        MeetingThreads.together = threading.Barrier(2)
        async with serve(runtime, "one", "two") as server:
            plane = server.backend.dataplane

            async def send(name: str) -> dict[str, object]:
                return await plane.infer(request(name), Headers({}), Timeline(), lambda answer: dict(answer.parameters))

            names = ["one", "two"] * 3
            answers = await asyncio.gather(*map(send, names))

            assert answers == [{"before": name, "after": name, "id": "asked"} for name in names]
            for name in ("one", "two"):
                assert counts(server, name)["success"] == 3
            assert model_name.get() == ""

    asyncio.run(run())
