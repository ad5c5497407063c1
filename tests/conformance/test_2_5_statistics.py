"""2.5: what statistics count, over both protocols; test_model_config.py has the configuration."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from grpc_client import Grpc
from serving import MODELS, eventually
from tensors import grpc_request, json_body
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from serving import Gate, Serve, Server

BOTH = pytest.mark.parametrize("triton", [triton_http, triton_grpc], ids=["http", "grpc"])
PHASES = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")
ONE = {"x:INT32": np.zeros(1, np.int32)}


@pytest.fixture(scope="module")
def _server(serve_module: Serve) -> Server:
    return serve_module(MODELS / "shared").wait_started()


@pytest.fixture
def own(_server: Server) -> Server:
    """Return a server whose models count from zero, as they do when they have been loaded anew."""
    for name in ("identity", "batched", "stream", "gate", "gate_plain", "versions", "raw"):
        assert _server.post(f"/v2/repository/models/{name}/load").status == 200
    return _server


def stats(server: Server, model: str = "", version: str = "") -> list[dict[str, Any]]:
    """Return the statistics; both protocols must say the same."""
    with triton_http.InferenceServerClient(server.http_address) as client:
        found: Any = client.get_inference_statistics(model, version)
    with triton_grpc.InferenceServerClient(server.grpc_address) as client:
        same: Any = client.get_inference_statistics(model, version)
    assert [_plain(each) for each in same.model_stats] == found["model_stats"]
    models: list[dict[str, Any]] = found["model_stats"]
    return models


def _plain(message: Any) -> Any:
    """Return a message as JSON has it, with every member and with numbers that are numbers."""
    plain: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            plain[field.name] = {key: _plain(value[key]) for key in value}
        elif field.is_repeated:
            plain[field.name] = [_plain(each) for each in value]
        elif field.message_type is not None:
            plain[field.name] = _plain(value)
        else:
            plain[field.name] = value
    return plain


def counts(one: dict[str, Any]) -> dict[str, int]:
    """Return how often each phase was counted, but for those that never were."""
    return {name: each["count"] for name, each in one["inference_stats"].items() if each["count"]}


def rows(number: int) -> dict[str, Any]:
    """Return a batch for the model ``batched``."""
    return {"x:INT32": np.zeros((number, 16), np.int32)}


def test_2_5_a_model_that_was_never_asked_has_every_member(own: Server) -> None:
    """Zeros are written, as clients read them without asking whether they are there."""
    (found,) = stats(own, "identity")
    assert found == {
        "name": "identity",
        "version": "1",
        "last_inference": 0,
        "inference_count": 0,
        "execution_count": 0,
        "inference_stats": {name: {"count": 0, "ns": 0} for name in PHASES},
        "batch_stats": [],
        "memory_usage": [],
        "response_stats": {},
    }


def test_2_5_requests_count_once_and_inferences_by_their_batch(own: Server) -> None:
    """Over both protocols, and on a stream."""
    path = "/v2/models/batched/infer"
    for number in (3, 3, 8):
        assert own.post(path, json_body(rows(number))).status == 200
    with Grpc(own) as client:
        client.infer(grpc_request("batched", rows(1)))
        assert len(list(client.stream([grpc_request("batched", rows(3))]))) == 1
    (found,) = stats(own, "batched")
    assert (found["inference_count"], found["execution_count"]) == (18, 5)
    answered = dict.fromkeys(("success", "queue", "compute_input", "compute_infer", "compute_output"), 5)
    assert counts(found) == answered
    assert [(each["batch_size"], each["compute_infer"]["count"]) for each in found["batch_stats"]] == [
        (1, 1), (3, 3), (8, 1),
    ]  # fmt: skip
    assert found["last_inference"] > 0


def test_2_5_durations_add_up(own: Server) -> None:
    """Success is the whole of a request, and the phases are its parts; batches have the same in all."""
    for number in (1, 2, 2):
        own.post("/v2/models/batched/infer", json_body(rows(number)))
    (found,) = stats(own, "batched")
    phases = found["inference_stats"]
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    assert 0 < sum(phases[name]["ns"] for name in parts) <= phases["success"]["ns"]
    for name in parts[1:]:
        assert sum(each[name]["ns"] for each in found["batch_stats"]) == phases[name]["ns"]


def test_2_5_what_fails_counts_as_a_failure_alone(own: Server) -> None:
    """A request that does not fit, and one that the model fails; what reaches no model counts nowhere."""
    assert own.post("/v2/models/batched/infer", json_body(rows(9))).status == 400
    assert own.post("/v2/models/batched/infer", b"{").status == 400
    assert own.post("/v2/models/nobody/infer", json_body(ONE)).status == 404
    (found,) = stats(own, "batched")
    assert (found["inference_count"], found["execution_count"], found["last_inference"]) == (0, 0, 0)
    assert (counts(found), found["batch_stats"]) == ({"fail": 1}, [])


def test_2_5_a_request_that_waits_counts_in_the_queue(own: Server, gate: Gate) -> None:
    """And one that its client leaves is a failure."""
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    threads = [threading.Thread(target=own.post, args=("/v2/models/gate_plain/infer", body)) for _ in range(2)]
    for thread in threads:
        thread.start()
    first = gate.wait()
    with own.rest() as rest:
        rest.connection.request("POST", "/v2/models/gate/infer", body)
        visit = gate.wait()
    visit.wait_closed()
    first.release()
    gate.wait().release()
    for thread in threads:
        thread.join()
    (found,) = stats(own, "gate_plain")
    queue, infer = found["inference_stats"]["queue"], found["inference_stats"]["compute_infer"]
    assert (queue["count"], infer["count"]) == (2, 2)
    assert queue["ns"] > 0
    eventually(lambda: counts(stats(own, "gate")[0]) == {"fail": 1}, lambda: stats(own, "gate"))


def test_2_5_the_responses_of_a_stream_count_by_their_position(own: Server) -> None:
    """One execution for the whole stream; its end is an empty response, and an error stands where it came."""
    with Grpc(own) as client:
        for count in (2, 1, -1):
            list(client.stream([grpc_request("stream", {"count:INT32": np.array([count], np.int32)})]))
    (found,) = stats(own, "stream")
    assert (found["inference_count"], found["execution_count"]) == (2, 2)
    assert (counts(found)["success"], counts(found)["fail"]) == (2, 1)
    shown = {
        position: {name: each["count"] for name, each in response.items() if each["count"]}
        for position, response in found["response_stats"].items()
    }
    assert shown == {
        "0": {"compute_infer": 3, "compute_output": 3, "success": 3},
        "1": {"compute_infer": 1, "compute_output": 1, "success": 1, "fail": 1, "empty_response": 1},
        "2": {"empty_response": 1},
    }


def test_2_5_a_stream_that_the_client_leaves_is_cancelled(own: Server, gate: Gate) -> None:
    inputs = {"count:INT32": np.array([1_000_000], np.int32), "port:INT32": np.array([gate.port], np.int32)}
    with Grpc(own) as client:
        call = client.stream([grpc_request("stream", inputs)])
        next(call)
        visit = gate.wait()
        call.cancel()
        visit.wait_closed()

    def cancelled() -> int:
        (found,) = stats(own, "stream")
        return sum(each["cancel"]["count"] for each in found["response_stats"].values())

    eventually(lambda: cancelled() == 1, lambda: stats(own, "stream"))


def test_2_5_versions_count_apart(own: Server) -> None:
    """Without one all of them are shown, and without a name those of every model."""
    for version, times in (("1", 1), ("10", 2)):
        for _ in range(times):
            own.post(f"/v2/models/versions/versions/{version}/infer", {"inputs": []})
    own.post("/v2/models/versions/infer", {"inputs": []})
    found = {each["version"]: each["inference_count"] for each in stats(own, "versions")}
    assert found == {"1": 1, "2": 0, "10": 3}
    (one,) = stats(own, "versions", "10")
    assert (one["version"], one["inference_count"]) == ("10", 3)
    everything = stats(own)
    assert {"identity", "versions", "stream"} <= {each["name"] for each in everything}
    assert len(everything) == len({(each["name"], each["version"]) for each in everything})


@BOTH
def test_2_5_a_model_that_is_not_available_is_400(own: Server, triton: Any) -> None:
    """In Triton's words: one that is not there, one that was unloaded, and a version."""
    own.post("/v2/repository/models/raw/unload")
    address = own.http_address if triton is triton_http else own.grpc_address
    with triton.InferenceServerClient(address) as client:
        for model, version, text in (
            ("nobody", "", "requested model 'nobody' is not available"),
            ("raw", "", "requested model 'raw' is not available"),
            ("versions", "9", "requested model 'versions' version 9 is not available"),
        ):
            with pytest.raises(InferenceServerException) as caught:
                client.get_inference_statistics(model, version)
            assert caught.value.message() == text
            assert caught.value.status() in {"400", "StatusCode.INVALID_ARGUMENT"}


def test_2_5_the_statistics_of_all_win_over_a_model_of_that_name(own: Server) -> None:
    """As Triton reads ``/v2/models/stats``."""
    found = own.get("/v2/models/stats").json()
    assert isinstance(found, dict)
    assert len(found["model_stats"]) > 10


def test_2_5_a_model_that_is_loaded_again_counts_from_zero(own: Server) -> None:
    """They are the counts of what is loaded."""
    own.post("/v2/models/identity/infer", json_body(ONE))
    assert stats(own, "identity")[0]["inference_count"] == 1
    own.post("/v2/repository/models/identity/load")
    assert stats(own, "identity")[0]["inference_count"] == 0
