"""D1 to D18: what is done where the readers of the protocol disagree; test_grpc_messages.py has more of gRPC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from grpc_client import Grpc
from serving import MODELS
from tensors import SAMPLES, binary_body, json_body, pb, rest_outputs, same

if TYPE_CHECKING:
    from serving import Serve, Server

INFER = "/v2/models/identity/infer"


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
def test_d5_health_has_a_json_body(server: Server, path: str) -> None:
    """KServe's client reads ``live`` or ``ready`` out of it."""
    answer = server.get(path)
    assert (answer.status, answer.type) == (200, "application/json")
    assert answer.json() == {"live": True, "ready": True}


def test_d6_every_post_succeeds_with_200(server: Server) -> None:
    """Tritonclient takes 201 for an error."""
    body = {"inputs": [{"name": "x", "datatype": "INT32", "shape": [1], "data": [1]}]}
    assert server.post("/v2/models/identity/infer", body).status == 200
    assert server.post("/v2/repository/index").status == 200
    assert server.post("/v2/repository/models/same_two/load", {}).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/nobody", 404),
        ("GET", "/v2/models/versions/versions/9", 404),
        ("POST", "/v2/models/nobody/infer", 400),
        ("GET", "/v2/models/identity/infer", 405),
        ("DELETE", "/v2", 405),
        ("POST", "/v2/health/live", 405),
        ("GET", "/v2/repository/index", 405),
        ("POST", "/v2/models/a%2Fb/infer", 400),
        ("POST", "/v2/models/..%2f..%2fetc/infer", 400),
        ("POST", "/v2/models/infer", 405),
    ],
)
def test_d7_every_error_is_one_json_object(server: Server, method: str, path: str, status: int) -> None:
    """Those of the framework too."""
    with server.rest() as rest:
        answer = rest.request(method, path)
        assert answer.error()
        assert answer.status == status
        assert rest.request("GET", "/v2/health/live").status == 200


@pytest.mark.parametrize("encoding", ["gzip, deflate, br", "br", "*", "zstd;q=1.0, identity;q=0"])
@pytest.mark.parametrize("path", ["/v2", "/v2/models", "/v2/models/declared", "/v2/models/nobody"])
def test_d8_metadata_and_errors_are_never_compressed(server: Server, path: str, encoding: str) -> None:
    """Tritonclient's asyncio client asks for it, and cannot read it."""
    with server.rest() as rest:
        answer = rest.request("GET", path, headers={"Accept-Encoding": encoding})
    assert answer.headers.get("Content-Encoding") is None
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "nonsense",
    ],
)
@pytest.mark.parametrize("binary", [False, True])
def test_d9_the_content_type_of_a_request_does_not_matter(server: Server, media_type: str | None, binary: bool) -> None:
    """The header of the binary extension alone says what the body is."""
    array = SAMPLES["INT32"]
    body, headers = binary_body({"x:INT32": array}) if binary else (json_body({"x:INT32": array}), {})
    headers |= {} if media_type is None else {"Content-Type": media_type}
    assert same(rest_outputs(server.post("/v2/models/identity/infer", body, headers))["x"], array)


def test_d10_a_listed_output_is_json_unless_it_says_binary_itself(server: Server) -> None:
    """Whatever the request's default."""
    body, headers = binary_body({"x:INT32": SAMPLES["INT32"]}, outputs=[{"name": "x"}])
    answer = server.post("/v2/models/identity/infer", body, headers)
    assert answer.type == "application/json"
    assert same(rest_outputs(answer)["x"], SAMPLES["INT32"])


def test_d14_json_outputs_have_no_parameters_and_nothing_is_null(server: Server) -> None:
    """The C++ client takes any parameters of an output for those of binary data."""
    answer = server.post("/v2/models/identity/infer", json_body({"x:INT32": SAMPLES["INT32"]}))
    content = answer.json()
    assert isinstance(content, dict)
    assert set(content) == {"model_name", "outputs"}
    assert set(content["outputs"][0]) == {"name", "datatype", "shape", "data"}
    assert b"null" not in answer.body


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_d15_words_that_are_no_json_are_understood_and_never_sent(server: Server, value: str) -> None:
    """Tritonclient's JSON writer makes them; a binary output has every bit of them, and a JSON one is an error."""
    tensor = f'{{"name":"x","datatype":"FP32","shape":[2],"data":[1,{value}]}}'
    wanted = '"outputs":[{"name":"x","parameters":{"binary_data":true}}]'
    answer = server.post(INFER, f'{{"inputs":[{tensor}],{wanted}}}'.encode())
    assert same(rest_outputs(answer)["x"], np.array([1, float(value)], np.float32))
    answer = server.post(INFER, f'{{"inputs":[{tensor}]}}'.encode())
    assert (answer.status, "has no JSON form" in answer.error()) == (400, True)


def test_d15_null_is_nan_and_goes_out_as_null_on_request(serve: Serve) -> None:
    """What numpy's and MLServer's encoders send for it, and what a setting makes of NaN and of infinity."""
    server = serve(MODELS / "shared", json_nonfinite="null").wait_started()
    body = b'{"inputs":[{"name":"x","datatype":"FP64","shape":[3],"data":[null,Infinity,1]}]}'
    answer = server.post(INFER, body)
    assert b'"data":[null,null,1.0]' in answer.body


@pytest.mark.parametrize("datatype", ["INT32", "BOOL", "BYTES"])
def test_d15_null_is_nothing_else(server: Server, datatype: str) -> None:
    """No number, no flag and no text."""
    tensor = {"name": "x", "datatype": datatype, "shape": [1], "data": [None]}
    assert server.post(INFER, {"inputs": [tensor]}).status == 400


def test_d17_a_slash_behind_the_root_and_the_list_of_models(server: Server) -> None:
    """Both spellings of the server's metadata, and KServe's list."""
    assert server.get("/v2/").json() == server.get("/v2").json()
    found = server.get("/v2/models").json()
    assert isinstance(found, dict)
    assert {"identity", "versions"} <= set(found["models"])
    assert found["models"].count("versions") == 1


@pytest.mark.parametrize("version", ["1", "2", "10"])
def test_d18_a_version_is_the_text_of_the_path(server: Server, version: str) -> None:
    """Whatever a body or a query says; the answer names it."""
    answer = server.post(
        f"/v2/models/versions/versions/{version}/infer?version=2", {"inputs": [], "model_version": "2"}
    )
    content = answer.json()
    assert isinstance(content, dict)
    assert content["model_version"] == version


def test_d18_the_default_version_is_the_highest_number(server: Server) -> None:
    """10 is above 2, which it is not as text; a version that is not there is 404."""
    content = server.post("/v2/models/versions/infer", {"inputs": []}).json()
    assert isinstance(content, dict)
    assert content["model_version"] == "10"
    answer = server.get("/v2/models/versions/versions/v10")
    text = "is not found: failed to get model version from specified version string 'v10'"
    assert (answer.status, answer.error()) == (404, f"Request for unknown model: 'versions' version v10 {text}")


def test_d13_field_six_of_the_model_metadata_is_empty(server: Server) -> None:
    """OIP and MLServer have given it two types; MLServer's client fails on the other's."""
    with Grpc(server) as client:
        data = client.call("ModelMetadata", b"\n\x08declared")
    answer = pb.ModelMetadataResponse.FromString(data)
    assert {field.number for field, _ in answer.ListFields()} == {1, 3, 4, 5}
    answer.DiscardUnknownFields()
    assert answer.SerializeToString() == data
