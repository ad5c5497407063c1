"""The project's tasks: ``nox -l`` lists them, ``nox`` alone runs what a change needs before it is pushed."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_missing_interpreters = False
# What is installed already need not be installed again; `nox -r never` starts afresh.
nox.options.reuse_venv = "yes"

PYPROJECT: Final = nox.project.load_toml("pyproject.toml")
SUPPORTED: Final = ("3.11", "3.12", "3.13")
RUNNING: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
# The tests that say something of a gRPC transport, which are run with grpclib's too.
GRPC_TESTS: Final = (
    *("tests/unit/server/test_grpc_front.py", "tests/wire", "tests/e2e", "tests/conformance"),
    *(
        "-k",
        "(grpc or stream or cancel or stop or http2 or metadata or unix or tls) and not (abuse or client or workers)",
    ),
)
# What starts many processes, and says the same whatever Python runs it.
ONCE: Final = (
    *("tests/e2e/test_chaos.py", "tests/e2e/test_environment_matrix.py", "tests/e2e/test_processes.py"),
    "tests/unit/server/workers/test_bootstrap.py",
)


def _offer_pyenv() -> None:
    """Let pyenv offer the newest release that it has of each supported Python, whatever it is switched to.

    No interpreter is started for it: nox looks for them only when a session needs one.
    """
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    releases = [path.parents[1].name for path in root.glob("versions/*/bin/python")]
    releases = sorted(filter(re.compile(r"\d+\.\d+\.\d+").fullmatch, releases), key=_numbers)
    newest = {release.rpartition(".")[0]: release for release in releases}
    offered = [newest[version] for version in SUPPORTED if version in newest]
    if offered:
        os.environ["PYENV_VERSION"] = ":".join(filter(None, [os.environ.get("PYENV_VERSION"), *offered]))
        os.environ["PATH"] += f"{os.pathsep}{root / 'shims'}"


def _numbers(release: str) -> list[int]:
    return [int(part) for part in release.split(".")]


_offer_pyenv()


def _group(*names: str) -> tuple[str, ...]:
    """Return the requirements of dependency groups, for versions of pip that have no --group."""
    return nox.project.dependency_groups(PYPROJECT, *names)


# One that is not installed is skipped; the running one always is, so that a run of no tests never looks like success.
@nox.session(python=sorted({*SUPPORTED, RUNNING}))
def tests(session: nox.Session) -> None:
    """Run the tests on every supported Python that is installed; arguments behind -- go to pytest."""
    session.install(".", *_group("test", "conformance", "codegen"))
    # MLServer's runtime, without MLServer, whose place srv takes. It says that it is for Pythons below 3.13, as
    # MLServer is; it is plain Python.
    session.install("--no-deps", "--ignore-requires-python", "mlserver-sklearn==1.7.1")
    once = () if session.posargs or session.python == RUNNING else (f"--ignore={each}" for each in ONCE)
    session.run("pytest", *session.posargs, *once)
    if not session.posargs and session.python == RUNNING:
        session.run("pytest", *GRPC_TESTS, env={"TESTS_GRPC_TRANSPORT": "grpclib"})


@nox.session(python=SUPPORTED[0], default=False)
def lowest(session: nox.Session) -> None:
    """Run the unit tests with the lowest version of each requirement, on the lowest Python."""
    requirements = (*PYPROJECT["project"]["dependencies"], *_group("test", "codegen"))
    session.install(".", *(re.sub(r">=([\d.]+)[^;]*", r"==\1 ", each) for each in requirements))
    session.run("pytest", "tests/unit", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and format; `nox -s lint -- --fix` repairs what can be repaired."""
    session.install(*_group("lint"))
    if "--fix" in session.posargs:
        session.run("ruff", "check", "--fix")
        session.run("ruff", "format")
    else:
        session.run("ruff", "check")
        session.run("ruff", "format", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types with mypy and pyright, both strict."""
    session.install("-e", ".", *_group("types", "test", "codegen"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def codegen(session: nox.Session) -> None:
    """Generate the code for the .proto files; `nox -s codegen -- --check` only says whether it is up to date."""
    session.install(*_group("codegen"))
    session.run("python", "-m", "srv_codegen", *session.posargs, env={"PYTHONPATH": "codegen"})


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Compare with MLServer, KServe and floors; `-- --quick` for a minute of it, `-- --check` for regressions."""
    session.install(".", *_group("bench"))
    pythons: list[str] = []
    for rival in ("mlserver", "kserve"):
        # An environment each, beside this session's: they ask for other versions of the same packages.
        folder = Path(session.virtualenv.location) / "rivals" / rival
        python = folder / "bin" / "python"
        if not python.exists():
            session.run("python", "-m", "venv", str(folder))
        requirements = f"benchmarks/rivals/{rival}.txt"
        session.run(str(python), "-m", "pip", "install", "--quiet", "-r", requirements, external=True)
        pythons.append(f"--python={rival}={python}")
    session.run("python", "benchmarks/run.py", *pythons, *session.posargs)
    if not session.posargs:
        session.run("python", "benchmarks/batching.py")
        session.run("python", "benchmarks/workers.py", *pythons)
        session.run("python", "benchmarks/clients.py", "--write")
