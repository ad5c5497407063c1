from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from srv._environment import Given, convert, read_environment, read_object, variables
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A process environment without settings of ours."""
    for name in read_environment():
        if name.upper().startswith(("SRV_", "MLSERVER_")):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SRV_HTTP_PORT": "1"}, "1"),
        ({"MLSERVER_HTTP_PORT": "2"}, "2"),
        ({"SRV_HTTP_PORT": "1", "MLSERVER_HTTP_PORT": "2"}, "1"),
        ({"MLSERVER_HTTP_PORT": "2", "SRV_HTTP_PORT": "1"}, "1"),
        ({"srv_http_port": "3"}, "3"),
        ({"srv_http_port": "3", "MLSERVER_HTTP_PORT": "2"}, "3"),
        ({"srv_http_port": "3", "SRV_HTTP_PORT": "1"}, "1"),
        ({"SRV_HTTP_PORT": "1", "srv_http_port": "3"}, "1"),
    ],
)
def test_prefixes_rank_and_case_does_not_matter(environ: dict[str, str], expected: str) -> None:
    """SRV_ ranks above MLSERVER_, then upper case above other spellings."""
    assert variables(environ)["http_port"].value == expected


def test_a_section_narrows_the_prefix() -> None:
    """A section narrows the prefix."""
    environ = {"SRV_MODEL_NAME": "a", "SRV_DEBUG": "1", "MLSERVER_MODEL_URI": "b", "PATH": "c"}
    assert {name: given.value for name, given in variables(environ, "MODEL_").items()} == {"name": "a", "uri": "b"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SRV_HOST=a", "a"),
        ("  export SRV_HOST = a  ", "a"),
        ("SRV_HOST=a b # why", "a b"),
        ("SRV_HOST=a#b", "a#b"),
        ("SRV_HOST=#b", "#b"),
        ("SRV_HOST=", ""),
        ("SRV_HOST='a # b' # why", "a # b"),
        (r"SRV_HOST='a\n'", r"a\n"),
        (r'SRV_HOST="a\n\t\"\\ \d"', 'a\n\t"\\ \\d'),
        ("SRV_HOST=''", ""),
        ("SRV_HOST=${HOME}", "${HOME}"),
        ("\ufeffSRV_HOST=a", "a"),
    ],
)
def test_lines_of_dotenv(process: pytest.MonkeyPatch, tmp_path: Path, line: str, expected: str) -> None:
    """A line of .env gives its value as the docstring says; other lines are passed over."""
    del process
    (tmp_path / ".env").write_text(f"{line}\n# SRV_HOST=comment\nOTHER=x\nnonsense 'here\n", encoding="utf-8")
    found = read_environment(tmp_path)
    assert found["SRV_HOST"] == expected
    assert "OTHER" not in found


def test_an_open_quote_in_dotenv_is_an_error(process: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An open quote in .env is an error."""
    del process
    (tmp_path / ".env").write_text("\nSRV_HOST='a\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"\.env:2: SRV_HOST: expected a value with its quotes closed, got 'a"):
        read_environment(tmp_path)


@pytest.mark.parametrize("variable", ["SRV_HOST", "MLSERVER_HOST", "srv_host"])
def test_the_process_ranks_above_dotenv_whatever_the_prefix(
    process: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    """The process ranks above .env whatever the prefix."""
    process.setenv(variable, "process")
    (tmp_path / ".env").write_text("SRV_HOST=file\nSRV_DEBUG=1\n", encoding="utf-8")
    found = variables(read_environment(tmp_path))
    assert found["host"].value == "process"
    assert found["debug"].value == "1"


def test_without_dotenv_the_process_is_all(process: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without .env the process's environment is all there is."""
    process.setenv("SRV_HOST", "process")
    process.chdir(tmp_path)
    assert variables(read_environment()) == {"host": Given("SRV_HOST (environment or .env)", "process", variable=True)}


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        *((text, bool, True) for text in ("true", "1", "yes", "on", "TRUE", "Yes")),
        *((text, bool, False) for text in ("false", "0", "no", "off", "False", "OFF")),
        ("8080", int, 8080),
        ("-1", int | None, -1),
        ("1.5", float, 1.5),
        ("2", float, 2.0),
        ("true", str, "true"),
        ("", str | None, ""),
        ("null", str | None, "null"),
        ("raw", Literal["mirror", "raw"], "raw"),
        ('["a", "b"]', list[str], ["a", "b"]),
        ('{"a": 1}', dict[str, object] | str | None, {"a": 1}),
        ("logging.json", dict[str, object] | str | None, "logging.json"),
    ],
)
def test_text_is_parsed_by_the_type(text: str, hint: object, expected: object) -> None:
    """A variable's text becomes a value of its setting's type."""
    found = convert(Given("V", text, variable=True), hint)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("given", "hint", "message"),
    [
        (Given("V", "maybe", variable=True), bool, "V: expected one of true, 1, .*, got 'maybe'"),
        (Given("V", "", variable=True), bool, "V: expected one of true, .*, got ''"),
        (Given("V", "1_000", variable=True), int, "V: expected an integer, got '1_000'"),
        (Given("V", "8080.0", variable=True), int, "V: expected an integer, got '8080.0'"),
        (Given("V", "soon", variable=True), float, "V: expected a number, got 'soon'"),
        (Given("V", "a,b", variable=True), list[str], "V: expected JSON: JSON is malformed"),
        (Given("V", "[1]", variable=True), list[str], r"V: \$\[0\]: expected `str`, got `int`"),
        (Given("V", "x", variable=True), Literal["a", "b"], "V: expected one of 'a', 'b', got 'x'"),
        (Given("F: $.port", "8080"), int, r"F: \$\.port: expected `int`, got `str`"),
        (Given("F: $.flag", 1), bool, r"F: \$\.flag: expected `bool`, got `int`"),
        (Given("F: $.list", ["a", 1]), list[str], r"F: \$\.list\[1\]: expected `str`, got `int`"),
    ],
)
def test_an_error_names_place_expected_and_got(given: Given, hint: object, message: str) -> None:
    """An error names the place, what was expected and what came."""
    with pytest.raises(SettingsError, match=f"^{message}"):
        convert(given, hint)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "expected `object`, got `array`"),
        (b'{"a": 1,}', "expected JSON: JSON is malformed: trailing comma"),
        (b"", "expected JSON: "),
        (b'"\xff"', "expected a readable file in UTF-8"),
    ],
)
def test_a_file_that_holds_no_object_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    """A file that holds no object is an error."""
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"settings.json: {message}"):
        read_object(path)


def test_a_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    """A file that is missing is an error."""
    with pytest.raises(SettingsError, match=r"missing\.json: expected a readable file"):
        read_object(tmp_path / "missing.json")
