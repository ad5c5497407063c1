"""The response cache, by itself and in the data plane."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srv import Headers, MLModel, ModelSettings, Settings, decode_args
from srv._server import Server
from srv.controlplane._repository import FolderRepository
from srv.dataplane._cache import ResponseCache, keep_response
from srv.dataplane._timeline import Timeline
from srv.types import InferenceRequest, InferenceResponse, Parameters, RequestInput, ResponseOutput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from srv.dataplane._cache import CachedResponse


def response(size: int = 1) -> InferenceResponse:
    output = ResponseOutput("y", "UINT8", [size], data=np.zeros(size, np.uint8))
    return InferenceResponse(model_name="m", outputs=[output])


def kept(size: int = 1) -> CachedResponse:
    made = keep_response(response(size))
    assert made is not None
    return made


MASKED: Any = cast("Any", np.ma).array([1], mask=[True])

# ---- The cache by itself


@given(st.lists(st.tuples(st.sampled_from(["get", "put", "drop", "tick"]), st.integers(0, 5), st.integers(0, 3000))))
def test_the_cache_is_the_simplest_that_could_be(steps: list[tuple[str, int, int]]) -> None:
    """Against a list of entries, the one used last at its end."""
    now = 0.0
    cache = ResponseCache(3, 4000, 5.0, lambda: now)
    entries: list[tuple[tuple[int, bytes], CachedResponse, float]] = []
    for step, number, size in steps:
        key = (number % 2, bytes([number]))
        if step == "tick":
            now += number
        elif step == "drop":
            cache.drop(key[0])
            entries = [each for each in entries if each[0][0] != key[0]]
        elif step == "put":
            made = kept(size)
            cache.put(*key, made)
            entries = [each for each in entries if each[0] != key]
            if made.size <= 4000:
                entries.append((key, made, now))
            while len(entries) > 3 or sum(each[1].size for each in entries) > 4000:
                del entries[0]
        else:
            entries = [each for each in entries if each[0] != key or now - each[2] < 5.0]
            found = [each for each in entries if each[0] == key]
            entries = [each for each in entries if each[0] != key] + found
            assert cache.get(*key) is (found[0][1] if found else None)
        assert (len(cache), cache.size) == (len(entries), sum(each[1].size for each in entries))


def test_a_size_counts_at_least_what_is_held() -> None:
    made = keep_response(
        InferenceResponse(
            outputs=[
                ResponseOutput("a", "BYTES", [1], data=np.array([b"x" * 1000], object)),
                ResponseOutput("b", "BYTES", [1], data=["x" * 1000]),
                ResponseOutput("c", "FP64", [125], data=np.zeros(125)),
            ],
            parameters=Parameters(p="x" * 1000, headers={"h": "x" * 1000}),
        )
    )

    assert made is not None
    assert 5000 < made.size < 10_000


@pytest.mark.parametrize(
    "data",
    [
        np.array([object()], object),
        [object()],
        [[bytearray(b"x")]],
        MASKED,
    ],
    ids=["object", "object in a list", "mutable element", "masked"],
)
def test_what_cannot_be_copied_for_certain_is_not_kept(data: Any) -> None:
    assert keep_response(InferenceResponse(outputs=[ResponseOutput("y", "BYTES", [1], data=data)])) is None
    assert keep_response(InferenceResponse(outputs=[ResponseOutput("y", "BYTES", [1])])) is None


def test_a_kept_response_is_a_copy_and_read_only() -> None:
    array, values = np.zeros(2, np.float32), [[0.1]]
    original = InferenceResponse(
        outputs=[ResponseOutput("a", "FP32", [2], data=array), ResponseOutput("b", "FP32", [1], data=values)],
        parameters=Parameters(p=1, headers={"x-h": "1"}),
    )
    made = keep_response(original)
    array[0], values[0][0] = 9, 9
    original.parameters["p"] = 2
    assert made is not None
    first, second = made.respond("1"), made.respond("2")
    first.parameters["p"] = 3
    found = second.outputs[0].data.array

    assert found is not None
    assert (found.tolist(), found.flags.writeable) == ([0.0, 0.0], False)
    assert second.outputs[1].data.values == [[0.1]]
    assert (second.id, second.parameters, second.parameters.headers) == (
        "2",
        Parameters(p=1, headers={"x-h": "1"}),
        Headers({"x-h": "1"}),
    )


def test_a_response_that_is_too_large_is_not_copied() -> None:
    cache = ResponseCache(1, 1000, None).for_model()
    for size, kept in ((1 << 45, False), (100, True)):
        array = np.broadcast_to(np.float32(0), (size,))
        large = InferenceResponse(outputs=[ResponseOutput("y", "FP32", [size], data=array)])
        assert (cache.copy(InferenceRequest(), None, large) is not None) is kept


# ---- In the data plane


class Counting(MLModel):
    """Answers with what it is asked; the same array each time, as runtimes with a buffer do."""

    calls = 0
    buffer = np.zeros(1, np.float32)

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        type(self).calls += 1
        await asyncio.sleep(0)
        value = np.asarray(payload.inputs[0].data, np.float32).sum()
        if value < 0:
            raise RuntimeError
        self.buffer[0] = value + float(payload.parameters.get("add") or 0)
        shown = ResponseOutput("y", "FP32", [1], data=self.buffer)
        return InferenceResponse(outputs=[shown], parameters=Parameters(p="kept", headers={"x-h": self.name}))


class Sequenced(Counting):
    stateful = True


class ReadsHeaders(MLModel):
    @decode_args
    def predict(self, x: np.ndarray, headers: Headers) -> np.ndarray:
        return x + len(headers)


class EchoesParameters(Counting):
    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        answer = await super().predict(payload)
        return InferenceResponse(outputs=answer.outputs, parameters=Parameters(payload.parameters))


@contextlib.asynccontextmanager
async def serve(runtime: type[MLModel] = Counting, *names: str, **given: Any) -> AsyncGenerator[Server]:
    Counting.calls = 0
    given.setdefault("cache_enabled", True)
    server = Server(Settings(**given), FolderRepository(Path(), {}))
    for name in names or ("m",):
        await server.registry.load(ModelSettings(name=name, implementation=runtime, cache_enabled=True))
    try:
        yield server
    finally:
        await server.registry.close()


def build(data: Any, model: str = "m", **members: Any) -> InferenceRequest:
    shape = list(np.shape(data))
    return InferenceRequest(model_name=model, inputs=[RequestInput("x", "FP32", shape, data=data)], **members)


async def ask(server: Server, request: InferenceRequest, **headers: str) -> InferenceResponse:
    def encode(answer: InferenceResponse) -> InferenceResponse:
        # As a front does, before the runtime may use its buffer again.
        for output in answer.outputs:
            output.data = np.asarray(output.data).tolist()
        return answer

    return await server.backend.dataplane.infer(request, Headers(headers), Timeline(), encode)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["m", "n"]),
            st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.0]),
            st.booleans(),
            st.sampled_from([{}, {"add": 1}, {"add": True}, {"add": 1.5}, {"priority": 1}]),
        ),
        max_size=20,
    ),
    st.integers(0, 4),
)
def test_the_cache_is_equal_to_no_cache(requests: list[tuple[str, float, bool, Any]], entries: int) -> None:
    async def run(*, enabled: bool) -> list[object]:
        answers: list[object] = []
        async with serve(Counting, "m", "n", cache_enabled=enabled, cache_size=entries) as server:
            for index, (model, value, as_list, parameters) in enumerate(requests):
                data: Any = [value] if as_list else np.array([value], np.float32)
                try:
                    answers.append(await ask(server, build(data, model, id=str(index), parameters=parameters)))
                except RuntimeError:
                    answers.append(RuntimeError)
        return answers

    assert asyncio.run(run(enabled=True)) == asyncio.run(run(enabled=False))


def test_a_request_that_asks_the_same_is_answered_without_the_model() -> None:
    async def run() -> None:
        async with serve() as server:
            first = await ask(server, build([1.0], id="a"), authorization="one")
            second = await ask(server, build(np.array([1.0], np.float32), id="b"), authorization="two")

            assert Counting.calls == 1
            assert (first.id, second.id) == ("a", "b")
            assert second.outputs == first.outputs
            assert second.parameters == Parameters(p="kept", headers={"x-h": "m"})
            (stats,) = server.backend.dataplane.statistics("m")
            counts = stats.inference_stats
            assert counts is not None
            assert counts.cache_hit is not None
            assert counts.cache_miss is not None
            assert counts.success is not None
            assert counts.compute_infer is not None
            assert (counts.success.count, counts.cache_hit.count, counts.cache_miss.count) == (2, 1, 1)
            assert (stats.inference_count, stats.execution_count, counts.compute_infer.count) == (1, 1, 1)
            assert b'model_infer_cache_hit_total{model="m",version=""} 1.0' in server.metrics.render()
            config = server.backend.dataplane.model_config("m")
            assert config.response_cache is not None
            assert config.response_cache.enable

    asyncio.run(run())


def test_a_model_that_is_loaded_anew_has_an_empty_cache() -> None:
    async def run() -> None:
        async with serve() as server:
            await ask(server, build([1.0]))
            await server.registry.load(ModelSettings(name="m", implementation=Counting, cache_enabled=True))
            await ask(server, build([1.0]))

            assert Counting.calls == 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("server", "model"), [({"cache_enabled": False}, True), ({}, False), ({"cache_size": 0}, True)]
)
def test_both_settings_are_needed_and_room(server: dict[str, Any], model: bool) -> None:
    async def run() -> None:
        async with serve(**server) as made:
            await made.registry.load(ModelSettings(name="m", implementation=Counting, cache_enabled=model))
            for _ in range(2):
                await ask(made, build([1.0]))

            assert Counting.calls == 2

    asyncio.run(run())


@pytest.mark.parametrize("runtime", [Sequenced, ReadsHeaders])
def test_models_whose_answers_depend_on_more_are_not_cached(
    runtime: type[MLModel], caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with serve(runtime) as server:
            assert server.registry.find("m").cache is None

    asyncio.run(run())
    assert "cache_enabled has no effect" in caplog.text


def test_a_response_with_the_headers_of_its_request_is_not_kept() -> None:
    async def run() -> None:
        async with serve(EchoesParameters) as server:
            for name in ("one", "two"):
                answer = await ask(server, build([1.0]), who=name)
                assert answer.parameters.headers == {"who": name}

    asyncio.run(run())


def test_requests_of_a_sequence_and_errors_are_not_kept() -> None:
    async def run() -> None:
        async with serve() as server:
            for _ in range(2):
                await ask(server, build([1.0], parameters={"sequence_id": 1}))
                with pytest.raises(RuntimeError):
                    await ask(server, build([-1.0]))

            assert Counting.calls == 4

    asyncio.run(run())


def test_requests_side_by_side_have_their_own_answers() -> None:
    async def run() -> None:
        async with serve(cache_size=3) as server:
            values = [float(index % 5) for index in range(200)]
            answers = await asyncio.gather(*(ask(server, build([value], id=str(value))) for value in values))

            assert [answer.id for answer in answers] == [str(value) for value in values]

    asyncio.run(run())


@pytest.mark.parametrize("method", ["digest", "keep"])
def test_a_fault_of_the_cache_fails_no_request(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    patched = {"digest": "digest_request", "keep": "keep_response"}[method]
    monkeypatch.setattr(f"srv.dataplane._cache.{patched}", fail)

    async def run() -> None:
        async with serve() as server:
            for _ in range(2):
                answer = await ask(server, build([1.0]))
                assert answer.outputs[0].data == [1.0]

    asyncio.run(run())
    assert "cache" in caplog.text
