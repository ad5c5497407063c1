"""What REST clients of other projects rely on, beyond what tritonclient shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import Rest
from tensors import SAMPLES, binary_body, json_body, rest_outputs, same

if TYPE_CHECKING:
    from serving import Server


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
        ("POST", "/v2/models/a%2Fb/infer", 404),
        ("POST", "/v2/models/..%2f..%2fetc/infer", 404),
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


def test_d17_a_slash_behind_the_root_and_the_list_of_models(server: Server) -> None:
    """Both spellings of the server's metadata, and KServe's list."""
    assert server.get("/v2/").json() == server.get("/v2").json()
    found = server.get("/v2/models").json()
    assert isinstance(found, dict)
    assert {"identity", "versions"} <= set(found["models"])
    assert found["models"].count("versions") == 1


def test_unknown_members_and_query_strings_are_ignored(server: Server) -> None:
    """KServe's client sends ``model_name``, tritonclient query parameters."""
    body = json_body({"x:INT32": SAMPLES["INT32"]}, model_name="other", request_id="7", id="kept")
    answer = server.post("/v2/models/identity/infer?a=1&b=%FF", body)
    content = answer.json()
    assert isinstance(content, dict)
    assert content["model_name"] == "identity"
    assert content["id"] == "kept"


def test_null_data_beside_an_empty_binary_tensor_counts_as_none(server: Server) -> None:
    """KServe's client sends it."""
    tensor = {"name": "x", "datatype": "INT32", "shape": [0], "data": None, "parameters": {"binary_data_size": 0}}
    found = rest_outputs(server.post("/v2/models/identity/infer", {"inputs": [tensor]}))
    assert found["x"].shape == (0,)


def test_a_header_length_of_the_whole_body_is_plain_json(server: Server) -> None:
    """The C++ client always sends the header."""
    body = json_body({"x:INT32": SAMPLES["INT32"]})
    headers = {"Inference-Header-Content-Length": str(len(body))}
    assert same(rest_outputs(server.post("/v2/models/identity/infer", body, headers))["x"], SAMPLES["INT32"])


def test_http_1_0_and_expect_100_continue_are_served(server: Server) -> None:
    """Curl asks before it sends a large body."""
    body = json_body({"x:INT32": SAMPLES["INT32"]})
    headers = {"Expect": "100-continue"}
    assert server.post("/v2/models/identity/infer", body, headers).status == 200
    with Rest(server.http_port) as rest:
        rest.connection._http_vsn, rest.connection._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
        assert rest.request("POST", "/v2/models/identity/infer", body).status == 200
