from __future__ import annotations

import pytest

from srv.controlplane._load_parameters import LoadParameters, check_unload_parameters, from_json, read_load_parameters
from srv.errors import InvalidInput


def test_a_configuration_and_files_are_taken_apart() -> None:
    given: dict[str, object] = {"file:1/model.py": b"x", "config": "{}", "file:a": b""}

    assert read_load_parameters(given) == LoadParameters("{}", {"1/model.py": b"x", "a": b""})
    assert read_load_parameters({}) == LoadParameters(None, {})


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"k": 1}, "unrecognized load parameter 'k'."),
        ({"": 1}, "unrecognized load parameter ''."),
        ({"files:a": b""}, "unrecognized load parameter 'files:a'."),
        ({"config": 1}, "invalid value type for load parameter 'config', expected string_param."),
        ({"config": None}, "invalid value type for load parameter 'config', expected string_param."),
        ({"config": b"{}"}, "invalid value type for load parameter 'config', expected string_param."),
        ({"config": "{}", "file:a": "x"}, "invalid value type for load parameter 'file:a', expected bytes_param."),
    ],
)
def test_a_load_parameter_that_is_unknown_or_wrong_is_refused(given: dict[str, object], error: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_load_parameters(given)

    assert raised.value.message == error


def test_files_over_rest_are_base64() -> None:
    assert from_json({"config": "{}", "file:a": "eHg=", "file:b": ""}) == {
        "config": "{}",
        "file:a": b"xx",
        "file:b": b"",
    }


@pytest.mark.parametrize("value", ["eHg", "e Hg=", "eHg=\n", "eHg==", "=", "é", "eH-_"])
def test_what_is_no_base64_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="load parameter 'file:a': expected base64 text"):
        from_json({"file:a": value})


@pytest.mark.parametrize("value", [1, None, ["eHg="], {}])
def test_a_file_over_rest_that_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(InvalidInput, match="invalid value type for load parameter 'file:a', expected base64 text"):
        from_json({"file:a": value})


@pytest.mark.parametrize("value", [True, False])
def test_dependents_may_be_unloaded_or_not_since_there_are_none(value: bool) -> None:
    check_unload_parameters({"unload_dependents": value})
    check_unload_parameters({})


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"k": True}, "unrecognized unload parameter 'k'."),
        ({"unload_dependents": 1}, "invalid value type for unload parameter 'unload_dependents', expected bool_param."),
    ],
)
def test_an_unload_parameter_that_is_unknown_or_wrong_is_refused(given: dict[str, object], error: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_unload_parameters(given)

    assert raised.value.message == error
