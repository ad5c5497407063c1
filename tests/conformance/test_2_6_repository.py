"""2.6: load requests that Triton's own clients do not send; test_triton_repository.py has those that they do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from grpc_client import Grpc
from serving import MODELS
from tensors import pb

if TYPE_CHECKING:
    from serving import Serve, Server

REPOSITORY = "/v2/repository/models"


@pytest.fixture(scope="module")
def own(serve_module: Serve) -> Server:
    """Return a server whose models' states belong to these tests."""
    return serve_module(MODELS / "shared").wait_started()


def fails(server: Server, action: str, parameters: dict[str, Any], name: str = "raw") -> str:
    """Return the text with which both protocols refuse a load or an unload."""
    answer = server.post(f"{REPOSITORY}/{name}/{action}", {"parameters": parameters})
    assert answer.status == 400
    request = getattr(pb, f"RepositoryModel{action.title()}Request")(model_name=name)
    members = {bool: "bool_param", int: "int64_param", str: "string_param"}
    for key, value in parameters.items():
        setattr(request.parameters[key], members[type(value)], value)
    with Grpc(server) as client:
        assert client.fails(request, f"RepositoryModel{action.title()}") == ("INVALID_ARGUMENT", answer.error())
    assert server.get("/v2/models/raw/ready").status == 200
    return answer.error()


def test_2_6_other_parameters_are_refused(own: Server) -> None:
    """In Triton's words for gRPC; over REST it has none."""
    assert fails(own, "load", {"k": "v"}) == "unrecognized load parameter 'k'."
    assert fails(own, "unload", {"k": True}) == "unrecognized unload parameter 'k'."


def test_2_6_parameters_of_another_type_are_refused(own: Server) -> None:
    """In Triton's words."""
    text = "invalid value type for {} parameter '{}', expected {}."
    assert fails(own, "load", {"config": 1}) == text.format("load", "config", "string_param")
    assert fails(own, "unload", {"unload_dependents": "yes"}) == text.format(
        "unload", "unload_dependents", "bool_param"
    )


def test_2_6_a_file_over_rest_is_base64(own: Server) -> None:
    """Whether files are accepted or not."""
    answer = own.post(f"{REPOSITORY}/raw/load", {"parameters": {"config": "{}", "file:1/m.py": "e$=="}})
    assert (answer.status, "expected base64 text" in answer.error()) == (400, True)


@pytest.mark.parametrize("name", ["..raw", "raw..1", "..."])
def test_2_6_dots_are_letters_within_a_name(own: Server, name: str) -> None:
    """It is no path, and no model has it."""
    answer = own.post(f"{REPOSITORY}/{name}/load")
    assert (answer.status, answer.error().startswith(f"failed to load '{name}', failed to poll")) == (400, True)


@pytest.mark.parametrize("name", ["", " ", ".", "..", "../raw", "a/b", "a\\b"])
def test_2_6_a_name_is_no_path(own: Server, name: str) -> None:
    """Over gRPC every name can be sent."""
    with Grpc(own) as client:
        for action in ("Load", "Unload"):
            request = getattr(pb, f"RepositoryModel{action}Request")(model_name=name)
            status, text = client.fails(request, f"RepositoryModel{action}")
            expected = "must not contain path traversal characters" if name.strip() else "Model name cannot be empty"
            assert (status, expected in text) == ("INVALID_ARGUMENT", True)


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_2_6_a_configuration_changes_what_requests_are_checked_against(own: Server, triton: Any) -> None:
    """The inputs, which of them may be missing, and the size of a batch; the next load takes it back."""
    tensors = [{"name": name, "data_type": "TYPE_FP32", "dims": [2], "optional": name == "b"} for name in "ab"]
    address = own.http_address if triton is triton_http else own.grpc_address
    with triton.InferenceServerClient(address) as client:
        client.load_model("raw", config=json.dumps({"max_batch_size": 2, "input": tensors}))
        shown = own.get("/v2/models/raw/config").json()
        assert isinstance(shown, dict)
        assert [(each["name"], each["dims"], each["optional"]) for each in shown["input"]] == [
            ("a", [2], False),
            ("b", [2], True),
        ]
        one = {"datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
        assert own.post("/v2/models/raw/infer", {"inputs": [{"name": "a", **one}]}).status == 200
        answer = own.post("/v2/models/raw/infer", {"inputs": [{"name": "b", **one}]})
        assert "but missing required input(s) ['a']" in answer.error()
        three = {"name": "a", "datatype": "FP32", "shape": [3, 2], "data": [0] * 6}
        answer = own.post("/v2/models/raw/infer", {"inputs": [three]})
        assert "inference request batch-size must be <= 2 for 'raw'" in answer.error()
        client.load_model("raw")
        shown = own.get("/v2/models/raw/config").json()
        assert isinstance(shown, dict)
        assert [each["name"] for each in shown["input"]] == ["x"]
