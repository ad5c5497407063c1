"""Requests that are answered together, in a server without sockets."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from batches import serve_batched as serve

from srv import Headers, MLModel, ModelParameters, decode_args
from srv._logging import model_name
from srv.dataplane._timeline import Timeline
from srv.types import InferenceRequest, InferenceResponse, Parameters, RequestInput, ResponseOutput
from srv_protocol.errors import DeadlineExceeded, InferenceError, InvalidInput, QueueFull, QueueTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from srv._server import Server


class Model(MLModel):
    """Notes what it is asked, and waits where it is told to."""

    async def load(self) -> bool:
        """Prepare to be waited for."""
        self.seen: list[InferenceRequest] = []
        self.scopes: list[str] = []
        self.begun = asyncio.Semaphore(0)
        self.loop = asyncio.get_running_loop()
        return True

    @property
    def sizes(self) -> list[int]:
        """The rows of each call."""
        return [each.inputs[0].shape[0] if each.inputs and each.inputs[0].shape else 0 for each in self.seen]

    def answer(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the doubled input; fail for a negative one."""
        x: Any = payload.inputs[0].data.array if payload.inputs else np.zeros(1, np.float32)
        if x.size and float(np.min(x)) < 0:
            message = f"negative: {np.min(x)}"
            raise ValueError(message)
        return InferenceResponse(outputs=[ResponseOutput("y", "FP32", list(x.shape), data=x * 2)])

    def note(self, payload: InferenceRequest) -> bool:
        """Take note of a request, and return whether it is to wait."""
        self.seen.append(payload)
        self.scopes.append(model_name.get())
        self.loop.call_soon_threadsafe(self.begun.release)
        return payload.parameters.get("do") == "wait"


class Plain(Model):
    """Answers on its thread."""

    async def load(self) -> bool:
        """Prepare to be waited for."""
        self.gate = threading.Event()
        return await super().load()

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        if self.note(payload):
            assert self.gate.wait(60)
        return self.answer(payload)

    def open(self) -> None:
        """Let those go on that wait."""
        self.gate.set()


class Async(Model):
    """Answers on the event loop."""

    async def load(self) -> bool:
        """Prepare to be waited for."""
        self.gate = asyncio.Event()
        self.cancelled = 0
        return await super().load()

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        if self.note(payload):
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return self.answer(payload)

    def open(self) -> None:
        """Let those go on that wait."""
        self.gate.set()


KINDS = pytest.mark.parametrize("runtime", [Plain, Async])


def runtime_of(server: Server) -> Any:
    return server.registry.find("m").runtime


def tensor(*rows: float, width: int = 1) -> RequestInput:
    data = np.repeat(np.array(rows, np.float32)[:, None], width, axis=1)
    return RequestInput("x", "FP32", [len(rows), width], data=data)


async def ask(
    server: Server, *inputs: RequestInput, headers: Any = None, times: Timeline | None = None, **members: Any
) -> InferenceResponse:
    request = InferenceRequest(model_name="m", inputs=list(inputs), **members)
    dataplane = server.backend.dataplane
    return await dataplane.infer(request, Headers(headers or {}), times or Timeline(), lambda response: response)


def doubled(response: InferenceResponse) -> Any:
    (output,) = response.outputs
    assert output.data.array is not None
    assert list(output.data.array.shape) == output.shape
    return output.data.array.tolist()


async def occupy(server: Server, runtime: Any) -> asyncio.Task[InferenceResponse]:
    """Send a request that waits in the model, and return when it does."""
    task = asyncio.create_task(ask(server, tensor(0, width=9), parameters={"do": "wait"}))
    await runtime.begun.acquire()
    return task


async def turn() -> None:
    """Let everybody go on who can."""
    for _ in range(20):
        await asyncio.sleep(0)


def waiting(*coroutines: Coroutine[Any, Any, InferenceResponse]) -> list[asyncio.Task[InferenceResponse]]:
    return [asyncio.create_task(each) for each in coroutines]


# ---- Together, and to each its own


@KINDS
def test_requests_of_one_moment_are_answered_together(runtime: type[Any]) -> None:
    """Each with its own rows, id and nothing else of the others; rows count, and not requests."""

    async def run() -> None:
        async with serve(runtime, max_batch_size=6) as server:
            rows = [[1.0], [2.0, 3.0], [4.0], [5.0, 6.0], [7.0]]
            answers = await asyncio.gather(*(ask(server, tensor(*each), id=f"{each[0]}") for each in rows))
            model = runtime_of(server)

            assert [doubled(each) for each in answers] == [[[2 * row] for row in each] for each in rows]
            assert [each.id for each in answers] == [f"{each[0]}" for each in rows]
            assert model.sizes == [6, 1]
            assert (model.seen[0].id, model.seen[1].id) == ("", "7.0")
            assert set(model.scopes) == {"m"}

    asyncio.run(run())


@KINDS
def test_a_request_that_finds_the_model_idle_does_not_wait(runtime: type[Any]) -> None:
    """It reaches the model as it came."""

    async def run() -> None:
        async with serve(runtime) as server:
            for number in range(3):
                assert doubled(await ask(server, tensor(number), id="a", headers={"h": "1"})) == [[2.0 * number]]
            seen = runtime_of(server).seen
            assert [(each.id, each.parameters.headers) for each in seen] == [("a", {"h": "1"})] * 3

    asyncio.run(run())


@KINDS
def test_those_who_come_while_the_model_runs_go_together(runtime: type[Any]) -> None:
    async def run() -> None:
        async with serve(runtime) as server:
            model = runtime_of(server)
            first = await occupy(server, model)
            tasks = waiting(*(ask(server, tensor(number)) for number in range(5)))
            await turn()
            assert model.sizes == [1]
            model.open()
            assert [doubled(await each) for each in tasks] == [[[2.0 * number]] for number in range(5)]
            await first
            assert model.sizes == [1, 5]

    asyncio.run(run())


def test_an_async_model_begins_with_a_full_batch_and_with_one_that_has_waited_for_long_enough() -> None:
    """Although it is not idle: its requests may overlap."""

    async def run() -> None:
        async with serve(Async, max_batch_size=4) as server:
            model = runtime_of(server)
            first = await occupy(server, model)
            tasks = waiting(*(ask(server, tensor(number)) for number in range(6)))
            assert [doubled(each) for each in await asyncio.gather(*tasks[:4])] == [[[2.0 * n]] for n in range(4)]
            await turn()
            assert model.sizes == [1, 4]
            model.open()
            await asyncio.gather(first, *tasks[4:])
            assert model.sizes == [1, 4, 2]
        async with serve(Async, max_batch_time=0.01) as server:
            model = runtime_of(server)
            first = await occupy(server, model)
            answers = await asyncio.gather(*(ask(server, tensor(number)) for number in range(6)))
            assert [doubled(each) for each in answers] == [[[2.0 * n]] for n in range(6)]
            model.open()
            await first
            assert model.sizes == [1, 6]

    asyncio.run(run())


def test_those_who_come_with_the_one_that_begins_wait_no_longer_than_others() -> None:
    """Of an async model."""

    async def run() -> None:
        async with serve(Async, max_batch_time=0.01) as server:
            model = runtime_of(server)
            first = asyncio.create_task(ask(server, tensor(1.0), parameters={"do": "wait"}))
            assert doubled(await ask(server, tensor(2.0, width=2))) == [[4.0, 4.0]]
            assert not first.done()
            model.open()
            assert doubled(await first) == [[2.0]]

    asyncio.run(run())


@KINDS
def test_requests_that_do_not_agree_are_answered_apart(runtime: type[Any]) -> None:
    """And so are those without rows, and those that have as many as a batch."""

    async def run() -> None:
        async with serve(runtime, max_batch_size=4) as server:
            inputs = [[tensor(1.0)], [tensor(1.0, width=2)], [tensor(*[1.0] * 4)], [tensor(*[1.0] * 7)], []]
            inputs += [[RequestInput("x", "FP32", [0, 1], data=np.zeros((0, 1), np.float32))], [tensor(3.0)]]
            answers = await asyncio.gather(*(ask(server, *each) for each in inputs))
            shapes: list[list[int]] = [each.inputs[0].shape if each.inputs else [] for each in runtime_of(server).seen]

            assert sorted(shapes) == [[], [0, 1], [1, 2], [2, 1], [4, 1], [7, 1]]
            assert [each.outputs[0].shape for each in answers] == [
                [1, 1], [1, 2], [4, 1], [7, 1], [1], [0, 1], [1, 1]
            ]  # fmt: skip

    asyncio.run(run())


# ---- Where MLServer's batches are wrong


class Echo(MLModel):
    """Returns its inputs, and says how many calls there were."""

    calls: ClassVar[list[int]] = []

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer; fail for what a model would not take."""
        self.calls.append(len(payload.inputs))
        if len({each.shape[1] for each in payload.inputs if len(each.shape) > 1}) > 1:
            message = "ragged"
            raise ValueError(message)
        outputs = [ResponseOutput(each.name, each.datatype, each.shape, data=each.data) for each in payload.inputs]
        return InferenceResponse(outputs=outputs)


def array_input(array: Any, datatype: str, name: str = "x") -> RequestInput:
    return RequestInput(name, datatype, list(array.shape), data=array)


@pytest.mark.parametrize(
    "inputs",
    [
        [array_input(np.ones((1, 2), np.float32), "FP32"), array_input(np.ones((1, 3), np.float32), "FP32")],
        [array_input(np.ones((1, 1), np.int32), "INT32"), array_input(np.array([[1.5]], np.float32), "FP32")],
        [array_input(np.ones((1, 1), np.float32), "FP32", name) for name in "ab"],
    ],
    ids=["trailing shapes", "datatypes", "names"],
)
def test_requests_that_differ_are_not_mixed_up(inputs: list[RequestInput]) -> None:
    """Section by section what MLServer makes errors, wrong numbers or empty outputs of."""

    async def run() -> None:
        async with serve(Echo) as server:
            answers = await asyncio.gather(*(ask(server, each) for each in inputs * 3))
            for asked, answer in zip(inputs * 3, answers, strict=True):
                (output,) = answer.outputs
                assert (output.name, output.datatype, output.shape) == (asked.name, asked.datatype, asked.shape)
                assert output.data == asked.data

    asyncio.run(run())


@KINDS
def test_a_request_that_fails_fails_alone(runtime: type[Any], caplog: pytest.LogCaptureFixture) -> None:
    """With the very error that it has alone; the others are answered."""

    async def run() -> None:
        async with serve(runtime) as server:
            answers = await asyncio.gather(
                *(ask(server, tensor(each), id=f"{each}") for each in (1.0, -2.0, 3.0, -4.0)), return_exceptions=True
            )
            good = [each for each in answers if isinstance(each, InferenceResponse)]
            bad = [each for each in answers if isinstance(each, ValueError)]
            assert [(each.id, doubled(each)) for each in good] == [("1.0", [[2.0]]), ("3.0", [[6.0]])]
            assert [str(each) for each in bad] == ["negative: -2.0", "negative: -4.0"]
            model = runtime_of(server)
            assert model.sizes == [4, 1, 1, 1, 1]
            assert [each.id for each in model.seen] == ["", "1.0", "-2.0", "3.0", "-4.0"]
            # The log says so once.
            await asyncio.gather(*(ask(server, tensor(each)) for each in (1.0, -2.0)), return_exceptions=True)

    with caplog.at_level(logging.WARNING, "srv"):
        asyncio.run(run())
    assert [each for each in caplog.messages if "batch" in each] == [
        "model 'm': a batch of 4 requests has failed, and they are answered one by one: ValueError: negative: -4.0"
    ]


class Total(MLModel):
    """Has one row to answer with, whatever it is asked."""

    calls = 0

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        self.calls += 1
        x: Any = payload.inputs[0].data.array
        total = x.sum(dtype=np.float32).reshape(1)
        return InferenceResponse(outputs=[ResponseOutput("y", "FP32", [1], data=total)])


def test_a_response_without_the_rows_of_the_batch_is_nobodys() -> None:
    """Each is answered alone, and correctly."""

    async def run() -> None:
        async with serve(Total) as server:
            answers = await asyncio.gather(*(ask(server, tensor(each, each)) for each in (1.0, 2.0, 3.0)))
            assert [doubled(each) for each in answers] == [[2.0], [4.0], [6.0]]
            assert runtime_of(server).calls == 4

    asyncio.run(run())


class Writing(Plain):
    """Writes into what it is given."""

    def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer, but not for several."""
        answer = super().predict(payload)
        payload.parameters["do"] = payload.inputs[0].name = "spoilt"
        payload.inputs[0].shape.clear()
        if len(self.seen) == 1:
            message = "not the first time"
            raise ValueError(message)
        return answer


def test_what_a_failed_batch_has_written_is_not_in_its_requests() -> None:
    async def run() -> None:
        async with serve(Writing) as server:
            answers = await asyncio.gather(*(ask(server, tensor(each)) for each in (1.0, 2.0)))
            assert [doubled(each) for each in answers] == [[[2.0]], [[4.0]]]

    asyncio.run(run())


# ---- Headers


class Tenant(MLModel):
    """Answers by a header."""

    calls: int = 0

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        self.calls += 1
        # Whoever has no headers is no batch.
        headers = payload.parameters.headers or Headers()
        answer = headers.get("x-tenant", "public")
        rows = payload.inputs[0].shape[0]
        outputs = [ResponseOutput("y", "BYTES", [rows], data=[answer] * rows)]
        return InferenceResponse(outputs=outputs, parameters=Parameters(headers={"x-answered": "yes"}))


def test_no_request_is_answered_by_the_header_of_another() -> None:
    async def run() -> None:
        async with serve(Tenant) as server:
            for tenants, calls in ((["a", "b", ""], 4), (["c", "c", "c"], 1)):
                model = runtime_of(server)
                model.calls = 0
                sent = [{"x-tenant": each, "x-number": f"{n}"} if each else {} for n, each in enumerate(tenants)]
                answers = await asyncio.gather(*(ask(server, tensor(1.0), headers=each) for each in sent))
                assert [list(each.outputs[0].data) for each in answers] == [[each or "public"] for each in tenants]
                assert all(each.parameters.headers == {"x-answered": "yes"} for each in answers)
                assert model.calls == calls

    asyncio.run(run())


# ---- Waiting, and leaving


@KINDS
def test_the_lowest_priority_number_comes_first(runtime: type[Any]) -> None:
    """With those that it may be answered with."""

    async def run() -> None:
        async with serve(runtime, max_batch_size=2) as server:
            model = runtime_of(server)
            first = await occupy(server, model)
            wanted = [(1.0, 0, 1), (2.0, 5, 1), (3.0, 5, 2), (4.0, 1, 2), (5.0, 5, 1)]
            tasks = waiting(
                *(
                    ask(server, tensor(value, width=width), parameters={"priority": priority})
                    for value, priority, width in wanted
                )
            )
            await turn()
            model.open()
            await asyncio.gather(first, *tasks)
            seen = [each.inputs[0].data.array[:, 0].tolist() for each in model.seen[1:]]
            if runtime is Plain:
                assert seen == [[4.0, 3.0], [2.0, 5.0], [1.0]]
            assert sorted(value for each in seen for value in each) == [1.0, 2.0, 3.0, 4.0, 5.0]

    asyncio.run(run())


@KINDS
@pytest.mark.parametrize("limit", [0, 2])
def test_more_than_may_wait_are_refused(runtime: type[Any], limit: int) -> None:
    """Requests count, and not rows; those for whom there is room do not wait."""

    async def run() -> None:
        parameters = ModelParameters(max_queue_size=limit)
        async with serve(runtime, max_batch_size=16, parameters=parameters) as server:
            model = runtime_of(server)
            first = await occupy(server, model)
            tasks = waiting(*(ask(server, tensor(1.0, 2.0)) for _ in range(limit)))
            await turn()
            with pytest.raises(QueueFull, match=f"Exceeds maximum queue size: {limit} requests are waiting"):
                await ask(server, tensor(3.0))
            model.open()
            assert [doubled(await each) for each in tasks] == [[[2.0], [4.0]]] * limit
            await first

    asyncio.run(run())


def test_the_bound_holds_among_requests_of_one_moment() -> None:
    """As if they came one after the other."""

    async def run() -> None:
        async with serve(Plain, max_batch_size=3, parameters=ModelParameters(max_queue_size=4)) as server:
            answers = await asyncio.gather(*(ask(server, tensor(1.0)) for _ in range(12)), return_exceptions=True)
            assert [isinstance(each, QueueFull) for each in answers] == [False] * 7 + [True] * 5
            assert runtime_of(server).sizes == [3, 3, 1]

    asyncio.run(run())


@KINDS
def test_a_request_whose_time_is_over_while_it_waits_is_refused(runtime: type[Any]) -> None:
    """And the model does not see it; later it is told that its time is over."""

    async def run() -> None:
        async with serve(runtime) as server:
            model = runtime_of(server)
            first = await occupy(server, model)
            tasks = waiting(ask(server, tensor(1.0)), ask(server, tensor(2.0), parameters={"timeout": 1}))
            with pytest.raises(QueueTimeout):
                await tasks[1]
            model.open()
            assert doubled(await tasks[0]) == [[2.0]]
            await first
            assert model.sizes == [1, 1]

            model.gate.clear()
            late = ask(server, tensor(1.0), parameters={"do": "wait", "timeout": 20_000})
            other = asyncio.create_task(ask(server, tensor(2.0), parameters={"do": "wait"}))
            with pytest.raises(DeadlineExceeded):
                await late
            model.open()
            assert doubled(await other) == [[4.0]]
            assert model.sizes[2:] == [2]

    asyncio.run(run())


@KINDS
def test_who_leaves_does_not_disturb_the_others(runtime: type[Any]) -> None:
    """Neither from the line, nor from a batch that runs."""

    async def run() -> None:
        async with serve(runtime) as server:
            model = runtime_of(server)
            first = await occupy(server, model)
            tasks = waiting(*(ask(server, tensor(n), parameters={"do": "wait"}) for n in (1.0, 2.0, 3.0)))
            await turn()
            tasks[0].cancel()
            await turn()
            model.open()
            await first
            assert [doubled(each) for each in await asyncio.gather(*tasks[1:])] == [[[4.0]], [[6.0]]]
            assert model.sizes == [1, 2]

            model.gate.clear()
            tasks = waiting(*(ask(server, tensor(n), parameters={"do": "wait"}) for n in (1.0, 2.0, 3.0)))
            for _ in range(2):
                await model.begun.acquire()
            tasks[1].cancel()
            await turn()
            model.open()
            assert [doubled(await tasks[0]), doubled(await tasks[2])] == [[[2.0]], [[6.0]]]
            assert tasks[1].cancelled()

    asyncio.run(run())


def test_a_batch_that_all_have_left_is_cancelled() -> None:
    async def run() -> None:
        async with serve(Async) as server:
            model = runtime_of(server)
            tasks = waiting(*(ask(server, tensor(n), parameters={"do": "wait"}) for n in (1.0, 2.0)))
            await model.begun.acquire()
            for task in tasks:
                task.cancel()
                await turn()
            assert model.cancelled == 1
            assert doubled(await ask(server, tensor(3.0))) == [[6.0]]

    asyncio.run(run())


@KINDS
def test_who_leaves_in_the_moment_of_its_turn_gives_it_to_the_next(runtime: type[Any]) -> None:
    async def run() -> None:
        async with serve(runtime) as server:
            for turns in range(6):
                tasks = waiting(ask(server, tensor(1.0)))
                for _ in range(turns):
                    await asyncio.sleep(0)
                tasks[0].cancel()
                assert doubled(await ask(server, tensor(3.0))) == [[6.0]]

    asyncio.run(run())


@KINDS
def test_a_model_is_unloaded_after_its_batches(runtime: type[Any]) -> None:
    async def run() -> None:
        async with serve(runtime) as server:
            model = runtime_of(server)
            first = await occupy(server, model)
            tasks = waiting(*(ask(server, tensor(n)) for n in (1.0, 2.0)))
            await turn()
            unloading = asyncio.create_task(server.registry.unload("m"))
            await turn()
            assert not unloading.done()
            model.open()
            await unloading
            assert [doubled(await each) for each in tasks] == [[[2.0]], [[4.0]]]
            await first

    asyncio.run(run())


@KINDS
def test_nothing_of_a_request_stays_when_it_is_answered(runtime: type[Any]) -> None:
    """Whether it was alone, in a batch, or in one that failed."""

    async def run() -> None:
        async with serve(runtime) as server:
            kept: list[weakref.ref[Any]] = []

            async def one(*values: float) -> None:
                asked = tensor(*values)
                kept.append(weakref.ref(asked))
                with contextlib.suppress(ValueError):
                    await ask(server, asked)

            for values in ([1.0], [1.0, 2.0, 3.0], [4.0, -5.0, 6.0]):
                await asyncio.gather(*(one(value) for value in values))
            runtime_of(server).seen.clear()
            await turn()
            assert [each() for each in kept] == [None] * 7

    gc.collect()
    gc.disable()
    try:
        asyncio.run(run())
    finally:
        gc.enable()


# ---- What is counted


@KINDS
def test_executions_are_fewer_than_inferences(runtime: type[Any]) -> None:
    """As in Triton: rows are inferences, and the sizes of batches are counted by executions."""

    async def run() -> None:
        async with serve(runtime) as server:
            times = [Timeline() for _ in range(3)]
            await asyncio.gather(*(ask(server, tensor(1.0, 2.0), times=each) for each in times))
            await ask(server, tensor(3.0))
            with pytest.raises(ValueError, match="negative"):
                await ask(server, tensor(-1.0))
            (found,) = server.backend.dataplane.statistics("m")
            stats: Any = found.inference_stats

            assert (found.inference_count, found.execution_count) == (7, 2)
            assert [(each.batch_size, each.compute_infer.count) for each in found.batch_stats] == [(1, 1), (6, 1)]  # type: ignore[union-attr]
            counts = {name: getattr(stats, name).count for name in ("success", "fail", "queue", "compute_infer")}
            assert counts == {"success": 4, "fail": 1, "queue": 4, "compute_infer": 4}
            for each in times:
                stations = [each.arrived, each.received, each.queued, each.started, each.computed, each.ended]
                assert stations == sorted(stations)
                assert 0 not in stations
            assert len({each.started for each in times}) <= 3

    asyncio.run(run())


class Both(Model):
    """Answers one request, or streams."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        self.note(payload)
        return self.answer(payload)

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Answer."""
        async for payload in payloads:
            yield self.answer(payload)


def test_streams_are_not_batched() -> None:
    """And each is an execution."""

    async def run() -> None:
        async with serve(Both) as server:

            async def stream() -> list[Any]:
                request = InferenceRequest(model_name="m", inputs=[tensor(1.0)])
                responses = server.backend.dataplane.infer_stream(request, Headers(), Timeline(), lambda each: each)
                return [doubled(each) async for each in responses]

            assert list(await asyncio.gather(stream(), stream())) == [[[[2.0]]]] * 2
            await asyncio.gather(*(ask(server, tensor(1.0)) for _ in range(3)))
            (found,) = server.backend.dataplane.statistics("m")
            assert (found.inference_count, found.execution_count) == (5, 3)

    asyncio.run(run())


def test_the_cache_answers_requests_and_not_batches() -> None:
    async def run() -> None:
        async with serve(Async, cache_enabled=True) as server:
            await asyncio.gather(*(ask(server, tensor(n)) for n in (1.0, 2.0)))
            answers = await asyncio.gather(*(ask(server, tensor(n), id=f"{n}") for n in (1.0, 2.0, 3.0)))
            assert [doubled(each) for each in answers] == [[[2.0]], [[4.0]], [[6.0]]]
            assert runtime_of(server).sizes == [2, 1]

    asyncio.run(run())


# ---- Which models


class Stateful(MLModel):
    """Keeps something."""

    stateful = True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer."""
        return InferenceResponse(id=payload.id)


class Streaming(MLModel):
    """Has nothing but a stream."""

    async def predict_stream(self, payloads: AsyncIterator[InferenceRequest]) -> AsyncIterator[InferenceResponse]:
        """Answer."""
        async for _ in payloads:
            yield InferenceResponse()


class WithHeaders(MLModel):
    """Takes headers."""

    @decode_args
    def predict(self, x: np.ndarray, headers: Headers) -> np.ndarray:
        """Answer."""
        return x if headers else -x


class Single(MLModel):
    """Takes a single text."""

    @decode_args
    def predict(self, x: str) -> list[str]:
        """Answer."""
        return [x]


class SingleResult(MLModel):
    """Returns a single text."""

    @decode_args
    def predict(self, x: list[str]) -> str:
        """Answer."""
        return "".join(x)


@pytest.mark.parametrize(
    ("runtime", "model", "reason"),
    [
        (Async, {"max_batch_size": 1}, "max_batch_size is 1"),
        (Async, {"max_batch_size": 0}, "max_batch_size is 0"),
        (Stateful, {}, "the runtime is stateful"),
        (Streaming, {}, "the runtime has only predict_stream"),
        (WithHeaders, {}, "predict takes Headers, which are those of one request"),
        (Single, {}, "the first dimension of 'x' is not that of a batch, its shape is [1]"),
        (SingleResult, {}, "the first dimension of 'output-0' is not that of a batch, its shape is [1]"),
    ],
)
def test_a_model_that_cannot_have_batches_is_logged(
    caplog: pytest.LogCaptureFixture, runtime: type[MLModel], model: dict[str, Any], reason: str
) -> None:
    async def run() -> None:
        async with serve(runtime, **model):
            pass

    asyncio.run(run())
    assert f"model 'm': max_batch_time has no effect: {reason}" in caplog.messages


def test_a_size_without_a_time_is_the_largest_that_a_request_may_have(caplog: pytest.LogCaptureFixture) -> None:
    """As in Triton; no request waits for another one."""

    async def run() -> None:
        from srv.types import MetadataTensor

        inputs = [MetadataTensor("x", "FP32", [-1, 1])]
        async with serve(Async, inputs=inputs, max_batch_size=2, max_batch_time=0.0) as server:
            await asyncio.gather(*(ask(server, tensor(n)) for n in (1.0, 2.0)))
            assert runtime_of(server).sizes == [1, 1]
            with pytest.raises(InvalidInput, match="batch-size must be <= 2"):
                await ask(server, tensor(1.0, 2.0, 3.0))
        async with serve(Async, inputs=inputs, max_batch_size=2) as server:
            assert doubled(await ask(server, tensor(1.0, 2.0, 3.0))) == [[2.0], [4.0], [6.0]]

    asyncio.run(run())
    assert not caplog.messages or "no effect" not in "".join(caplog.messages)


def test_an_error_of_the_whole_model_is_each_requests_own() -> None:
    """One that is no response is answered alone too, and is an error there."""

    class Nothing(MLModel):
        async def predict(self, payload: InferenceRequest) -> Any:
            return payload.id

    async def run() -> None:
        async with serve(Nothing) as server:
            answers = await asyncio.gather(*(ask(server, tensor(n)) for n in (1.0, 2.0)), return_exceptions=True)
            assert [type(each) for each in answers] == [InferenceError] * 2

    asyncio.run(run())
