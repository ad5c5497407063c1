"""The same tensors in every form that V2 has: the runtime gets the same, and so does the client."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grpc_client import Grpc
from tensors import (
    NOT_IN_JSON,
    SAMPLES,
    binary_body,
    digest,
    grpc_outputs,
    grpc_request,
    json_body,
    rest_outputs,
    same,
    variants,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serving import Rest, Server

COMBINATIONS = [
    (datatype, form)
    for datatype in SAMPLES
    for form in ("json", "binary", "raw", "typed")
    if datatype not in NOT_IN_JSON or form in {"binary", "raw"}
]


@pytest.fixture(scope="module")
def ask(server: Server) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return a function that sends arrays to a model in one of the forms, and returns the outputs."""
    with server.rest() as rest, Grpc(server) as grpc:
        yield lambda *args: _ask(rest, grpc, *args)


def _ask(rest: Rest, grpc: Grpc, form: str, model: str, arrays: dict[str, Any]) -> dict[str, Any]:
    path = f"/v2/models/{model}/infer"
    if form == "json":
        return rest_outputs(rest.request("POST", path, json_body(arrays)))
    if form == "binary":
        body, headers = binary_body(arrays)
        return rest_outputs(rest.request("POST", path, body, headers))
    response = grpc.infer(grpc_request(model, arrays, typed=form == "typed"))
    return grpc_outputs(response)


@pytest.mark.parametrize(("datatype", "form"), COMBINATIONS)
def test_every_form_gives_runtime_and_client_the_same(
    ask: Callable[..., dict[str, Any]], datatype: str, form: str
) -> None:
    """The runtime sees one dtype, shape and content whatever the form, and the client gets its own tensors back."""
    arrays = {f"{name}:{datatype}": array for name, array in variants(datatype).items()}
    report = json.loads(ask(form, "report", arrays)["report"][0])
    for (key, array), seen in zip(arrays.items(), report["inputs"], strict=True):
        assert seen["name"] == key.split(":")[0]
        assert seen["datatype"] == datatype
        assert seen["dtype"] == str(array.dtype)
        assert seen["shape"] == list(array.shape)
        assert seen["digest"] == digest(array)
        assert seen["parameters"] == {}
        if form in {"binary", "raw"} and datatype != "BYTES":
            assert not seen["writeable"], "a view of a network buffer is read-only"

    answered = ask(form, "identity", arrays)
    for key, array in arrays.items():
        assert same(answered[key.split(":")[0]], array), key


@pytest.mark.parametrize("datatype", NOT_IN_JSON)
def test_what_has_no_json_form_is_refused_by_name(server: Server, datatype: str) -> None:
    """FP16 and BF16 come and go as binary data only; the error says so, whichever way they were asked for."""
    array = SAMPLES[datatype]
    body = {"inputs": [{"name": "x", "datatype": datatype, "shape": [1], "data": [1.0]}]}
    answer = server.post("/v2/models/identity/infer", body)
    assert answer.status == 400
    assert f"receiving {datatype} data via JSON is not supported" in answer.error()
    assert "inputs[0].data" in answer.error()

    binary, headers = binary_body({f"x:{datatype}": array}, parameters={"binary_data_output": False})
    answer = server.post("/v2/models/identity/infer", binary, headers)
    assert answer.status == 400
    assert f"sending {datatype} data via JSON is not supported" in answer.error()

    with Grpc(server) as grpc:
        request = grpc_request("identity", {f"x:{datatype}": array})
        del request.raw_input_contents[:]
        request.inputs[0].contents.fp32_contents.extend([1.0] * array.size)
        status, text = grpc.fails(request)
    assert status == "INVALID_ARGUMENT"
    assert "inputs[0].contents.fp32_contents" in text
    assert "raw" in text


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
@pytest.mark.parametrize("form", ["binary", "raw", "typed"])
def test_non_finite_numbers_survive_every_form_but_json(
    ask: Callable[..., dict[str, Any]], datatype: str, form: str
) -> None:
    """NaN, its payload where the form carries bits, and both infinities come back."""
    array = np.array([np.nan, np.inf, -np.inf], SAMPLES[datatype].dtype)
    assert same(ask(form, "identity", {f"x:{datatype}": array})["x"], array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_non_finite_output_is_an_error_in_json(server: Server, value: float) -> None:
    """JSON has no word for it, and the client learns what to ask for instead."""
    array = np.array([1.0, value], np.float32)
    body, headers = binary_body({"x:FP32": array}, parameters={"binary_data_output": False})
    answer = server.post("/v2/models/identity/infer", body, headers)
    assert answer.status == 400
    assert "outputs[0].data[1]" in answer.error()
    assert "binary data format" in answer.error()


def test_json_and_binary_tensors_mix_in_one_request(server: Server) -> None:
    """Binary inputs take their bytes in order; JSON ones between them take none; outputs are as each was asked for."""
    one, two = np.arange(6, dtype=np.int16).reshape(2, 3), np.array([1.5, -2.5])
    inputs = [
        {"name": "a", "datatype": "INT16", "shape": [2, 3], "parameters": {"binary_data_size": 12}},
        {"name": "j", "datatype": "FP32", "shape": [2], "data": [0.5, 1]},
        {"name": "b", "datatype": "FP64", "shape": [2], "parameters": {"binary_data_size": 16}},
    ]
    outputs = [{"name": "b", "parameters": {"binary_data": True}}, {"name": "j"}, {"name": "a"}]
    head = json.dumps({"id": "mix", "inputs": inputs, "outputs": outputs}).encode()
    answer = server.post(
        "/v2/models/identity/infer",
        head + one.tobytes() + two.tobytes(),
        {"Inference-Header-Content-Length": str(len(head))},
    )
    found = rest_outputs(answer)
    assert list(found) == ["b", "j", "a"]
    assert same(found["a"], one)
    assert same(found["b"], two)
    assert same(found["j"], np.array([0.5, 1], np.float32))


@pytest.mark.parametrize("nested", [[[1, 2, 3], [4, 5, 6]], [1, 2, 3, 4, 5, 6], [[[1], [2], [3]], [[4], [5], [6]]]])
def test_json_data_may_be_nested_or_flat(server: Server, nested: list[Any]) -> None:
    """Both are the same tensor; dimensions of size one do not matter."""
    body = {"inputs": [{"name": "x", "datatype": "INT32", "shape": [2, 3], "data": nested}]}
    found = rest_outputs(server.post("/v2/models/identity/infer", body))
    assert same(found["x"], np.arange(1, 7, dtype=np.int32).reshape(2, 3))


def test_bytes_that_are_no_text_are_refused_in_json_only(server: Server) -> None:
    """They come back as binary data, and as JSON they are an error that names the element."""
    array = np.array([b"ok", b"\xff\xfe"], object)
    body, headers = binary_body({"x:BYTES": array})
    assert same(rest_outputs(server.post("/v2/models/identity/infer", body, headers))["x"], array)
    body, headers = binary_body({"x:BYTES": array}, parameters={"binary_data_output": False})
    answer = server.post("/v2/models/identity/infer", body, headers)
    assert answer.status == 400
    assert "outputs[0].data[1]" in answer.error()
