"""What MLServer gets wrong about the model repository, model code and the response cache, and this server does not.

Each test is one fault that has been seen in MLServer 1.7.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from serving import Server as Process

from srv import Settings
from srv._server import Server
from srv.controlplane._repository import FolderRepository
from srv.dataplane._timeline import Timeline
from srv.types import InferenceRequest, RequestInput
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine
    from pathlib import Path

RUNTIME = """
import numpy as np
from srv import MLModel, decode_args
{head}
class Runtime(MLModel):
    @decode_args
    def predict(self, x: np.ndarray) -> list[str]:
        {body}
"""


def add(folder: Path, answer: str = "'?'", settings: str = "", *, head: str = "", body: str = "") -> None:
    """Write a model that answers with the value of an expression."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("models.py").write_text(RUNTIME.format(head=head, body=f"{body or 'pass'}; return [{answer}]"))
    folder.joinpath("model-settings.json").write_text(f'{{"implementation": "models.Runtime"{settings}}}')


@contextlib.asynccontextmanager
async def serving(root: Path, **given: Any) -> AsyncGenerator[Server]:
    server = Server(Settings(**given), FolderRepository(root, {}))
    await server.load_models()
    try:
        yield server
    finally:
        await server.registry.close()


async def ask(server: Server, name: str, version: str = "", **members: Any) -> str:
    inputs = [RequestInput("x", "FP32", [1], data=np.zeros(1, np.float32))]
    request = InferenceRequest(model_name=name, model_version=version, inputs=inputs, **members)
    headers = Headers({"x-request-id": str(id(request))})
    answer = await server.backend.dataplane.infer(request, headers, Timeline(), lambda each: each)
    assert (answer.model_name, answer.id) == (name, request.id)
    (text,) = np.ravel(np.asarray(answer.outputs[0].data)).tolist()
    return str(text.decode() if isinstance(text, bytes) else text)


def run(root: Path, story: Callable[[Server], Coroutine[object, object, None]], **given: Any) -> None:
    async def main() -> None:
        async with serving(root, **given) as server:
            await story(server)

    asyncio.run(main())


# ---- The repository (1.14)


def test_the_index_shows_models_that_are_loaded_and_gone_from_disk(tmp_path: Path) -> None:
    add(tmp_path / "m")

    async def story(server: Server) -> None:
        (tmp_path / "m" / "model-settings.json").unlink()

        assert [(each.name, each.state) for each in await server.backend.controlplane.index()] == [("m", "READY")]

    run(tmp_path, story)


def test_the_index_has_a_state_and_a_reason_for_each_version(tmp_path: Path) -> None:
    """MLServer shows the state of the default version for all, and no reason."""
    add(tmp_path / "1", settings=', "name": "m", "parameters": {"version": "1"}')
    add(tmp_path / "2", settings=', "name": "m", "parameters": {"version": "2"}', head="import no_such_package")

    async def story(server: Server) -> None:
        first, second = await server.backend.controlplane.index()

        assert (first.version, first.state, first.reason) == ("1", "READY", "")
        assert (second.version, second.state) == ("2", "UNAVAILABLE")
        assert "no_such_package" in second.reason

    run(tmp_path, story)


def test_loading_and_unloading_are_states(tmp_path: Path) -> None:
    add(tmp_path / "m", head="import asyncio\ngate = asyncio.Event()\n")
    text = (tmp_path / "m" / "models.py").read_text()
    (tmp_path / "m" / "models.py").write_text(f"{text}    async def load(self):\n        await gate.wait()\n")

    async def main() -> None:
        server = Server(Settings(), FolderRepository(tmp_path, {}))
        starting = asyncio.ensure_future(server.load_models())
        while not server.registry.entries():
            await asyncio.sleep(0)
        (entry,) = await server.backend.controlplane.index()
        assert entry.state == "LOADING"
        starting.cancel()
        await asyncio.wait({starting})
        await server.registry.close()

    asyncio.run(main())


def test_the_disk_is_not_read_on_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path / "m")
    threads: list[threading.Thread] = []
    scan = FolderRepository.scan

    def noted(self: FolderRepository) -> Any:
        threads.append(threading.current_thread())
        return scan(self)

    monkeypatch.setattr(FolderRepository, "scan", noted)

    async def story(server: Server) -> None:
        await server.backend.controlplane.index()
        await server.backend.controlplane.load("m")

    run(tmp_path, story)
    assert len(threads) == 3
    assert threading.main_thread() not in threads


def test_one_failing_model_stops_no_other(tmp_path: Path) -> None:
    add(tmp_path / "good", "'good'")
    add(tmp_path / "bad", head="raise RuntimeError")

    async def story(server: Server) -> None:
        assert await ask(server, "good") == "good"
        assert not server.backend.dataplane.is_ready()

    run(tmp_path, story)


def test_a_server_without_any_model_does_not_exit_with_0(tmp_path: Path) -> None:
    add(tmp_path / "bad", head="raise RuntimeError")

    assert Process(tmp_path).wait_exit() == 1


def test_versions_are_ordered_by_the_numbers_in_them(tmp_path: Path) -> None:
    for version in ("v3", "v10", "v9"):
        add(tmp_path / version, f"'{version}'", f', "name": "m", "parameters": {{"version": "{version}"}}')

    async def story(server: Server) -> None:
        assert await ask(server, "m") == "v10"

    run(tmp_path, story)


def test_without_loading_at_the_start_the_index_lists_what_can_be_loaded(tmp_path: Path) -> None:
    add(tmp_path / "m", "'m'")

    async def story(server: Server) -> None:
        assert [each.name for each in await server.backend.controlplane.index()] == ["m"]
        assert server.backend.dataplane.is_ready()
        await server.backend.controlplane.load("m")
        assert await ask(server, "m") == "m"

    run(tmp_path, story, load_models_at_startup=False)


# ---- Model code (1.15)


def test_models_with_modules_of_one_name_run_their_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        add(tmp_path / name, "helper.NAME", head="import helper")
        (tmp_path / name / "helper.py").write_text(f"NAME = '{name}'")

    async def story(server: Server) -> None:
        assert [await ask(server, name) for name in ("a", "b")] == ["a", "b"]

    run(tmp_path, story)


def test_versions_with_modules_of_one_name_run_their_own(tmp_path: Path) -> None:
    for version in ("1", "2"):
        add(tmp_path / version, f"'{version}'", f', "name": "m", "parameters": {{"version": "{version}"}}')

    async def story(server: Server) -> None:
        assert [await ask(server, "m", version) for version in ("1", "2")] == ["1", "2"]

    run(tmp_path, story)


@pytest.mark.parametrize("statement", ["import helper", "from . import helper", "from helpers import helper"])
def test_siblings_may_be_imported_inside_predict(tmp_path: Path, statement: str) -> None:
    add(tmp_path / "m", "helper.NAME", body=statement)
    (tmp_path / "m" / "helpers").mkdir()
    (tmp_path / "m" / "helpers" / "__init__.py").touch()
    for folder in ("m", "m/helpers"):
        (tmp_path / folder / "helper.py").write_text("NAME = 'found'")

    async def story(server: Server) -> None:
        assert await ask(server, "m") == "found"

    run(tmp_path, story)


@pytest.mark.parametrize("place", ["models.py", "helper.py"])
def test_a_reload_runs_changed_code_and_helpers(tmp_path: Path, place: str) -> None:
    add(tmp_path / "m", "'one' + helper.NAME", head="import helper")
    (tmp_path / "m" / "helper.py").write_text("NAME = 'one'")

    async def story(server: Server) -> None:
        path = tmp_path / "m" / place
        path.write_text(path.read_text().replace("'one'", "'two'"))
        assert await ask(server, "m") == "oneone"
        await server.backend.controlplane.load("m")
        assert await ask(server, "m") == ("twoone" if place == "models.py" else "onetwo")

    run(tmp_path, story)


def test_relative_imports_and_what_reads_code_work(tmp_path: Path) -> None:
    """Of a package that is the implementation; dataclasses, hints as text and sources are found by their modules."""
    add(tmp_path / "m", settings=', "name": "m"')
    package = tmp_path / "m" / "models"
    package.mkdir()
    (tmp_path / "m" / "models.py").unlink()
    (package / "helper.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass, field\n"
        "@dataclass\nclass Point:\n    x: list[Point] = field(default_factory=list)\n"
    )
    head = "import inspect, typing\nfrom .helper import Point"
    answer = "f'{typing.get_type_hints(Point)[\"x\"] == list[Point]} {len(inspect.getsource(Point)) > 30}'"
    (package / "__init__.py").write_text(RUNTIME.format(head=head, body=f"return [{answer}]"))

    async def story(server: Server) -> None:
        assert await ask(server, "m") == "True True"

    run(tmp_path, story)


# ---- The response cache (1.19)

COUNTING = {"head": "import itertools\ncounter = itertools.count(1)", "answer": "str(next(counter))"}
CACHED = ', "cache_enabled": true'


def test_ids_and_headers_do_not_keep_requests_apart(tmp_path: Path) -> None:
    add(tmp_path / "m", settings=CACHED, **COUNTING)

    async def story(server: Server) -> None:
        assert [await ask(server, "m", id=str(number)) for number in range(3)] == ["1", "1", "1"]

    run(tmp_path, story, cache_enabled=True)


def test_models_and_versions_do_not_answer_for_each_other(tmp_path: Path) -> None:
    add(tmp_path / "a", "'a'", CACHED)
    add(tmp_path / "b", "'b'", CACHED)
    add(tmp_path / "b2", "'b2'", f'{CACHED}, "name": "b", "parameters": {{"version": "2"}}')

    async def story(server: Server) -> None:
        for _ in range(2):
            assert [await ask(server, "a"), await ask(server, "b"), await ask(server, "b", "2")] == ["a", "b", "b2"]

    run(tmp_path, story, cache_enabled=True)


def test_what_is_used_stays_in_the_cache(tmp_path: Path) -> None:
    """MLServer's goes by age alone."""
    add(tmp_path / "m", settings=CACHED, **COUNTING)

    async def story(server: Server) -> None:
        answers = [await ask(server, "m", parameters={"p": each}) for each in "abaca"]
        assert answers == ["1", "2", "1", "3", "1"]

    run(tmp_path, story, cache_enabled=True, cache_size=2)


def test_bytes_come_out_of_the_cache_as_they_went_in(tmp_path: Path) -> None:
    """MLServer keeps JSON: bytes come back as text."""
    add(tmp_path / "m", settings=CACHED)
    code = (tmp_path / "m" / "models.py").read_text()
    (tmp_path / "m" / "models.py").write_text(
        code.replace("list[str]", "np.ndarray").replace("['?']", "np.array([bytes([0, 255])], object)")
    )

    async def story(server: Server) -> None:
        for _ in range(2):
            request = InferenceRequest(model_name="m", inputs=[RequestInput("x", "FP32", [1], data=[0.0])])
            answer = await server.backend.dataplane.infer(request, Headers(), Timeline(), lambda each: each)
            assert np.ravel(np.asarray(answer.outputs[0].data)).tolist() == [b"\x00\xff"]

    run(tmp_path, story, cache_enabled=True)
