"""Constant load of every kind, while workers die, models are loaded anew and environments unpacked.

Every request has one answer: its own rows, or an error that is documented. Afterwards nothing is left of it all.
``CHAOS_SECONDS`` says how long it lasts.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
import os
import random
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import grpc
import numpy as np
import pytest
from environments import Workshop
from grpc_client import Grpc
from processes import children, named_memory
from serving import PATIENCE, eventually
from tensors import binary_body, grpc_outputs, grpc_request, json_body, rest_outputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from serving import Answer, Rest, Serve, Server

SECONDS: Final = float(os.environ.get("CHAOS_SECONDS", "40"))
# Of each kind of client.
CLIENTS: Final = 2
WORKER_TIMEOUT: Final = 2.0

CODE = """
import asyncio
import os
import signal

import numpy as np
from srv import MLModel
from srv.types import InferenceRequest, InferenceResponse, ResponseOutput

# Requests of before, which the model keeps: what they hold must stay as it is.
KEPT = []

def answer(request):
    x = request.inputs[0].data.array
    if x.size and x.flat[0] == -1:
        os._exit(0)
    if x.size and x.flat[0] == -2:
        os.kill(os.getpid(), signal.SIGSTOP)
    for before, after in KEPT[-4:]:
        assert (before == after).all(), "a request of before has changed"
    if len(KEPT) < 16:
        KEPT.append((x, x.copy()))
    return InferenceResponse(outputs=[ResponseOutput("y", "INT64", [*x.shape], data=x * 2 + 1)])

class Plain(MLModel):
    def predict(self, request: InferenceRequest) -> InferenceResponse:
        return answer(request)

class Async(MLModel):
    async def predict(self, request: InferenceRequest) -> InferenceResponse:
        await asyncio.sleep(0)
        return answer(request)

    async def predict_stream(self, requests):
        async for request in requests:
            for _ in range(3):
                yield answer(request)
"""
MODELS: Final[dict[str, dict[str, Any]]] = {
    "plain": {"implementation": "models.Plain", "parameters": {"workers": 2}},
    "async": {"implementation": "models.Async", "parameters": {"workers": 2}},
    "batched": {
        "implementation": "models.Plain",
        "parameters": {"workers": 1},
        "max_batch_size": 64,
        "max_batch_time": 0.01,
    },
    "inside": {"implementation": "models.Async", "parameters": {"workers": 0}},
}
# What may be said to who did nothing wrong.
EXPECTED: Final = (
    "its worker process was killed (SIGKILL) before the request was answered",
    "its worker process ended (exit status 0) before the request was answered",
    f"its worker process did not respond for {WORKER_TIMEOUT:g} s and was killed",
    # Of a stopped one, whose client has left.
    f"its worker process ran for {WORKER_TIMEOUT:g} s what nobody waited for any more, and was killed",
    "its worker process closed its socket before the request was answered",
    "while it loaded the model",
    "its worker process is being started",
    "is being unloaded",
    "is loading",
    "is not ready",
    "Request for unknown model",
)


class Tally:
    """What became of the requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: collections.Counter[str] = collections.Counter()
        self.wrong: list[str] = []

    def right(self, kind: str) -> None:
        with self._lock:
            self.counts[kind] += 1

    def failed(self, kind: str, text: str) -> None:
        with self._lock:
            self.counts[f"{kind}: error"] += 1
            if not any(each in text for each in EXPECTED):
                self.wrong.append(f"{kind}: {text}")

    def say(self, what: str) -> None:
        with self._lock:
            self.wrong.append(what)


class Chaos:
    """A server, who asks of it, and who disturbs it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.tally = Tally()
        self.stopped = threading.Event()
        self._numbers = itertools.count(1)
        self._random = random.Random(1)  # noqa: S311  # what it disturbs is no secret

    def rows(self) -> Any:
        """Return an array whose every row is of one request alone; large ones go through shared memory."""
        rows = self._random.choice((1, 1, 2, 5, 700, 40_000))
        first = next(self._numbers) * 1_000_000
        return np.arange(first, first + rows * 3, dtype=np.int64).reshape(rows, 3)

    def check(self, kind: str, sent: Any, outputs: dict[str, Any]) -> None:
        got = outputs["y"]
        if got.shape != sent.shape or not (got == sent * 2 + 1).all():
            self.tally.say(f"{kind}: wrong rows: sent {sent.ravel()[:3]}, got {got.ravel()[:3]}, {got.shape}")
        else:
            self.tally.right(kind)

    # ---- Clients

    def until_stopped(self, what: Callable[[], None]) -> None:
        try:
            while not self.stopped.is_set():
                what()
        except BaseException as error:  # noqa: BLE001  # a thread's end is this test's
            self.tally.say(f"{getattr(what, '__name__', what)}: {error!r}")

    def rest_client(self, *, binary: bool) -> None:
        kind = "REST, binary" if binary else "REST"
        with self.server.rest() as rest:
            self.until_stopped(lambda: self.ask_rest(rest, kind, binary=binary))

    def ask_rest(self, rest: Rest, kind: str, *, binary: bool) -> None:
        sent, model = self.rows(), self._random.choice([*MODELS, *self.extra()])
        if not binary:
            sent = sent[:700]
        body, headers = binary_body({"x:INT64": sent}) if binary else (json_body({"x:INT64": sent}), {})
        answer: Answer = rest.request("POST", f"/v2/models/{model}/infer", body, headers)
        if answer.status == 200:
            self.check(f"{kind}, {model}", sent, rest_outputs(answer))
        else:
            self.tally.failed(f"{kind}, {model}", answer.error())

    def extra(self) -> list[str]:
        return []

    def grpc_client(self) -> None:
        with Grpc(self.server) as client:
            self.until_stopped(lambda: self.ask_grpc(client))

    def ask_grpc(self, client: Grpc) -> None:
        sent, model = self.rows(), self._random.choice([*MODELS, *self.extra()])
        try:
            response = client.infer(grpc_request(model, {"x:INT64": sent}))
        except grpc.RpcError as error:
            self.tally.failed(f"gRPC, {model}", f"{error.details()} ({error.code()})")
        else:
            self.check(f"gRPC, {model}", sent, grpc_outputs(response))

    def stream_client(self) -> None:
        with Grpc(self.server) as client:
            self.until_stopped(lambda: self.ask_stream(client))

    def ask_stream(self, client: Grpc) -> None:
        """Ask with several requests on one call, each of which has three answers, or leave in the middle."""
        model = self._random.choice(["async", "inside"])
        sent = [self.rows() for _ in range(3)]
        leaves = self._random.random() < 0.2
        requests = [grpc_request(model, {"x:INT64": each}, id=str(index)) for index, each in enumerate(sent)]
        call = client.stream(requests)
        seen: collections.Counter[str] = collections.Counter()
        try:
            for each in call:
                if each.error_message:
                    self.tally.failed(f"stream, {model}", each.error_message)
                    seen[each.infer_response.id] += 100
                    continue
                self.check_stream(model, sent, seen, each.infer_response)
                if leaves:
                    call.cancel()
                    return
        except grpc.RpcError as error:
            self.tally.failed(f"stream, {model}", f"{error.details()} ({error.code()})")
        else:
            if not all(seen[str(index)] in {3, 100, 101, 102} for index in range(3)) and not any(
                each >= 100 for each in seen.values()
            ):
                self.tally.say(f"stream, {model}: answers per request: {dict(seen)}")

    def check_stream(self, model: str, sent: list[Any], seen: Any, response: Any) -> None:
        outputs = grpc_outputs(response)
        index = next(
            (i for i, each in enumerate(sent) if (outputs["y"].ravel()[:1] == each.ravel()[:1] * 2 + 1).all()), None
        )
        if index is None:
            self.tally.say(f"stream, {model}: rows of nobody: {outputs['y'].ravel()[:3]}")
            return
        seen[str(index)] += 1
        self.check(f"stream, {model}", sent[index], outputs)

    # ---- Who disturbs

    def kill_one(self) -> None:
        found = children(self.server.pid)
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._random.choice(found), signal.SIGKILL)

    def ask_for_an_end(self, number: int) -> None:
        """Let a process end, or stop: by a request, as one that still loads is given all the time that it wants."""
        body = json_body({"x:INT64": np.array([number], np.int64)})
        model = self._random.choice(["plain", "async", "batched"])
        answer = self.server.post(f"/v2/models/{model}/infer", body)
        if answer.status == 200:
            self.tally.say("a request that ends its process was answered")
        else:
            self.tally.failed("the end", answer.error())

    def reload(self) -> None:
        model = self._random.choice([*MODELS])
        answer = self.server.post(f"/v2/repository/models/{model}/load")
        if answer.status != 200:
            self.tally.failed("load", answer.error())
        else:
            self.tally.right("load")

    def unload_and_load(self) -> None:
        model = self._random.choice([*MODELS])
        for what in ("unload", "load"):
            answer = self.server.post(f"/v2/repository/models/{model}/{what}")
            if answer.status != 200:
                self.tally.failed(what, answer.error())

    def disturb(self) -> None:
        actions: list[Callable[[], None]] = [
            self.kill_one,
            lambda: self.ask_for_an_end(-1),
            lambda: self.ask_for_an_end(-2),
            self.reload,
            self.unload_and_load,
        ]
        self.until_stopped(lambda: self.disturb_once(actions))

    def disturb_once(self, actions: list[Callable[[], None]]) -> None:
        self._random.choice(actions)()
        self.stopped.wait(self._random.uniform(0.1, 1.0))

    def environments(self) -> None:
        """Load a model under an environment that is unpacked for it, ask it, and unload it."""
        self.until_stopped(self.use_environment)

    def use_environment(self) -> None:
        answer = self.server.post("/v2/repository/models/elsewhere/load")
        if answer.status != 200:
            self.tally.failed("environment, load", answer.error())
            return
        for _ in range(5):
            sent = self.rows()[:700]
            asked = self.server.post("/v2/models/elsewhere/infer", json_body({"x:INT64": sent}))
            if asked.status == 200:
                self.check("environment", sent, rest_outputs(asked))
            else:
                self.tally.failed("environment", asked.error())
        self.server.post("/v2/repository/models/elsewhere/unload")

    def run(self, seconds: float) -> None:
        kinds: list[Callable[[], None]] = [
            lambda: self.rest_client(binary=False),
            lambda: self.rest_client(binary=True),
            self.grpc_client,
            self.stream_client,
        ] * CLIENTS
        threads = [threading.Thread(target=each) for each in [*kinds, self.disturb, self.environments]]
        for each in threads:
            each.start()
        self.stopped.wait(seconds)
        self.stopped.set()
        for each in threads:
            each.join(PATIENCE)
        assert not [each for each in threads if each.is_alive()], "somebody still waits for an answer"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    for name, settings in MODELS.items():
        (root / name).mkdir(parents=True)
        (root / name / "models.py").write_text(CODE, encoding="utf-8")
        (root / name / "model-settings.json").write_text(json.dumps({"name": name, **settings}), encoding="utf-8")
    tarball = Workshop(tmp_path / "workshop").tarball("venv", f"{sys.version_info[0]}.{sys.version_info[1]}")
    (root / "elsewhere").mkdir()
    (root / "elsewhere" / "models.py").write_text(CODE, encoding="utf-8")
    settings = {
        "name": "elsewhere",
        "implementation": "models.Plain",
        "parameters": {"environment_tarball": str(tarball)},
    }
    (root / "elsewhere" / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return root


def unload_all(server: Server) -> None:
    for name in (*MODELS, "elsewhere"):
        server.post(f"/v2/repository/models/{name}/unload")
    eventually(lambda: not children(server.pid), lambda: f"processes are left: {children(server.pid)}")


def load_all(server: Server) -> None:
    for name in MODELS:
        assert server.post(f"/v2/repository/models/{name}/load").status == 200


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it reads /proc")
def test_chaos(serve: Serve, folder: Path, tmp_path: Path) -> None:
    """Every request is answered, with its own rows or a clear error; memory, files and processes come back."""
    unpacked = tmp_path / "environments"
    shared_before = named_memory()
    server = serve(
        folder,
        worker_timeout=WORKER_TIMEOUT,
        environments_dir=unpacked,
        shutdown_timeout=30,
        load_models_at_startup="false",
    ).wait_started()
    # Tracebacks of models that were killed under a request are in the log.
    server.faults_expected = True
    # What is made once: code that is imported, threads, pools of memory.
    load_all(server)
    Chaos(server).run(min(SECONDS, 4))
    unload_all(server)
    files, memory = server.open_files(), server.status("VmRSS")

    load_all(server)
    chaos = Chaos(server)
    chaos.run(SECONDS)
    # Shown where the test fails, or with -s.
    print(json.dumps(chaos.tally.counts, indent=1, sort_keys=True))  # noqa: T201  # as said
    assert not chaos.tally.wrong, collections.Counter(chaos.tally.wrong).most_common(20)
    load_all(server)
    for name in MODELS:
        eventually(
            lambda name=name: server.get(f"/v2/models/{name}/ready").status == 200,  # type: ignore[misc]
            lambda name=name: f"{name} is not ready:\n{server.log[-3000:]}",  # type: ignore[misc]
        )
    unload_all(server)
    # A connection of this test's own may be among them, or not.
    eventually(
        lambda: server.open_files() <= files + 1, lambda: f"{server.open_files()} files are open, {files} before"
    )
    assert server.status("VmRSS") < memory + 64 * 1024, f"{memory} KiB before, {server.status('VmRSS')} KiB after"
    assert not list(unpacked.glob("[!.]*"))
    assert named_memory() == shared_before
    server.signal()
    assert server.wait_exit() == 0
