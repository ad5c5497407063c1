"""The reserved parameters of a request."""

from __future__ import annotations

from typing import Any

import pytest

from srv.dataplane._options import RequestOptions, take_options
from srv.errors import InvalidInput
from srv.runtimes._turns import LOWEST
from srv.types import Parameters


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, RequestOptions()),
        ({"k": "v"}, RequestOptions()),
        ({"priority": 0, "timeout": 0, "sequence_id": 0}, RequestOptions()),
        ({"sequence_id": ""}, RequestOptions()),
        ({"priority": 3}, RequestOptions(priority=3)),
        ({"priority": (1 << 64) - 1}, RequestOptions(priority=LOWEST - 1)),
        ({"timeout": 1500}, RequestOptions(timeout=0.0015)),
        ({"sequence_id": 7, "sequence_start": True}, RequestOptions(sequence=7, sequence_start=True)),
        ({"sequence_id": -1}, RequestOptions(sequence=-1)),
        ({"sequence_id": "a", "sequence_end": True}, RequestOptions(sequence="a", sequence_end=True)),
        ({"triton_enable_empty_final_response": True}, RequestOptions(empty_final=True)),
        ({"triton_enable_empty_final_response": False}, RequestOptions()),
    ],
)
def test_what_the_parameters_say(parameters: dict[str, Any], expected: RequestOptions) -> None:
    assert take_options(Parameters(parameters)) == expected


def test_the_runtime_sees_the_sequence_and_not_what_is_between_client_and_server() -> None:
    parameters = Parameters({"sequence_id": 1, "triton_enable_empty_final_response": True, "k": "v"})
    take_options(parameters)

    assert dict(parameters) == {"sequence_id": 1, "k": "v"}


@pytest.mark.parametrize(
    ("name", "value", "member"),
    [
        ("sequence_id", 1.5, "int64_param or string_param"),
        ("sequence_id", True, "int64_param or string_param"),
        ("sequence_start", 1, "bool_param"),
        ("sequence_end", "true", "bool_param"),
        ("priority", "1", "int64_param"),
        ("priority", -1, "int64_param"),
        ("timeout", 1.0, "int64_param"),
        ("timeout", True, "int64_param"),
        ("triton_enable_empty_final_response", "yes", "bool_param"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(name: str, value: Any, member: str) -> None:
    with pytest.raises(InvalidInput, match=f"invalid value type for '{name}' parameter, expected {member}"):
        take_options(Parameters({name: value}))


@pytest.mark.parametrize("name", ["triton_final_response", "triton_", "triton_anything"])
def test_names_that_begin_with_triton_are_reserved(name: str) -> None:
    with pytest.raises(InvalidInput, match="parameter keys starting with 'triton_' are reserved for Triton usage"):
        take_options(Parameters({name: 1}))
