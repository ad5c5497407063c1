"""Models in processes of their own, through the real ``srv start``: the same answers, and no one hurt by who dies."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import numpy as np
import pytest
from grpc_client import Grpc
from processes import children, named_memory
from serving import MODELS, eventually, send_raw
from tensors import binary_body, grpc_outputs, grpc_request, json_body, rest_outputs, same

if TYPE_CHECKING:
    from serving import Answer, Gate, Serve, Server

CODE: Final = '''
import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from srv import MLModel
from srv.errors import InvalidInput, ModelNotFound, SrvError
from srv.types import InferenceRequest, InferenceResponse, Parameters, ResponseOutput


def text(value):
    return InferenceResponse(outputs=[ResponseOutput("text", "BYTES", [1], data=[str(value)])])


class Odd(SrvError):
    status_code = 418


class Teapot(Odd):
    def __str__(self):
        return "never shown"


def do(request, note):
    """Do what the request's parameter says."""
    what = request.parameters.get("do", "double")
    if what == "double":
        x = request.inputs[0].data.array
        return InferenceResponse(outputs=[ResponseOutput("y", "INT64", [*x.shape], data=x * 2)])
    if what == "pid":
        return text(os.getpid())
    if what == "environ":
        return text(os.environ.get("DEVICE"))
    if what == "exit":
        os._exit(0)
    if what == "sys.exit":
        sys.exit(0)
    if what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "hang":
        note.touch()
        time.sleep(3600)
    if what == "child":
        run = subprocess.run([sys.executable, "-c", "raise SystemExit(7)"])
        child = multiprocessing.get_context("fork" if sys.platform == "linux" else None).Process(
            target=os._exit, args=(9,)
        )
        child.start()
        child.join()
        return text((run.returncode, child.exitcode))
    if what == "own":
        raise InvalidInput("x: expected y, got z")
    if what == "teapot":
        raise Teapot("short and stout")
    if what == "unknown":
        raise ModelNotFound("another")
    if what == "fault":
        raise ZeroDivisionError("a secret")
    if what == "cause":
        raise InvalidInput("outside") from ValueError("inside")
    if what == "cancelled":
        raise asyncio.CancelledError
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "none":
        return None
    if what == "twice":
        return InferenceResponse(outputs=text(1).outputs * 2)
    if what == "shape":
        return InferenceResponse(outputs=[ResponseOutput("y", "INT64", [7], data=np.zeros(3, np.int64))])
    if what == "datatype":
        return InferenceResponse(outputs=[ResponseOutput("y", "WHAT", [1], data=[1])])
    if what == "objects":
        return InferenceResponse(outputs=[ResponseOutput("y", "INT32", [1], data=[{1}])])
    if what == "range":
        return InferenceResponse(outputs=[ResponseOutput("y", "INT8", [1], data=[1000])])
    if what == "no data":
        return InferenceResponse(outputs=[ResponseOutput("y", "INT8", [1])])
    if what == "numpy":
        sizes = np.array([3])
        return InferenceResponse(outputs=[ResponseOutput("y", "INT64", [sizes[0]], data=np.arange(3))])
    if what == "lists":
        return InferenceResponse(outputs=[ResponseOutput("y", "FP64", [2, 2], data=[[1, 2.5], [True, 4]])])
    if what == "parameters":
        return InferenceResponse(
            parameters=Parameters({"a": 1, "b": 2.5, "c": True, "d": "x"}, headers={"x-mine": "yes"}),
            outputs=[ResponseOutput("y", "BYTES", [2], Parameters(content_type="str"), data=["\\u00e9", b"b"])],
        )
    raise AssertionError(what)


class Model(MLModel):
    def note(self, name):
        return Path(self.settings.parameters.extra["notes"], name)

    async def load(self):
        self.note(f"loaded-{os.getpid()}").touch()
        if self.note("die").exists():
            os._exit(3)
        if self.note(f"die-{os.environ.get('DEVICE')}").exists():
            os._exit(4)
        return True

    async def unload(self):
        self.note(f"unloaded-{os.getpid()}").touch()
        return True


class Plain(Model):
    def predict(self, request: InferenceRequest) -> InferenceResponse:
        return do(request, self.note("hangs"))


class Async(Model):
    async def predict(self, request: InferenceRequest) -> InferenceResponse:
        if request.parameters.get("do") == "wait":
            self.note("waits").touch()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.note("cancelled").touch()
                raise
        return do(request, self.note("hangs"))

    async def predict_stream(self, requests):
        try:
            async for request in requests:
                for _ in range(request.parameters.get("count", 3)):
                    yield do(request, self.note("hangs"))
                    await asyncio.sleep(0)
        finally:
            self.note("stream-ended").touch()


class PlainStream(Model):
    def predict_stream(self, requests):
        for request in requests:
            for _ in range(3):
                yield do(request, self.note("hangs"))


class Sequence(Model):
    stateful = True

    async def load(self):
        self.sums = {}
        return await super().load()

    def predict(self, request: InferenceRequest) -> InferenceResponse:
        key = request.parameters["sequence_id"]
        self.sums[key] = self.sums.get(key, 0) + 1
        return text((os.getpid(), self.sums[key]))
'''
X: Final = {"x:INT64": np.arange(3)}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    found = tmp_path / "notes"
    found.mkdir()
    return found


@pytest.fixture
def folder(tmp_path: Path, notes: Path) -> Path:
    root = tmp_path / "models"
    for name in ("Plain", "Async", "PlainStream", "Sequence"):
        write_model(root, notes, name)
    return root


def write_model(root: Path, notes: Path, name: str, **parameters: object) -> None:
    folder = root / name.lower()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models.py").write_text(CODE, encoding="utf-8")
    settings = {
        "name": name.lower(),
        "implementation": f"models.{name}",
        "parameters": {"extra": {"notes": str(notes)}, **parameters},
    }
    (folder / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")


def ask(server: Server, model: str, what: str = "double", arrays: Any = X, **members: Any) -> Answer:
    parameters = {"do": what, **members.pop("parameters", {})}
    return server.post(f"/v2/models/{model}/infer", json_body(arrays, parameters=parameters, **members))


def said(answer: Answer) -> str:
    (found,) = rest_outputs(answer)["text"]
    return str(found.decode())


def ready(server: Server, model: str) -> bool:
    return server.get(f"/v2/models/{model}/ready").status == 200


def wait_ready(server: Server, model: str) -> None:
    eventually(lambda: ready(server, model), lambda: f"{model} is not ready:\n{server.log}")


# ---- The same as in the server's process

FAULTS: Final = (
    *("own", "teapot", "unknown", "fault", "cause", "cancelled", "interrupt", "sys.exit", "none", "twice", "shape"),
    *("datatype", "objects", "range", "no data", "numpy", "lists", "parameters", "double"),
)


def test_answers_and_errors_are_the_same_with_and_without_workers(serve: Serve, folder: Path) -> None:
    """Status, text and body, over both protocols, of what a runtime may do wrong, and right."""
    seen: list[dict[str, Any]] = []
    for workers in (0, 1):
        server = serve(folder, parallel_workers=workers).wait_started()
        server.faults_expected = True
        found: dict[str, Any] = {}
        with Grpc(server) as client:
            for model in ("plain", "async"):
                for what in FAULTS:
                    answer = ask(server, model, what, id="1")
                    found[f"{model}, {what}"] = (answer.status, answer.headers.get("x-mine"), answer.body)
                    request = grpc_request(model, X)
                    request.parameters["do"].string_param = what
                    try:
                        over_grpc: Any = client.infer(request).SerializeToString(deterministic=True)
                    except grpc.RpcError as error:
                        over_grpc = (error.code(), error.details())
                    found[f"{model}, {what}, gRPC"] = over_grpc
                found[f"{model}, metadata"] = server.get(f"/v2/models/{model}").body
                wrong = server.post(f"/v2/models/{model}/infer", b'{"inputs": [{"name": "x"}]}')
                found[f"{model}, wrong"] = (wrong.status, wrong.body)
        seen.append(found)
        # What a model returns wrongly costs no process.
        assert "worker process" not in server.log
    inside, outside = seen
    assert {key: value for key, value in outside.items() if value != inside[key]} == {}


def test_streams_with_several_requests_go_through_a_worker(serve: Serve, folder: Path) -> None:
    server = serve(folder, parallel_workers=2).wait_started()
    for model in ("async", "plainstream"):
        count = 3 if model == "async" else 1
        sent = [np.arange(1, size + 1, dtype=np.int64) * 10**size for size in (1, 5, 9)[:count]]
        with Grpc(server) as client:
            requests = [grpc_request(model, {"x:INT64": each}, id=str(i)) for i, each in enumerate(sent)]
            got = list(client.stream(requests))
        assert [each.error_message for each in got] == [""] * 3 * count
        arrays = [grpc_outputs(each.infer_response)["y"] for each in got]
        expected = [each * 2 for each in sent for _ in range(3)]
        assert sorted(map(bytes, arrays)) == sorted(map(bytes, expected))


def test_large_tensors_go_through_shared_memory_both_ways(serve: Serve, folder: Path) -> None:
    server = serve(folder, parallel_workers=1, max_request_size=200 << 20).wait_started()
    data = np.arange(8 << 20, dtype=np.int64)
    body, headers = binary_body({"x:INT64": data})
    for _ in range(3):
        answer = server.post("/v2/models/plain/infer", body, headers)
        assert same(rest_outputs(answer)["y"], data * 2)


def test_a_sequence_stays_with_one_process(serve: Serve, folder: Path) -> None:
    server = serve(folder, parallel_workers=2).wait_started()
    seen: dict[int, set[str]] = {}
    for turn in range(3):
        for number in range(1, 9):
            parameters = {"sequence_id": number, "sequence_start": turn == 0, "sequence_end": turn == 2}
            pid, count = eval(said(ask(server, "sequence", parameters=parameters)))  # noqa: S307  # of the test's own model
            assert count == turn + 1
            seen.setdefault(number, set()).add(pid)
    assert {len(pids) for pids in seen.values()} == {1}
    assert len(set.union(*seen.values())) == 2


def test_each_process_has_its_own_variables(serve: Serve, folder: Path, notes: Path) -> None:
    write_model(folder, notes, "Plain", workers=2, worker_env={"DEVICE": ["0", "1"]})
    server = serve(folder).wait_started()
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: said(ask(server, "plain", "environ")), range(64)))
    assert found == {"0", "1"}


@pytest.mark.parametrize("model", ["plain", "async"])
def test_child_processes_of_a_model_are_its_own(serve: Serve, folder: Path, model: str) -> None:
    server = serve(folder, parallel_workers=1).wait_started()
    assert said(ask(server, model, "child")) == "(7, 9)"


# ---- Who leaves, and who is late


def test_a_client_that_leaves_cancels_what_runs_for_it(serve: Serve, folder: Path, notes: Path) -> None:
    server = serve(folder, parallel_workers=1).wait_started()
    body = json_body(X, parameters={"do": "wait"})
    head = f"POST /v2/models/async/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = send_raw(server.http_port, head.encode() + body)
    eventually((notes / "waits").exists, lambda: "it never began")
    connection.close()
    eventually((notes / "cancelled").exists, lambda: "it was not cancelled")
    assert ask(server, "async").status == 200


def test_a_deadline_cancels_what_runs(serve: Serve, folder: Path, notes: Path) -> None:
    server = serve(folder, parallel_workers=1).wait_started()
    request = grpc_request("async", X)
    request.parameters["do"].string_param = "wait"
    with Grpc(server) as client:
        assert client.fails(request, timeout=1)[0] == "DEADLINE_EXCEEDED"
    eventually((notes / "cancelled").exists, lambda: "it was not cancelled")


def test_a_client_that_leaves_a_stream_ends_it(serve: Serve, folder: Path, notes: Path) -> None:
    server = serve(folder, parallel_workers=1).wait_started()
    request = grpc_request("async", X)
    request.parameters["count"].int64_param = 1_000_000_000
    with Grpc(server) as client:
        call = client.stream([request])
        assert not next(call).error_message
        call.cancel()
    eventually((notes / "stream-ended").exists, lambda: "it goes on")


def test_what_hangs_after_its_deadline_is_killed(serve: Serve, folder: Path) -> None:
    server = serve(folder, parallel_workers=1, worker_timeout=1).wait_started()
    request = grpc_request("plain", X)
    request.parameters["do"].string_param = "hang"
    with Grpc(server) as client:
        assert client.fails(request, timeout=0.5)[0] == "DEADLINE_EXCEEDED"
    assert ask(server, "plain").status in {200, 503}
    wait_ready(server, "plain")
    assert ask(server, "plain").status == 200
    assert "what nobody waited for any more" in server.log


def test_the_queue_of_a_model_in_workers_is_bounded(serve: Serve, folder: Path, notes: Path) -> None:
    server = serve(folder, parallel_workers=1, max_queue_size=1, worker_timeout=1).wait_started()
    with Grpc(server) as client:
        hanging = grpc_request("plain", X)
        hanging.parameters["do"].string_param = "hang"
        running = client.start(hanging)
        eventually((notes / "hangs").exists, lambda: "it never began")
        waiting = client.start(grpc_request("plain", X))
        error = ""
        for _ in range(100):
            # Which of the two is the one too many is not said.
            answer = client.start(grpc_request("plain", X))
            if answer.code() is grpc.StatusCode.UNAVAILABLE:
                error = answer.details()
                break
        assert error.startswith("Exceeds maximum queue size")
        running.cancel()
        assert waiting.result().outputs if hasattr(waiting.result(), "outputs") else waiting.result()


# ---- Death


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("exit", "its worker process ended (exit status 0) before the request was answered"),
        ("segfault", "its worker process was killed (SIGSEGV) before the request was answered"),
        ("stop", "its worker process did not respond for 1 s and was killed before the request was answered"),
    ],
)
@pytest.mark.parametrize("model", ["plain", "async"])
def test_death_is_an_error_of_its_request_and_of_no_other(
    serve: Serve, folder: Path, model: str, what: str, text: str
) -> None:
    server = serve(folder, parallel_workers=1, worker_timeout=1).wait_started()
    before = said(ask(server, model, "pid"))
    answer = ask(server, model, what)
    assert answer.status == 500
    assert answer.error() == f"model '{model}': {text}"
    wait_ready(server, model)
    assert said(ask(server, model, "pid")) != before
    others = {"plain", "async"} - {model}
    assert all(ask(server, other).status == 200 for other in others)


def test_death_in_a_stream_is_its_last_answer(serve: Serve, folder: Path) -> None:
    server = serve(folder, parallel_workers=1).wait_started()
    request = grpc_request("async", X)
    request.parameters["count"].int64_param = 1_000_000
    with Grpc(server) as client:
        call = client.stream([request])
        assert not next(call).error_message
        os.kill(int(said(ask(server, "async", "pid"))), signal.SIGKILL)
        last = [each.error_message for each in call][-1]
    assert last == "model 'async': its worker process was killed (SIGKILL) before the request was answered"


def test_a_process_that_dies_while_it_loads_is_an_error_of_the_load(serve: Serve, folder: Path, notes: Path) -> None:
    server = serve(folder, parallel_workers=1, load_models_at_startup="false").wait_started()
    server.faults_expected = True
    (notes / "die").touch()
    answer = server.post("/v2/repository/models/plain/load")
    assert answer.status == 400
    assert "its worker process ended (exit status 3) while it loaded the model" in answer.error()
    (notes / "die").unlink()
    assert server.post("/v2/repository/models/plain/load").status == 200
    assert ask(server, "plain").status == 200


def test_one_process_that_cannot_load_lets_the_others_unload(serve: Serve, folder: Path, notes: Path) -> None:
    write_model(folder, notes, "Plain", workers=2, worker_env={"DEVICE": ["0", "1"]})
    server = serve(folder, load_models_at_startup="false").wait_started()
    server.faults_expected = True
    (notes / "die-1").touch()
    answer = server.post("/v2/repository/models/plain/load")
    assert answer.status == 400
    assert "exit status 4" in answer.error()
    assert [*notes.glob("unloaded-*")]
    assert children(server.pid) == []


def test_a_model_that_cannot_be_started_again_is_given_up(serve: Serve, folder: Path, notes: Path) -> None:
    """Its index says why, it is not ready, and requests are answered at once."""
    server = serve(folder, parallel_workers=1).wait_started()
    server.faults_expected = True
    (notes / "die").touch()
    assert ask(server, "plain", "exit").status == 500
    server.wait_for_line("it is not started again")
    assert not ready(server, "plain")
    answer = ask(server, "plain")
    assert answer.status == 503
    index: Any = server.post("/v2/repository/index", {}).json()
    (found,) = [each for each in index if each["name"] == "plain"]
    assert "failed 5 times in a row" in found["reason"]
    assert "exit status 3" in found["reason"]
    # It can be loaded anew.
    (notes / "die").unlink()
    assert server.post("/v2/repository/models/plain/load").status == 200
    assert ask(server, "plain").status == 200


def test_nothing_survives_the_server(serve: Serve, folder: Path) -> None:
    shared = named_memory()
    server = serve(folder, parallel_workers=2).wait_started()
    found = children(server.pid)
    assert len(found) == 8
    server.signal(signal.SIGSTOP)
    server.kill()
    eventually(lambda: not any(Path("/proc", str(pid)).exists() for pid in found), lambda: found)
    assert named_memory() == shared


# ---- Unload and stop


def test_a_process_that_is_stopped_does_not_hold_up_unload(serve: Serve, folder: Path) -> None:
    server = serve(folder, parallel_workers=1, parallel_workers_timeout=0.5, worker_timeout=3600).wait_started()
    os.kill(int(said(ask(server, "plain", "pid"))), signal.SIGSTOP)
    assert server.post("/v2/repository/models/plain/unload").status == 200
    server.wait_for_line("did not unload it within 0.5 s")
    eventually(lambda: len(children(server.pid)) == 3, lambda: children(server.pid))


def test_requests_that_run_finish_while_their_model_is_loaded_anew(serve: Serve, gate: Gate) -> None:
    server = serve(MODELS / "shared", parallel_workers=1).wait_started()
    with ThreadPoolExecutor() as pool:
        body = json_body({"port:INT32": np.array([gate.port], np.int32)})
        running = pool.submit(server.post, "/v2/models/gate/infer", body)
        visit = gate.wait()
        assert server.post("/v2/repository/models/gate/load").status == 200
        visit.release()
        assert running.result().status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_on_a_signal_requests_finish_and_models_are_unloaded(
    serve: Serve, folder: Path, notes: Path, number: signal.Signals
) -> None:
    server = serve(folder, parallel_workers=2).wait_started()
    server.signal(number)
    assert server.wait_exit() == 0
    loaded = {each.name.removeprefix("loaded-") for each in notes.glob("loaded-*")}
    assert {each.name.removeprefix("unloaded-") for each in notes.glob("unloaded-*")} == loaded
    assert len(loaded) == 8


def test_a_second_signal_hastens_the_end(serve: Serve, folder: Path, notes: Path) -> None:
    server = serve(folder, parallel_workers=1, shutdown_timeout=3600, worker_timeout=3600).wait_started()
    found = children(server.pid)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(ask, server, "async", "wait")
        eventually((notes / "waits").exists, lambda: "it never began")
        server.signal()
        server.wait_for_line("stopping")
        server.signal()
        assert server.wait_exit() == 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert running.result().status == 503
    eventually(lambda: not any(Path("/proc", str(pid)).exists() for pid in found), lambda: found)


def test_a_sequence_whose_process_was_given_up_is_told(serve: Serve, folder: Path, notes: Path) -> None:
    """At once: nobody will ever serve it. The other process goes on."""
    write_model(folder, notes, "Sequence", workers=2, worker_env={"DEVICE": ["0", "1"]})
    server = serve(folder).wait_started()
    server.faults_expected = True
    pids = {}
    for number in range(1, 9):
        answer = ask(server, "sequence", parameters={"sequence_id": number, "sequence_start": True})
        pids[number] = json.loads(said(answer).replace("(", "[").replace(")", "]"))[0]
    dies = next(pid for pid in pids.values() if b"DEVICE=1\0" in Path(f"/proc/{pid}/environ").read_bytes())
    (notes / "die-1").touch()
    os.kill(dies, signal.SIGKILL)
    server.wait_for_line("it is not started again")
    for number, pid in pids.items():
        answer = ask(server, "sequence", parameters={"sequence_id": number})
        assert answer.status == (503 if pid == dies else 200), answer.body
        if pid == dies:
            assert "failed 5 times in a row" in answer.error()


def test_log_settings_reach_the_workers_that_run_and_those_to_come(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "talks"
    folder.mkdir(parents=True)
    (folder / "models.py").write_text(
        "import logging\n"
        "from srv import MLModel\n"
        "from srv.types import InferenceResponse\n"
        "class Talks(MLModel):\n"
        "    async def predict(self, payload):\n"
        "        logging.getLogger(__name__).debug('a whisper: %s', payload.id)\n"
        "        return InferenceResponse(outputs=[])\n"
    )
    settings = {"implementation": "models.Talks", "parameters": {"workers": 1}}
    (folder / "model-settings.json").write_text(json.dumps(settings))
    server = serve(tmp_path / "models").wait_started()

    def say(word: str) -> None:
        assert server.post("/v2/models/talks/infer", {"id": word, "inputs": []}).status == 200

    say("unheard")
    assert server.post("/v2/logging", {"log_verbose_level": 1}).status == 200
    say("heard")
    eventually(lambda: "a whisper: heard" in server.log, lambda: server.log)
    assert server.post("/v2/repository/models/talks/load").status == 200
    say("anew")
    eventually(lambda: "a whisper: anew" in server.log, lambda: server.log)
    assert "unheard" not in server.log
