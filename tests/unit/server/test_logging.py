from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import pytest

from srv._logging import configure_logging, model_context, model_name, model_version
from srv.settings import Settings
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOGGERS = ("", "srv", "srv.rest", "srv.model", "srv_models")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    root = logging.getLogger()
    handlers, levels = list(root.handlers), {name: logging.getLogger(name).level for name in LOGGERS}
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
        if name:
            logging.getLogger(name).handlers.clear()


def fail() -> None:
    """Raise an error whose text tries to look like a line of the log."""
    message = "bad\r\n2024-01-01 00:00:00,000 [srv] INFO - forged\x1b[2J"
    raise ValueError(message)


def test_the_plain_form(capsys: pytest.CaptureFixture[str]) -> None:
    """The plain form is MLServer's."""
    configure_logging(Settings())
    logging.getLogger("srv.rest").info("a %s", "b")
    with model_context("sum-model", "v1"):
        logging.getLogger("srv").warning("c")
    with model_context("sum-model"):
        logging.getLogger("srv_models.sum_model_1.models").error("d")
    lines = capsys.readouterr().out.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[", line) for line in lines)
    assert [line.partition(" [")[2] for line in lines] == [
        "srv.rest] INFO - a b",
        "srv][sum-model:v1] WARNING - c",
        "srv_models.sum_model_1.models][sum-model] ERROR - d",
    ]


def test_the_structured_form(capsys: pytest.CaptureFixture[str]) -> None:
    """The structured form is one JSON object on each line."""
    configure_logging(Settings(use_structured_logging=True))
    with model_context('a"b', "v1"):
        logging.getLogger("srv").info('quotes " and \n and %s', "\udc80")
        try:
            fail()
        except ValueError:
            logging.getLogger("srv").exception("failed")
    first, second = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", first.pop("time"))
    assert first == {
        "level": "INFO",
        "logger": "srv",
        "message": 'quotes " and \n and \\udc80',
        "model": 'a"b',
        "version": "v1",
    }
    assert second["message"] == "failed"
    assert second["exception"].startswith("Traceback (most recent call last):\n")


def test_no_model_no_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Outside of a model the keys for it are left out."""
    configure_logging(Settings(use_structured_logging=True))
    logging.getLogger("srv").info("a")
    assert set(json.loads(capsys.readouterr().out)) == {"time", "level", "logger", "message"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\nb", r"a\r\nb"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\x00\x07\x08\x7f\x85\x9bb", r"a\x00\x07\x08\x7f\x85\x9bb"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("a\tb é 漢 🙂", "a\tb é 漢 🙂"),
        ("a\udc80b", r"a\udc80b"),
    ],
)
def test_a_message_cannot_forge_a_line(capsys: pytest.CaptureFixture[str], text: str, shown: str) -> None:
    """A message cannot forge a line."""
    configure_logging(Settings())
    logging.getLogger("srv").info("%s", text)
    with model_context(text, text):
        logging.getLogger("srv").info("x")
    first, second = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert first.endswith(f" [srv] INFO - {shown}")
    assert second.endswith(f" [srv][{shown}:{shown}] INFO - x")


def test_a_traceback_has_its_lines_and_cannot_forge_one(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback has its lines and cannot forge one."""
    configure_logging(Settings())
    try:
        fail()
    except ValueError:
        logging.getLogger("srv").exception("failed")
    head, *rest = capsys.readouterr().out.removesuffix("\n").split("\n")
    assert head.endswith("[srv] ERROR - failed")
    assert rest[0] == "    Traceback (most recent call last):"
    assert rest[-2:] == [
        r"    ValueError: bad\r",
        r"    2024-01-01 00:00:00,000 [srv] INFO - forged\x1b[2J",
    ]


def test_what_another_formatter_left_is_not_used(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback that another formatter left in the record is not printed as it stands."""
    configure_logging(Settings())
    with pytest.raises(ValueError, match="bad") as raised:
        fail()
    record = logging.getLogger("srv").makeRecord("srv", 40, "f", 1, "m", (), (raised.type, raised.value, raised.tb))
    logging.Formatter().format(record)
    logging.getLogger("srv").handle(record)
    assert "\r" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("debug", "logger", "level", "shown"),
    [
        (False, "srv", logging.DEBUG, False),
        (False, "srv.grpc", logging.INFO, True),
        (True, "srv.grpc", logging.DEBUG, True),
        (True, "srv_models.a.models", logging.DEBUG, True),
        (True, "uvicorn", logging.INFO, False),
        (False, "uvicorn", logging.WARNING, True),
    ],
)
def test_levels(capsys: pytest.CaptureFixture[str], debug: bool, logger: str, level: int, shown: bool) -> None:
    """Our loggers log from INFO or DEBUG, others from WARNING."""
    configure_logging(Settings(debug=debug))
    logging.getLogger(logger).log(level, "x")
    assert bool(capsys.readouterr().out) is shown


def test_a_second_call_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A second call replaces the first."""
    configure_logging(Settings(debug=True))
    configure_logging(Settings())
    logging.getLogger("srv").debug("x")
    logging.getLogger("srv").info("y")
    assert len(capsys.readouterr().out.splitlines()) == 1


# ---- logging_settings


@pytest.mark.parametrize("form", ["dictionary", "path"])
def test_own_handlers_stand_in_for_ours(capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str) -> None:
    """Own handlers stand in for ours."""
    target = tmp_path / "log.txt"
    config: dict[str, object] = {
        "version": 1,
        "formatters": {"own": {"format": "own %(message)s"}},
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(target), "formatter": "own"}},
        "loggers": {"srv": {"handlers": ["file"]}},
    }
    path = tmp_path / "logging.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    configure_logging(Settings(logging_settings=config if form == "dictionary" else str(path)))
    logging.getLogger("srv.rest").info("x")
    for handler in logging.getLogger("srv").handlers:
        handler.close()
    assert target.read_text(encoding="utf-8") == "own x\n"
    assert capsys.readouterr().out == ""


def test_levels_alone_keep_our_handler(capsys: pytest.CaptureFixture[str]) -> None:
    """Levels alone keep our handler."""
    quiet = logging.getLogger("srv.rest")
    configure_logging(Settings(logging_settings={"loggers": {"srv.rest": {"level": "ERROR"}}}))
    quiet.warning("x")
    logging.getLogger("srv.model").info("y")
    assert capsys.readouterr().out.splitlines()[0].endswith("[srv.model] INFO - y")
    assert not quiet.disabled


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"version": 2}, "^logging_settings: expected a logging.config dictionary: Unsupported version: 2"),
        ({"handlers": {"h": {"class": "nope.Nope"}}}, "Unable to configure handler 'h'.*nope"),
        ({"loggers": {"srv": {"level": "LOUD"}}}, "Unable to configure logger 'srv'.*LOUD"),
    ],
)
def test_a_wrong_dictionary_is_an_error(config: dict[str, object], message: str) -> None:
    """A wrong dictionary is an error."""
    with pytest.raises(SettingsError, match=message):
        configure_logging(Settings(logging_settings=config))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """A missing file is an error."""
    with pytest.raises(SettingsError, match=r"nope\.json: expected a readable file"):
        configure_logging(Settings(logging_settings=str(tmp_path / "nope.json")))


# ---- Context


def test_contexts_nest() -> None:
    """A context restores the one around it, after an error too."""
    with model_context("a", "1"):
        with model_context("b"):
            assert (model_name.get(), model_version.get()) == ("b", "")
        with pytest.raises(ValueError, match="bad"), model_context("c"):
            fail()
        assert (model_name.get(), model_version.get()) == ("a", "1")
    assert (model_name.get(), model_version.get()) == ("", "")
