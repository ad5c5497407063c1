"""Triton's model configuration extension."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from serving import Server

TENSOR = {"data_type": "TYPE_FP32", "is_shape_tensor": False, "is_non_linear_format_io": False}
INPUT = {**TENSOR, "format": "FORMAT_NONE", "allow_ragged_batch": False, "optional": False}
DECLARED = {
    "name": "declared",
    "platform": "test_sum",
    "backend": "python",
    "runtime": "",
    "version_policy": {"all": {}},
    "max_batch_size": 0,
    "input": [{**INPUT, "name": name, "dims": [-1, 2]} for name in ("a", "b")],
    "output": [{**TENSOR, "name": name, "dims": [-1, 2], "label_filename": ""} for name in ("sum", "difference")],
    "instance_group": [
        {
            "name": "declared",
            "kind": "KIND_CPU",
            "count": 1,
            "gpus": [],
            "secondary_devices": [],
            "profile": [],
            "passive": False,
            "host_policy": "",
        }
    ],
    "default_model_filename": "",
    "cc_model_filenames": {},
    "metric_tags": {},
    "parameters": {},
    "model_warmup": [],
    "batch_input": [],
    "batch_output": [],
    "model_transaction_policy": {"decoupled": False},
}


def test_the_configuration_has_every_member_with_numbers_as_numbers(server: Server) -> None:
    with triton_http.InferenceServerClient(server.http_address) as client:
        assert client.get_model_config("declared") == client.get_model_config("declared", "") == DECLARED


def test_the_configuration_over_grpc_says_the_same(server: Server) -> None:
    with triton_grpc.InferenceServerClient(server.grpc_address) as client:
        answer: Any = client.get_model_config("declared", as_json=True)
        parsed: Any = client.get_model_config("declared")
    message = parsed.config
    assert message.version_policy.WhichOneof("policy_choice") == "all"
    assert [(group.kind, group.count) for group in message.instance_group] == [(2, 1)]
    assert message.WhichOneof("scheduling_choice") is None
    config = answer["config"]

    assert (config["name"], config["platform"], config["backend"]) == ("declared", "test_sum", "python")
    assert [each["dims"] for each in config["input"]] == [["-1", "2"], ["-1", "2"]]
    assert [each["data_type"] for each in config["output"]] == ["TYPE_FP32", "TYPE_FP32"]


@pytest.mark.parametrize(("model", "batch", "dims"), [("batched", 8, [16]), ("declared", 0, [-1, 2])])
def test_dims_leave_out_the_batch_dimension_of_a_model_that_batches(
    server: Server, model: str, batch: int, dims: list[int]
) -> None:
    with triton_http.InferenceServerClient(server.http_address) as client:
        config = client.get_model_config(model)

    assert (config["max_batch_size"], config["input"][0]["dims"]) == (batch, dims)


def test_a_model_that_only_streams_is_decoupled(server: Server) -> None:
    with triton_http.InferenceServerClient(server.http_address) as client:
        assert client.get_model_config("stream")["model_transaction_policy"] == {"decoupled": True}


@pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
def test_an_unknown_model_has_none(server: Server, triton: Any) -> None:
    address = server.http_address if triton is triton_http else server.grpc_address
    with triton.InferenceServerClient(address) as client:
        for name, version in (("nobody", ""), ("identity", "9")):
            with pytest.raises(InferenceServerException, match=f"Request for unknown model: '{name}'.* is not found"):
                client.get_model_config(name, version)
            with pytest.raises(InferenceServerException, match=f"Request for unknown model: '{name}'.* is not found"):
                client.get_model_metadata(name, version)
            assert not client.is_model_ready(name, version)
