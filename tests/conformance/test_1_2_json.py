"""1.2: the objects of V2 JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tensors import SAMPLES, json_body, rest_outputs, same

if TYPE_CHECKING:
    from serving import Server

INFER = "/v2/models/identity/infer"
X: dict[str, Any] = {"name": "x", "datatype": "INT32", "shape": [2], "data": [1, 2]}


def test_1_2_unknown_members_are_ignored_everywhere(server: Server) -> None:
    """KServe's client sends ``model_name``, its tests ``request_id``."""
    tensor = {**X, "unknown": {"a": [1]}}
    body = {"model_name": "other", "request_id": "7", "id": "kept", "inputs": [tensor], "more": None}
    content = server.post(INFER, {**body, "outputs": [{"name": "x", "data": 1}]}).json()
    assert isinstance(content, dict)
    assert (content["model_name"], content["id"]) == ("identity", "kept")


@pytest.mark.parametrize("member", ["id", "parameters", "outputs"])
def test_1_2_an_optional_member_may_be_null(server: Server, member: str) -> None:
    """As serialisers write what is not there."""
    assert rest_outputs(server.post(INFER, {"inputs": [X], member: None}))["x"].tolist() == [1, 2]
    assert server.post(INFER, {"inputs": [{**X, "parameters": None}]}).status == 200


@pytest.mark.parametrize("given", [None, "", "a", "é\u0000"])
def test_1_2_a_response_has_the_id_that_the_request_had(server: Server, given: str | None) -> None:
    """And none if that is empty; the model's name it always has, since KServe's client needs it."""
    content = server.post(INFER, {"id": given, "inputs": [X]}).json()
    assert isinstance(content, dict)
    assert content.get("id") == (given or None)
    assert content["model_name"] == "identity"


def test_1_2_a_response_has_a_version_if_the_model_has_one(server: Server) -> None:
    """As text."""
    content = server.post("/v2/models/versions/infer", {"inputs": []}).json()
    assert isinstance(content, dict)
    assert content["model_version"] == "10"


@pytest.mark.parametrize("value", ["text", "", 0, -(2**63), 2**64 - 1, 0.5, True, False])
@pytest.mark.parametrize("place", ["request", "input"])
def test_1_2_a_parameter_is_text_a_number_or_a_flag(server: Server, value: object, place: str) -> None:
    """And reaches the runtime as what it was."""
    tensor = {**X, "parameters": {"k": value}} if place == "input" else X
    body = {"inputs": [tensor], "parameters": {"k": value} if place == "request" else {}}
    (text,) = rest_outputs(server.post("/v2/models/report/infer", body))["report"]
    report = json.loads(text)
    found = (report["inputs"][0] if place == "input" else report)["parameters"]["k"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("value", [[], [1], {}, {"a": 1}, 2**64, -(2**63) - 1, 10**40])
@pytest.mark.parametrize("place", ["request", "input", "output"])
def test_1_2_a_parameter_is_nothing_else(server: Server, value: object, place: str) -> None:
    """400, at its place; integers have the 64 bits that gRPC has for them."""
    parameters = {"parameters": {"k": value}}
    body = {
        "inputs": [{**X, **(parameters if place == "input" else {})}],
        "outputs": [{"name": "x", **(parameters if place == "output" else {})}],
        **(parameters if place == "request" else {}),
    }
    answer = server.post(INFER, body)
    path = {"request": "", "input": "inputs[0].", "output": "outputs[0]."}[place]
    assert answer.error().startswith(f"{path}parameters.k: expected a")
    assert answer.status == 400


def test_1_2_a_parameter_that_is_null_counts_as_none(server: Server) -> None:
    """Pydantic writes that for what is not set."""
    body = {"inputs": [{**X, "parameters": {"content_type": None}}], "parameters": {"k": None}}
    (text,) = rest_outputs(server.post("/v2/models/report/infer", body))["report"]
    assert json.loads(text)["parameters"] == {}


def test_1_2_of_a_member_that_comes_twice_the_last_counts(server: Server) -> None:
    """As in every common parser."""
    body = json_body({"x:INT32": SAMPLES["INT32"]}).replace(b"{", b'{"inputs":[],', 1)
    assert same(rest_outputs(server.post(INFER, body))["x"], SAMPLES["INT32"])


def test_1_2_metadata_has_minus_one_for_what_varies(server: Server) -> None:
    """The batch included."""
    content = server.get("/v2/models/batched").json()
    assert isinstance(content, dict)
    assert content["inputs"] == [{"name": "x", "datatype": "INT32", "shape": [-1, 16]}]
