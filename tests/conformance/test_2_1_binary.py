"""2.1: binary tensor data over REST, and raw requests."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tensors import SAMPLES, binary_body, json_body, rest_outputs, same, to_list, to_raw

if TYPE_CHECKING:
    from serving import Answer, Server

HEADER = "Inference-Header-Content-Length"
INFER = "/v2/models/identity/infer"
NOT_ONE = "Raw request must only have 1 input (found 1) to be deduced but got"
FIELDS = (
    "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', "
    "'shared_memory_region' in 'parameters'. But"
)


def tensor(name: str, size: object, **members: Any) -> dict[str, Any]:
    """Return an input of two INT32 numbers that is binary."""
    parameters = {"binary_data_size": size}
    return {"name": name, "datatype": "INT32", "shape": [2], "parameters": parameters, **members}


def post(server: Server, inputs: list[dict[str, Any]], tail: bytes, length: str | None = "", **members: Any) -> Answer:
    """Send a request with this tail; the header says what is true, unless `length` does."""
    head = json.dumps({"inputs": inputs, **members}).encode()
    headers = {} if length is None else {HEADER: length or str(len(head))}
    return server.post(INFER, head + tail, headers)


@pytest.mark.parametrize("order", list(itertools.product([True, False], repeat=3)))
def test_2_1_json_and_binary_inputs_mix_in_any_order(server: Server, order: tuple[bool, ...]) -> None:
    """The tail has the binary ones, in the order of the inputs; a JSON one takes nothing of it."""
    arrays = {"a": SAMPLES["INT64"], "b": SAMPLES["BYTES"], "c": SAMPLES["FP32"]}
    datatypes = {"a": "INT64", "b": "BYTES", "c": "FP32"}
    inputs: list[dict[str, Any]] = []
    tail = b""
    for binary, (name, array) in zip(order, arrays.items(), strict=True):
        raw = to_raw(array)
        form = {"parameters": {"binary_data_size": len(raw)}} if binary else {"data": to_list(array)}
        inputs.append({"name": name, "datatype": datatypes[name], "shape": [2, 3], **form})
        tail += raw if binary else b""
    found = rest_outputs(post(server, inputs, tail))
    assert all(same(found[name], array) for name, array in arrays.items())


@pytest.mark.parametrize("name", [HEADER, HEADER.lower(), HEADER.upper()])
def test_2_1_the_header_is_found_in_any_case(server: Server, name: str) -> None:
    """As every header."""
    body, headers = binary_body({"x:INT32": SAMPLES["INT32"]})
    assert same(rest_outputs(server.post(INFER, body, {name: headers[HEADER]}))["x"], SAMPLES["INT32"])


def test_2_1_a_header_length_of_the_whole_body_is_plain_json(server: Server) -> None:
    """The C++ client always sends the header."""
    body = json_body({"x:INT32": SAMPLES["INT32"]})
    answer = server.post(INFER, body, {HEADER: str(len(body))})
    assert (answer.type, answer.headers[HEADER]) == ("application/json", None)
    assert same(rest_outputs(answer)["x"], SAMPLES["INT32"])


@pytest.mark.parametrize("length", [None, ""])
@pytest.mark.parametrize("datatype", ["INT32", "BYTES"])
def test_2_1_an_empty_tensor_needs_no_header(server: Server, length: str | None, datatype: str) -> None:
    """And is answered with the header all the same, for the client that wants binary data."""
    inputs = [tensor("x", 0, shape=[0, 4], datatype=datatype)]
    answer = post(server, inputs, b"", length, parameters={"binary_data_output": True})
    assert answer.headers[HEADER] == str(len(answer.body))
    assert rest_outputs(answer)["x"].shape == (0, 4)


def test_2_1_null_data_beside_an_empty_binary_tensor_counts_as_none(server: Server) -> None:
    """KServe's client sends it."""
    assert rest_outputs(post(server, [tensor("x", 0, shape=[0], data=None)], b"", None))["x"].shape == (0,)


@pytest.mark.parametrize(
    ("inputs", "tail", "text"),
    [
        (
            [tensor("x", 8), tensor("y", 8)],
            bytes(12),
            "inputs[1].parameters.binary_data_size: unexpected size for input 'y', expecting 4 additional bytes",
        ),
        (
            [tensor("x", 8)],
            bytes(11),
            "unexpected additional input data for model 'identity': 3 bytes behind the last binary input",
        ),
        (
            [tensor("x", 8, data=[1, 2])],
            bytes(8),
            f"inputs[0].data: {FIELDS} set 'data' 'binary_data_size' (input 'x')",
        ),
        (
            [{"name": "x", "datatype": "INT32", "shape": [2]}],
            b"",
            f"inputs[0].data: {FIELDS} no field is set (input 'x')",
        ),
        ([tensor("x", 4)], bytes(4), "inputs[0].data: input byte size mismatch for input 'x' for model 'identity'. "),
        *(
            ([tensor("x", size)], bytes(8), "inputs[0].parameters.binary_data_size: expected an unsigned integer, got ")
            for size in (-1, "8", 8.0, True)
        ),
        ([tensor("x", 2**63)], bytes(8), "inputs[0].parameters.binary_data_size: unexpected size for input 'x', expec"),
        ([tensor("x", 2**64)], bytes(8), "inputs[0].parameters.binary_data_size: expected an integer of 64 bits, got"),
    ],
)
def test_2_1_a_tail_that_does_not_fit_is_400(
    server: Server, inputs: list[dict[str, Any]], tail: bytes, text: str
) -> None:
    """In Triton's words, with the place in front."""
    answer = post(server, inputs, tail)
    assert answer.error().startswith(text)
    assert answer.status == 400


def test_2_1_binary_data_without_the_header_is_400(server: Server) -> None:
    """Triton's text has a name that the header never had, so its true one is added."""
    answer = post(server, [tensor("x", 8)], b"", None)
    assert answer.status == 400
    assert answer.error() == (
        "inputs[0].parameters.binary_data_size: must specify valid 'Infer-Header-Content-Length' in request header and "
        "'binary_data_size' when passing inputs in binary data format; there is no header "
        "Inference-Header-Content-Length (input 'x')"
    )


@pytest.mark.parametrize("value", ["-1", "1000", "9223372036854775807"])
def test_2_1_a_header_beyond_the_body_is_400(server: Server, value: str) -> None:
    """Or below zero; in Triton's words."""
    body = json_body({"x:INT32": SAMPLES["INT32"]})
    answer = server.post(INFER, body, {HEADER: value})
    assert (answer.status, answer.error()) == (
        400,
        f"inference header size should be in range (0, {len(body)}), got: {value}",
    )


@pytest.mark.parametrize("value", ["abc", "12abc", "+12", "1 2", "0x10", "1e2", "12.0", "9" * 20, "1, 2", "--1", "²"])
def test_2_1_a_header_that_is_no_number_is_400(server: Server, value: str) -> None:
    """Where std::stoi would take what it understands of it."""
    answer = server.post(INFER, json_body({"x:INT32": SAMPLES["INT32"]}), {HEADER: value})
    assert (answer.status, answer.error()) == (400, f"Unable to parse {HEADER}, got: {value}")


@pytest.mark.parametrize(
    ("default", "listed", "binary"),
    [
        (None, None, False),
        (False, None, False),
        (True, None, True),
        (True, [], True),
        (True, [{}], False),
        (True, [{"binary_data": False}], False),
        (True, [{"binary_data": True}], True),
        (None, [{"binary_data": True}], True),
        (False, [{"binary_data": True}], True),
    ],
)
def test_2_1_who_decides_the_form_of_an_output(
    server: Server, default: bool | None, listed: list[dict[str, bool]] | None, binary: bool
) -> None:
    """The output itself if it is listed, else the request."""
    members: dict[str, Any] = {}
    if default is not None:
        members["parameters"] = {"binary_data_output": default}
    if listed is not None:
        members["outputs"] = [{"name": "x", "parameters": parameters} for parameters in listed]
    answer = server.post(INFER, json_body({"x:INT32": SAMPLES["INT32"]}, **members))
    assert (answer.headers[HEADER] is not None) == binary
    assert same(rest_outputs(answer)["x"], SAMPLES["INT32"])


def test_2_1_outputs_come_in_the_order_that_is_asked_for_and_so_does_the_tail(server: Server) -> None:
    """Some as JSON, between them."""
    arrays = {"a:INT32": SAMPLES["INT32"], "b:BYTES": SAMPLES["BYTES"], "c:FP64": SAMPLES["FP64"]}
    wanted = [
        {"name": "c", "parameters": {"binary_data": True}},
        {"name": "a"},
        {"name": "b", "parameters": {"binary_data": True}},
    ]
    found = rest_outputs(server.post(INFER, json_body(arrays, outputs=wanted)))
    assert list(found) == ["c", "a", "b"]
    assert all(same(found[key[0]], array) for key, array in arrays.items())


@pytest.mark.parametrize("datatype", SAMPLES)
def test_2_1_tensors_lie_at_any_address(server: Server, datatype: str) -> None:
    """A flag in front shifts the rest by one byte."""
    body, headers = binary_body({"flag:BOOL": np.array([True]), f"x:{datatype}": SAMPLES[datatype]})
    assert same(rest_outputs(server.post(INFER, body, headers))["x"], SAMPLES[datatype])


# ---- Raw requests


def test_2_1_a_raw_body_is_the_tensor_and_its_answer_is_binary(server: Server) -> None:
    values = np.arange(6, dtype=np.float32)
    answer = server.post("/v2/models/raw/infer", values.tobytes(), {HEADER: "0"})
    length = int(answer.headers[HEADER])
    (output,) = json.loads(answer.body[:length])["outputs"]

    assert (answer.status, output["shape"], output["datatype"]) == (200, [3, 2], "FP32")
    assert answer.body[length:] == values.tobytes()


@pytest.mark.parametrize("datatype", [datatype for datatype in SAMPLES if datatype != "BYTES"])
def test_2_1_a_raw_body_may_be_of_any_datatype(triton_server: Server, datatype: str) -> None:
    path = f"/v2/models/identity_{datatype.lower()}/infer"
    found = rest_outputs(triton_server.post(path, to_raw(SAMPLES[datatype]), {HEADER: "0"}))
    assert same(found["OUTPUT0"], SAMPLES[datatype].reshape(6))


@pytest.mark.parametrize(
    ("model", "body", "text"),
    [
        ("raw", b"abc", "expected a multiple of 8 bytes"),
        (
            "identity",
            b"abcd",
            f"{NOT_ONE} 0 inputs in 'identity' model configuration",
        ),
        (
            "declared",
            b"abcd",
            f"{NOT_ONE} 2 inputs in 'declared' model configuration",
        ),
        ("nobody", b"abcd", "Request for unknown model: 'nobody' is not found"),
    ],
)
def test_2_1_a_raw_body_that_says_too_little_is_refused(server: Server, model: str, body: bytes, text: str) -> None:
    answer = server.post(f"/v2/models/{model}/infer", body, {HEADER: "0"})

    assert answer.status == (404 if model == "nobody" else 400)
    assert text in answer.error()


def test_2_1_a_raw_body_of_bytes_is_one_element(triton_server: Server) -> None:
    """If the model's shape says that there is one, which a variable size does not."""
    answer = triton_server.post("/v2/models/identity_bytes/infer", b"text", {HEADER: "0"})
    text = "For BYTE datatype raw input 'INPUT0', the model must have input shape [1]"
    assert (answer.status, text in answer.error()) == (400, True)
    answer = triton_server.post("/v2/models/identity_bytes_1/infer", b"te\0xt", {HEADER: "0"})
    assert rest_outputs(answer)["OUTPUT0"].tolist() == [b"te\0xt"]


def test_2_1_a_raw_body_with_two_variable_sizes_is_refused(triton_server: Server) -> None:
    answer = triton_server.post("/v2/models/identity_2d/infer", bytes(8), {HEADER: "0"})
    text = "The shape of the raw input 'INPUT0' can not be deduced because there are more than one variable-sized dim"
    assert (answer.status, text in answer.error()) == (400, True)


def test_2_1_an_empty_body_without_the_header_is_no_raw_request(server: Server) -> None:
    assert server.post("/v2/models/raw/infer", b"").status == 400
