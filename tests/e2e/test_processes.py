"""Several server processes on the same ports: what reaches all of them, and what becomes of one that dies."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_client import Grpc
from prometheus_client.parser import text_string_to_metric_families
from serving import MODELS, Rest, eventually
from tensors import grpc_request, json_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving import Gate, Serve, Server, Visit

ARRAYS = {"x:INT32": np.zeros(1, np.int32)}
TRIES = 12
"""Connections of which it is all but certain that each of two processes has one."""

TELLS = """
import os
import numpy as np
from srv import MLModel, decode_args
class Runtime(MLModel):
    @decode_args
    async def predict(self, x: np.ndarray) -> np.ndarray:
        return np.array([os.getpid(), {}], np.int64)
    async def unload(self):
        print("unloaded in", os.getpid(), flush=True)
        return True
"""


def write_model(root: Path, code: str, name: str = "tells") -> Path:
    """Write a model's folder."""
    folder = root / name
    folder.mkdir(exist_ok=True)
    settings = {"name": name, "implementation": "models.Runtime"}
    (folder / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "models.py").write_text(code, encoding="utf-8")
    return folder


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def lives(pid: int) -> bool:
    """Whether there is a process, and not only what is left of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def tell(server: Server) -> tuple[int, int]:
    """Ask the model on a connection of its own which process runs it, and which code."""
    answer = server.post("/v2/models/tells/infer", json_body(ARRAYS))
    assert answer.status == 200, answer.body
    found: Any = answer.json()
    pid, code = found["outputs"][0]["data"]
    return pid, code


def on_each(server: Server, ask: Callable[[Rest], object]) -> list[object]:
    """Ask on keep-alive connections, until each of the two processes has had one."""
    found: dict[int, object] = {}
    with_pid = json_body(ARRAYS)

    def step() -> bool:
        with server.rest() as rest:
            answer: Any = rest.request("POST", "/v2/models/tells/infer", with_pid).json()
            found[answer["outputs"][0]["data"][0]] = ask(rest)
        return len(found) == 2

    eventually(step, lambda: found)
    return list(found.values())


def value(server: Server, name: str, **labels: str) -> float:
    """Return one number of the metrics."""
    with Rest(server.metrics_port) as rest:
        answer = rest.request("GET", "/metrics")
    assert answer.status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }[name, frozenset(labels.items())]


def successes(server: Server) -> float:
    """Return how many requests the model has answered."""
    return value(server, "model_infer_request_success_total", model="tells", version="")


class Traffic:
    """Clients of both protocols that ask without a pause, each on one connection for as long as it is let."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor()
        self.answers = 0
        self.codes: set[int] = set()
        self.faults: list[str] = []
        self._running = [self._pool.submit(each) for each in (self._rest, self._rest, self._grpc, self._grpc)]

    def _rest(self) -> None:
        with self._server.rest() as rest:
            while not self._stop.is_set():
                try:
                    answer = rest.request("POST", "/v2/models/tells/infer", json_body(ARRAYS))
                    if answer.status != 200:
                        self.faults.append(str(answer.body))
                        return
                    found: Any = answer.json()
                    self._count(found["outputs"][0]["data"])
                except OSError as error:
                    self.faults.append(repr(error))
                    return

    def _grpc(self) -> None:
        with Grpc(self._server) as client:
            while not self._stop.is_set():
                try:
                    found = client.infer(grpc_request("tells", ARRAYS))
                    self._count(np.frombuffer(found.raw_output_contents[0], np.int64).tolist())
                except grpc.RpcError as error:
                    self.faults.append(str(error))
                    return

    def _count(self, data: list[int]) -> None:
        self.answers += 1
        self.codes.add(data[1])

    def wait_more(self) -> None:
        """Return when some further requests have been answered."""
        wanted = self.answers + 50
        eventually(lambda: self.answers >= wanted or bool(self.faults), lambda: (self.answers, self.faults))

    def end(self) -> list[str]:
        """Stop asking, and return what has failed."""
        self._stop.set()
        for each in self._running:
            each.result(60)
        self._pool.shutdown()
        return self.faults


@pytest.fixture
def two(serve: Serve, tmp_path: Path) -> Server:
    """Return a server of two processes with one model."""
    write_model(tmp_path, TELLS.format(1))
    return serve(tmp_path, processes=2, allow_file_override=True, allow_client_shm=True).wait_started()


def test_both_protocols_are_served_by_both(two: Server) -> None:
    """The banner is shown once; the status is 0, each model is unloaded in each process, and none of them is left."""
    two.wait_for_line("2 processes")
    pids = children(two.pid)
    assert len(pids) == 2
    seen = {tell(two)[0] for _ in range(TRIES)}
    with Grpc(two) as client:
        seen.add(int(np.frombuffer(client.infer(grpc_request("tells", ARRAYS)).raw_output_contents[0], np.int64)[0]))

    def all_seen() -> bool:
        seen.add(tell(two)[0])
        return seen == set(pids)

    eventually(all_seen, lambda: (seen, pids))
    assert two.log.count("metrics http://") == 1
    assert two.get("/v2/health/ready").status == 200
    two.signal()
    assert two.wait_exit() == 0
    assert not any(map(lives, pids))
    assert all(f"unloaded in {pid}" in two.log for pid in pids)


def test_loads_reach_all_processes(two: Server, tmp_path: Path) -> None:
    """While requests run: none of them fails, and no process goes on with what was before."""
    traffic = Traffic(two)
    traffic.wait_more()
    write_model(tmp_path, TELLS.format(2))
    assert two.post("/v2/repository/models/tells/load").status == 200
    assert {tell(two)[1] for _ in range(TRIES)} == {2}
    config = {"name": "tells", "parameters": {"implementation": {"string_value": "models.Runtime"}}}
    code = base64.b64encode(TELLS.format(3).encode()).decode()
    parameters = {"config": json.dumps(config), "file:models.py": code}
    answer = two.post("/v2/repository/models/tells/load", {"parameters": parameters})
    assert answer.status == 200, answer.body
    assert {tell(two)[1] for _ in range(TRIES)} == {3}
    traffic.wait_more()
    assert traffic.end() == []
    assert traffic.codes == {1, 2, 3}
    assert two.post("/v2/repository/models/tells/unload").status == 200
    assert {two.post("/v2/models/tells/infer", json_body(ARRAYS)).status for _ in range(TRIES)} == {404}


def test_a_load_that_fails_changes_nothing(two: Server, tmp_path: Path) -> None:
    """Its error is the one of a single process."""
    write_model(tmp_path, "import no_such_package_anywhere")
    two.faults_expected = True
    answer = two.post("/v2/repository/models/tells/load")
    assert answer.status == 400
    assert "No module named 'no_such_package_anywhere'" in answer.error()
    assert {tell(two)[1] for _ in range(TRIES)} == {1}


def test_what_one_process_alone_fails_at_is_reported_and_mended(serve: Serve, tmp_path: Path) -> None:
    """The client learns of it, and the process is replaced by one that can."""
    write_model(tmp_path, TELLS.format(1))
    server = serve(tmp_path, processes=2, shutdown_timeout=1).wait_started()
    server.faults_expected = True
    pids = children(server.pid)
    fails = "import os\nif os.getpid() == {}:\n    raise RuntimeError('not here')\n"
    asked = server.rest()
    first: Any = asked.request("POST", "/v2/models/tells/infer", json_body(ARRAYS)).json()
    other = next(pid for pid in pids if pid != first["outputs"][0]["data"][0])
    write_model(tmp_path, fails.format(other) + TELLS.format(2))
    answer = asked.request("POST", "/v2/repository/models/tells/load")
    asked.connection.close()
    assert answer.status == 500
    assert "done in 1 of 2 server processes; the others are replaced" in answer.error()
    assert "not here" in answer.error()
    eventually(lambda: not lives(other) and len(children(server.pid)) == 2, lambda: server.log)
    assert {tell(server)[1] for _ in range(TRIES)} == {2}


def test_settings_reach_all_processes_and_those_that_come_later(two: Server) -> None:
    """The log's, the trace's, and the regions of shared memory."""
    key = f"/srv-test-{os.getpid()}"
    path = Path("/dev/shm") / key[1:]  # noqa: S108  # where memory objects of POSIX are
    path.write_bytes(bytes(64))
    try:
        region = {"key": key, "offset": 0, "byte_size": 64}
        assert two.post("/v2/systemsharedmemory/region/r/register", region).status == 200
        assert two.post("/v2/systemsharedmemory/region/r/register", region).status == 400
        assert two.post("/v2/logging", {"log_verbose_level": 1}).status == 200
        assert two.post("/v2/trace/setting", {"trace_rate": "7"}).status == 200

        def check(rest: Rest) -> object:
            settings: Any = rest.request("GET", "/v2/logging").json()
            traces: Any = rest.request("GET", "/v2/trace/setting").json()
            regions: Any = rest.request("GET", "/v2/systemsharedmemory/status").json()
            return settings["log_verbose_level"], traces["trace_rate"], [each["name"] for each in regions]

        assert on_each(two, check) == [(1, "7", ["r"])] * 2
        victim = children(two.pid)[0]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: not lives(victim), lambda: two.log)
        assert on_each(two, check) == [(1, "7", ["r"])] * 2
    finally:
        path.unlink()


def test_a_killed_process_takes_only_its_own_connections(two: Server, tmp_path: Path) -> None:
    """Connections that are made meanwhile are served; another process takes its place, as clients have left things."""
    write_model(tmp_path, TELLS.format(5), "other")
    assert two.post("/v2/repository/models/other/load").status == 200
    assert two.post("/v2/repository/models/other/unload").status == 200
    connections = [two.rest() for _ in range(TRIES)]
    owners = []
    for each in connections:
        answer: Any = each.request("POST", "/v2/models/tells/infer", json_body(ARRAYS)).json()
        owners.append(answer["outputs"][0]["data"][0])
    victim = owners[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: not lives(victim), lambda: two.log)
    for _ in range(TRIES):
        assert tell(two)[0] != victim
    for owner, each in zip(owners, connections, strict=True):
        if owner != victim:
            assert each.request("POST", "/v2/models/tells/infer", json_body(ARRAYS)).status == 200
        each.connection.close()
    two.wait_for_line(f"server process {victim} was killed (SIGKILL); another takes its place")
    eventually(lambda: len({tell(two)[0] for _ in range(TRIES)}) == 2, lambda: two.log)
    assert {two.post("/v2/models/other/infer", json_body(ARRAYS)).status for _ in range(TRIES)} == {404}
    assert two.get("/v2/health/ready").status == 200


def test_sighup_replaces_all_processes_without_a_failed_request(two: Server, tmp_path: Path) -> None:
    """The new ones have the new code; what is counted goes on; no descriptor stays behind."""
    traffic = Traffic(two)
    traffic.wait_more()
    before, counted = children(two.pid), successes(two)
    two.signal(signal.SIGHUP)
    two.wait_for_line("the server processes are replaced")
    files = two.open_files()
    assert not any(map(lives, before))
    write_model(tmp_path, TELLS.format(2))
    before = children(two.pid)
    two.signal(signal.SIGHUP)
    eventually(lambda: two.log.count("the server processes are replaced") == 2, lambda: two.log)
    traffic.wait_more()
    assert traffic.end() == []
    assert traffic.codes == {1, 2}
    assert {tell(two)[1] for _ in range(TRIES)} == {2}
    assert not set(children(two.pid)) & set(before)
    assert successes(two) >= traffic.answers > counted
    eventually(lambda: two.open_files() <= files, lambda: (two.open_files(), files))


def test_a_roll_that_cannot_begin_leaves_all_as_it_was(two: Server, tmp_path: Path) -> None:
    """Settings that are wrong are reported, and change nothing."""
    (tmp_path / "settings.json").write_text('{"http_port": "many"}', encoding="utf-8")
    before = children(two.pid)
    two.signal(signal.SIGHUP)
    # The variable of the tests' ports ranks above, so the text is refused where it stands.
    (tmp_path / "settings.json").write_text('{"max_queue_size": "many"}', encoding="utf-8")
    two.signal(signal.SIGHUP)
    two.wait_for_line("the server goes on as it was: ")
    assert children(two.pid) == before
    assert tell(two)[1] == 1


def test_metrics_and_statistics_are_sums_that_never_go_back(two: Server) -> None:
    """Also of a process that has been killed, once it has been asked."""
    for _ in range(20):
        tell(two)
    assert successes(two) == 20
    stats: Any = two.get("/v2/models/tells/stats").json()
    assert stats["model_stats"][0]["inference_count"] == 20
    assert value(two, "model_infer_request_duration_count", model="tells", version="") == 20
    for victim in children(two.pid):
        os.kill(victim, signal.SIGKILL)
        eventually(lambda victim=victim: not lives(victim) and len(children(two.pid)) == 2, lambda: two.log)  # type: ignore[misc]
        assert successes(two) == 20
    eventually(lambda: two.get("/v2/health/ready").status == 200, lambda: two.log)
    tell(two)
    assert successes(two) == 21


def test_running_requests_finish_at_the_stop(serve: Serve, gate: Gate) -> None:
    """In whichever process they run; readiness is gone at once."""
    server = serve(MODELS / "shared", processes=2, shutdown_delay=0.3).wait_started()
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    with ThreadPoolExecutor() as pool, server.rest() as rest:
        assert rest.request("GET", "/v2/health/ready").status == 200
        running = [pool.submit(server.post, "/v2/models/gate/infer", body) for _ in range(6)]
        visits: list[Visit] = [gate.wait() for _ in running]
        server.signal()
        server.wait_for_line("stopping")
        eventually(lambda: rest.request("GET", "/v2/health/ready").status == 503, lambda: server.log)
        for visit in visits:
            visit.release()
        assert [each.result().status for each in running] == [200] * 6
    assert server.wait_exit() == 0


def test_a_second_signal_hastens(serve: Serve, gate: Gate) -> None:
    """All processes."""
    server = serve(MODELS / "shared", processes=2, shutdown_delay=3600, shutdown_timeout=3600).wait_started()
    pids = children(server.pid)
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(server.post, "/v2/models/gate/infer", body) for _ in range(4)]
        visits = [gate.wait() for _ in running]
        server.signal()
        server.wait_for_line("stopping")
        server.signal()
        assert server.wait_exit() == 0
        for visit in visits:
            visit.close()
        assert all(each.exception(60) is not None or each.result().status == 503 for each in running)
    assert not any(map(lives, pids))


def test_processes_do_not_outlive_a_killed_supervisor(serve: Serve, tmp_path: Path) -> None:
    """They stop as they would on a signal."""
    write_model(tmp_path, TELLS.format(1))
    server = serve(tmp_path, processes=2).wait_started()
    pids = children(server.pid)
    server.signal(signal.SIGKILL)
    eventually(lambda: not any(map(lives, pids)), lambda: server.log)
    assert server.wait_exit() == -signal.SIGKILL
    assert all(f"unloaded in {pid}" in server.log for pid in pids)


def test_a_process_that_never_starts_ends_the_server(serve: Serve, tmp_path: Path) -> None:
    """After a few tries, with a status that is not 0."""
    write_model(tmp_path, "import os\nos._exit(7)\n")
    server = serve(tmp_path, processes=2)
    assert server.wait_exit() == 1
    assert "a server process ended (exit status 7) before it was up" in server.log
    assert "a server process failed to start 3 times in a row" in server.log


def test_nothing_to_serve_is_one_error(serve: Serve, tmp_path: Path) -> None:
    """As with one process."""
    server = serve(tmp_path, processes=2)
    assert server.wait_exit() == 1
    assert server.log.count("there is no model-settings.json") == 1


def test_a_port_that_is_taken_is_one_error(serve: Serve) -> None:
    """Before any process has been started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve(MODELS / "shared", processes=2, http_port=taken.getsockname()[1])
        assert server.wait_exit() == 2
    assert server.log.startswith("srv: REST cannot listen on 127.0.0.1:")
    assert server.log.count("\n") == 0


def test_a_setting_that_only_a_process_finds_wrong_is_one_error(serve: Serve, tmp_path: Path) -> None:
    """Such as files of TLS that are not there."""
    server = serve(MODELS / "shared", processes=2, ssl_certfile=tmp_path / "none.pem")
    assert server.wait_exit() == 2
    assert server.log.count("srv: ") == 1
    assert "ssl_certfile" in server.log


def test_stateful_models_are_refused(serve: Serve, tmp_path: Path) -> None:
    """The requests of a sequence would come to different processes."""
    write_model(tmp_path, TELLS.format(1))
    write_model(
        tmp_path,
        TELLS.format(1)
        .replace("async def predict", "stateful = True\n    async def predict", 1)
        .replace("    @decode_args\n    stateful = True\n", "    stateful = True\n    @decode_args\n"),
        "keeps",
    )
    server = serve(tmp_path, processes=2).wait_started()
    assert "the model is stateful" in server.log
    answer = server.post("/v2/repository/models/keeps/load")
    assert answer.status == 400
    assert "expected the setting processes to be 1" in answer.error()
    assert tell(server)[1] == 1


def test_unix_sockets_are_shared_and_removed(serve: Serve, tmp_path: Path) -> None:
    """They survive a replacement, and are gone at the end."""
    models = tmp_path / "models"
    models.mkdir()
    write_model(models, TELLS.format(1))
    rest, over_grpc = tmp_path / "http.sock", tmp_path / "grpc.sock"
    server = serve(models, processes=2, http_uds=rest, grpc_uds=over_grpc, shutdown_timeout=1).wait_started()
    for _ in range(2):
        with Grpc(server) as client:
            assert client.infer(grpc_request("tells", ARRAYS)).raw_output_contents
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(rest))
            connection.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(64).startswith(b"HTTP/1.1 200")
        server.signal(signal.SIGHUP)
        server.wait_for_line("the server processes are replaced")
    server.signal()
    assert server.wait_exit() == 0
    assert not rest.exists()
    assert not over_grpc.exists()


def test_sighup_loads_the_models_of_a_single_process_anew(serve: Serve, tmp_path: Path) -> None:
    """In place, and without a failed request; a model that a client has unloaded stays so."""
    write_model(tmp_path, TELLS.format(1))
    write_model(tmp_path, TELLS.format(1), "other")
    server = serve(tmp_path).wait_started()
    assert server.post("/v2/repository/models/other/unload").status == 200
    traffic = Traffic(server)
    traffic.wait_more()
    write_model(tmp_path, TELLS.format(2))
    server.signal(signal.SIGHUP)
    server.wait_for_line("the models are loaded anew")
    traffic.wait_more()
    assert traffic.end() == []
    assert traffic.codes == {1, 2}
    assert tell(server) == (server.pid, 2)
    assert server.post("/v2/models/other/infer", json_body(ARRAYS)).status == 404
