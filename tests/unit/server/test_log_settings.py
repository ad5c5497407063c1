from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv import _logging
from srv._log_settings import LogSettings
from srv._logging import LEVELS, configure_logging, set_levels
from srv.settings import Settings
from srv_protocol.errors import InvalidInput, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OURS = ("srv", "srv_models")
START = {
    "log_file": "",
    "log_info": True,
    "log_warning": True,
    "log_error": True,
    "log_verbose_level": 0,
    "log_format": "default",
}


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, (*OURS, "srv.rest"))]
    handlers, levels = list(root.handlers), [logger.level for logger in loggers]
    yield
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    _logging._levels.on = LEVELS


def started() -> LogSettings:
    """Return the settings of a server that was started with none."""
    configure_logging(Settings())
    return LogSettings()


def log_all(name: str = "srv.rest") -> None:
    """Log a line at each level."""
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(logging.getLogger(name), level)(level)


def shown(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the messages of the lines."""
    return [line.rpartition(" - ")[2] for line in capsys.readouterr().out.splitlines()]


# ---- At the start


def test_they_begin_as_the_server_was_started() -> None:
    settings = started()
    assert settings.settings() == START
    configure_logging(Settings(debug=True))
    assert LogSettings().settings() == {**START, "log_verbose_level": 1}
    configure_logging(Settings(logging_settings={"loggers": {"srv": {"level": "ERROR"}}}))
    assert LogSettings().settings() == {**START, "log_info": False, "log_warning": False}


def test_reading_them_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A level that the operator gave to one logger stays."""
    configure_logging(Settings(logging_settings={"loggers": {"srv.rest": {"level": "DEBUG"}}}))
    settings = LogSettings()
    settings.settings()
    settings.update({})
    settings.update({"log_info": None})
    log_all()

    assert shown(capsys) == ["debug", "info", "warning", "error", "critical"]


# ---- Levels


@given(st.booleans(), st.booleans(), st.booleans(), st.integers(0, 2))
def test_each_level_is_on_or_off_for_itself(info: bool, warning: bool, error: bool, verbose: int) -> None:
    configure_logging(Settings())
    records: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record.getMessage())

    logging.getLogger().addHandler(Kept())
    LogSettings().update({"log_info": info, "log_warning": warning, "log_error": error, "log_verbose_level": verbose})
    records.clear()
    for name in ("srv", "srv.rest", "srv_models.m_1.models"):
        log_all(name)

    expected = [("debug", verbose > 0), ("info", info), ("warning", warning), ("error", error), ("critical", error)]
    assert records == [level for level, on in expected if on] * 3


def test_other_loggers_are_not_concerned(capsys: pytest.CaptureFixture[str]) -> None:
    """Theirs are not the server's records; a name that begins alike is another one."""
    settings = started()
    settings.update({"log_info": False, "log_warning": False, "log_error": False})
    shown(capsys)
    for name in ("uvicorn", "srvx", "srv_modelsx"):
        log_all(name)

    assert shown(capsys) == ["warning", "error", "critical"] * 3


def test_nobody_switches_errors_off_unseen(capsys: pytest.CaptureFixture[str]) -> None:
    """The log itself says why there are none any more, once."""
    settings = started()
    for error in (True, False, False, True):
        settings.update({"log_error": error})
    log_all()

    line = "log_error is switched off: errors are not logged from here on"
    assert shown(capsys) == [line, "info", "warning", "error", "critical"]


def test_a_level_can_be_switched_on_again(capsys: pytest.CaptureFixture[str]) -> None:
    settings = started()
    settings.update({"log_info": False})
    settings.update({"log_verbose_level": 3})
    log_all()
    assert settings.settings() == {**START, "log_info": False, "log_verbose_level": 3}
    settings.update({"log_verbose_level": 0, "log_info": True})
    log_all()

    assert shown(capsys) == ["debug", "warning", "error", "critical", "info", "warning", "error", "critical"]


def test_handlers_of_the_operators_obey_too(tmp_path: Path) -> None:
    target = tmp_path / "log.txt"
    configure_logging(
        Settings(
            logging_settings={
                "handlers": {"file": {"class": "logging.FileHandler", "filename": str(target)}},
                "loggers": {"srv.rest": {"handlers": ["file"], "propagate": False}},
            }
        )
    )
    LogSettings().update({"log_warning": False})
    log_all()
    logger = logging.getLogger("srv.rest")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True

    assert target.read_text("utf-8").splitlines() == ["info", "error", "critical"]


def test_setting_logging_up_anew_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    settings = started()
    settings.update({"log_info": False, "log_error": False})
    shown(capsys)
    configure_logging(Settings())
    log_all()

    assert shown(capsys) == ["info", "warning", "error", "critical"]


def test_no_level_at_all_is_silence(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())
    set_levels(frozenset())
    log_all()

    assert shown(capsys) == []


# ---- The form of the time


def test_iso_8601_is_the_time_of_lines_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    settings = started()
    settings.update({"log_format": "ISO8601"})
    logging.getLogger("srv").info("x")
    settings.update({"log_format": "default"})
    logging.getLogger("srv").info("x")

    first, second = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[srv\] INFO - x", first)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[srv\] INFO - x", second)


def test_lines_of_json_stay_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings(use_structured_logging=True))
    LogSettings().update({"log_format": "ISO8601"})
    logging.getLogger("srv").info("x")

    assert json.loads(capsys.readouterr().out)["message"] == "x"


# ---- What is wrong


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("log_info", 1, "expect boolean for 'log_info', got 1"),
        ("log_warning", "true", "expect boolean for 'log_warning', got 'true'"),
        ("log_error", [], "expect boolean for 'log_error', got []"),
        ("log_verbose_level", True, "expect uint32 for 'log_verbose_level', got True"),
        ("log_verbose_level", 1.0, "expect uint32 for 'log_verbose_level', got 1.0"),
        ("log_verbose_level", -1, "expect uint32 for 'log_verbose_level', got -1"),
        ("log_verbose_level", 2**32, "expect uint32 for 'log_verbose_level', got 4294967296"),
        ("log_format", 8601, "expect string for 'log_format', got 8601"),
        ("log_format", "iso8601", "invalid argument for log_format, got: iso8601"),
        (
            "log_warnings",
            None,
            f"unknown log setting 'log_warnings': expected one of {', '.join(START)}",
        ),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], key: str, value: object, message: str
) -> None:
    settings = started()
    right = {"log_info": False, "log_warning": False, "log_verbose_level": 1, "log_format": "ISO8601"}
    with pytest.raises(InvalidInput) as raised:
        settings.update({**right, key: value})
    log_all()

    assert raised.value.message == message
    assert settings.settings() == START
    assert shown(capsys) == ["info", "warning", "error", "critical"]


def test_the_file_cannot_be_changed() -> None:
    settings = started()
    with pytest.raises(Unsupported, match=r"^log file location can not be updated through network protocol$"):
        settings.update({"log_info": False, "log_file": "/tmp/x"})  # noqa: S108  # it is never opened

    assert settings.settings() == START


def test_none_changes_nothing() -> None:
    """As null does in Triton's JSON, for the file too."""
    settings = started()
    settings.update(dict.fromkeys(START))

    assert settings.settings() == START
