from __future__ import annotations

import inspect
import pickle
import re

import pytest

from srv_protocol import _errors, errors
from srv_protocol.errors import ErrorKind, InvalidInput, ModelNotFound, SrvError, WireError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, SrvError)]


def test_exports() -> None:
    """The public module has every error, under its own name."""
    assert sorted(vars(_errors)[name].__name__ for name in errors.__all__) == errors.__all__
    defined = {
        name for name, value in vars(_errors).items() if inspect.isclass(value) and value.__module__ == _errors.__name__
    }
    assert defined == set(errors.__all__)


def test_the_tree_of_the_docstring() -> None:
    """The tree that people read is the tree that there is."""
    assert _errors.__doc__ is not None
    parents: list[str] = []
    for depth, name in re.findall(r"^    ((?:[│ ]   )*(?:[├└]── )?)(\w+)", _errors.__doc__, re.MULTILINE):
        if not inspect.isclass(getattr(errors, name, None)):
            continue
        del parents[len(depth) // 4 :]
        if parents:
            assert getattr(errors, name).__bases__ == (getattr(errors, parents[-1]),)
        parents.append(name)
    assert all(cls.__name__ in _errors.__doc__ for cls in CLASSES)


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error(cls: type[SrvError]) -> None:
    """Each has a kind and its message, and survives pickling, as workers send them."""
    error = cls("what")
    assert isinstance(error.kind, ErrorKind)
    error.add_note("inputs[0]")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own pickle
    assert type(again) is cls
    assert (str(again), again.message, again.__notes__) == (str(error), error.message, ["inputs[0]"])


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ModelNotFound("m"), "Request for unknown model: 'm' is not found"),
        (ModelNotFound("m", "2"), "Request for unknown model: 'm' version 2 is not found"),
        (
            ModelNotFound("m", detail="has no available versions"),
            "Request for unknown model: 'm' has no available versions",
        ),
        (ModelNotFound("m", "3", "is gone"), "Request for unknown model: 'm' version 3 is gone"),
    ],
)
def test_model_not_found(error: ModelNotFound, text: str) -> None:
    """The wording is the one that clients look for, also after pickling."""
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  # our own pickle
    assert str(error) == str(again) == error.message == text
    assert (again.name, again.version) == (error.name, error.version)


def test_kinds() -> None:
    """What the client sent is wrong unless a class says otherwise."""
    assert {cls.__name__: cls.kind for cls in CLASSES if cls.kind is not ErrorKind.INVALID_ARGUMENT} == {
        "AlreadyExists": ErrorKind.ALREADY_EXISTS,
        "RequestTooLarge": ErrorKind.TOO_LARGE,
        "NotFound": ErrorKind.NOT_FOUND,
        "Unavailable": ErrorKind.UNAVAILABLE,
        "QueueFull": ErrorKind.UNAVAILABLE,
        "QueueTimeout": ErrorKind.UNAVAILABLE,
        "DeadlineExceeded": ErrorKind.DEADLINE_EXCEEDED,
        "ModelNotFound": ErrorKind.NOT_FOUND,
        "ModelNotReady": ErrorKind.UNAVAILABLE,
        "InferenceError": ErrorKind.INTERNAL,
        "WorkerFailed": ErrorKind.INTERNAL,
        "InvalidModelContext": ErrorKind.INTERNAL,
        "MetricError": ErrorKind.INTERNAL,
        "Unsupported": ErrorKind.UNSUPPORTED,
        "UnsupportedEncoding": ErrorKind.UNSUPPORTED,
    }
    assert issubclass(WireError, InvalidInput)
