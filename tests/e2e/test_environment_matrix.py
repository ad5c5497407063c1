"""Each kind of environment runs under its own Python, with its own packages and none of the server's."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from environments import LAYOUTS, NUMPY, Workshop

from srv.environments import Environments

if TYPE_CHECKING:
    from pathlib import Path

    from srv.environments import Environment

# What a model in it sees: and that a library of compiled code works.
QUESTIONS = """
import importlib.util, json, subprocess, sys
import numpy as np
child = [sys.executable, "-c", "import numpy; print(numpy.__version__)"]
print(json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "numpy": np.__version__,
    "sum": int(np.linalg.norm(np.array([3.0, 4.0]))),
    "leaks": [name for name in ("srv", "msgspec", "litestar", "pytest") if importlib.util.find_spec(name)],
    "child": subprocess.run(child, capture_output=True, text=True).stdout.strip(),
    "folder": np.__file__,
}))
"""


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("environments"))


def ask(environment: Environment) -> dict[str, object]:
    done = subprocess.run(
        [*environment.python, "-c", QUESTIONS],
        env=environment.environ(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("version", NUMPY)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_environment_runs_under_its_own_python_with_its_own_numpy(
    workshop: Workshop, tmp_path: Path, layout: str, version: str
) -> None:
    tarball = workshop.tarball(layout, version)

    async def run() -> None:
        environments = Environments(tmp_path / "environments")
        lease = await environments.prepare(None, tarball)
        environment = lease.environment
        answer = ask(environment)

        assert f"{environment.version[0]}.{environment.version[1]}" == answer["python"] == version
        assert answer["numpy"] == answer["child"] == NUMPY[version] != np.__version__
        assert answer["sum"] == 5
        assert answer["leaks"] == []
        assert str(answer["folder"]).startswith(str(tmp_path))
        lease.release()
        await environments.close()

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []
