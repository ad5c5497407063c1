"""Models beside each other: each its own code, none in the way of another, and new code while the old one runs."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
import pytest
from grpc_client import SERVICE, Grpc
from tensors import grpc_outputs, grpc_request, json_body, pb, rest_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Gate, Serve, Server

VERSION = """
import asyncio
from srv import MLModel
from srv.types import InferenceResponse, ResponseOutput


class Runtime(MLModel):
    async def load(self):
        print("loaded {version}", flush=True)

    async def unload(self):
        print("unloaded {version}", flush=True)

    async def predict(self, payload):
        for tensor in payload.inputs:
            reader, writer = await asyncio.open_connection("127.0.0.1", tensor.data[0])
            await reader.read(1)
            writer.close()
        return InferenceResponse(outputs=[ResponseOutput("version", "INT32", [1], data=[{version}])])
"""


def test_two_models_with_modules_of_one_name_run_their_own_code(server: Server) -> None:
    """Imports at the top and inside functions, of files that both folders have."""
    for name in ("one", "two", "one"):
        found = rest_outputs(server.post(f"/v2/models/same_{name}/infer", json_body({})))
        assert found["name"].tolist() == [name.encode()] * 2


def test_a_plain_predict_blocks_nobody_else(server: Server, gate: Gate) -> None:
    """While it waits on its thread, health, metadata and other models answer."""
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(server.post, "/v2/models/gate_plain/infer", body)
        visit = gate.wait()
        assert server.get("/v2/health/ready").status == 200
        assert server.get("/v2/models/gate_plain").status == 200
        assert server.post("/v2/models/identity/infer", body).status == 200
        with Grpc(server) as client:
            client.infer(grpc_request("identity", {"x:INT32": np.zeros(1, np.int32)}))
        assert not waiting.done()
        visit.release()
        assert waiting.result().status == 200


def write(folder: Path, version: int) -> None:
    """Write the model with new code."""
    folder.mkdir(exist_ok=True)
    (folder / "model-settings.json").write_text('{"implementation": "models.Runtime"}', encoding="utf-8")
    (folder / "models.py").write_text(VERSION.replace("{version}", str(version)), encoding="utf-8")


def version_of(server: Server) -> int:
    """Return which code answers."""
    return int(rest_outputs(server.post("/v2/models/model/infer", json_body({})))["version"][0])


def test_a_reload_runs_new_code_and_lets_old_requests_finish(serve: Serve, tmp_path: Path, gate: Gate) -> None:
    """No request is lost, and the old runtime is unloaded after its last one; broken code changes nothing."""
    write(tmp_path / "model", 1)
    server = serve(tmp_path).wait_started()
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    with ThreadPoolExecutor() as pool:
        old = pool.submit(server.post, "/v2/models/model/infer", body)
        visit = gate.wait()
        write(tmp_path / "model", 2)
        assert version_of(server) == 1
        assert server.post("/v2/repository/models/model/load").status == 200
        assert version_of(server) == 2
        assert "unloaded 1" not in server.log
        visit.release()
        assert rest_outputs(old.result())["version"][0] == 1
        server.wait_for_line("unloaded 1")

    (tmp_path / "model" / "models.py").write_text("nonsense(", encoding="utf-8")
    answer = server.post("/v2/repository/models/model/load")
    assert (answer.status, "failed to load 'model'" in answer.error()) == (400, True)
    assert version_of(server) == 2
    assert server.get("/v2/health/ready").status == 200
    assert "unloaded 2" not in server.log
    server.faults_expected = True


def test_an_unload_waits_for_running_requests(serve: Serve, tmp_path: Path, gate: Gate) -> None:
    """New ones are refused meanwhile, and the answer to the unload comes after the last one."""
    write(tmp_path / "model", 1)
    server = serve(tmp_path).wait_started()
    body = json_body({"port:INT32": np.array([gate.port], np.int32)})
    with ThreadPoolExecutor() as pool, Grpc(server) as client:
        running = pool.submit(server.post, "/v2/models/model/infer", body)
        visit = gate.wait()
        unload = client.channel.unary_unary(SERVICE + "RepositoryModelUnload").future(
            pb.RepositoryModelUnloadRequest(model_name="model").SerializeToString(), timeout=60
        )
        with server.rest() as rest:
            while rest.request("GET", "/v2/models/model/ready").status == 200:
                pass
            assert rest.request("POST", "/v2/models/model/infer", json_body({})).error()
        assert not unload.done()
        visit.release()
        assert running.result().status == 200
        unload.result(timeout=60)
        assert "unloaded 1" in server.log
    index: Any = server.post("/v2/repository/index").json()
    assert [(entry["state"], entry["reason"]) for entry in index] == [("UNAVAILABLE", "unloaded")]


@pytest.mark.parametrize("method", ["RepositoryModelLoad", "RepositoryModelUnload"])
def test_a_client_that_gives_up_leaves_no_model_in_between(
    serve: Serve, tmp_path: Path, gate: Gate, method: str
) -> None:
    """A load or unload goes on to its end when whoever asked for it goes away."""
    write(tmp_path / "model", 1)
    server = serve(tmp_path).wait_started()
    load = method == "RepositoryModelLoad"
    with ThreadPoolExecutor() as pool, Grpc(server) as client:
        running = pool.submit(
            server.post, "/v2/models/model/infer", json_body({"port:INT32": np.array([gate.port], np.int32)})
        )
        visit = gate.wait()
        if load:
            write(tmp_path / "model", 2)
            code = tmp_path / "model" / "models.py"
            waiting = f"import socket; socket.create_connection(('127.0.0.1', {gate.port})).recv(1)\n"
            code.write_text(waiting + code.read_text("utf-8"), encoding="utf-8")
        asked = client.channel.unary_unary(SERVICE + method).future(
            pb.RepositoryModelLoadRequest(model_name="model").SerializeToString(), timeout=60
        )
        if load:
            loading = gate.wait()
            asked.cancel()
            assert version_of(server) == 1
            loading.release()
            server.wait_for_line("loaded 2")
        else:
            with server.rest() as rest:
                while rest.request("GET", "/v2/models/model/ready").status == 200:
                    pass
            asked.cancel()
        visit.release()
        assert running.result().status == 200
        server.wait_for_line("unloaded 1")
        if load:
            assert version_of(server) == 2
            assert server.get("/v2/health/ready").status == 200


def test_64_clients_of_both_protocols_get_their_own_answers(server: Server) -> None:
    """From models on the event loop and on threads, in every form, at once."""

    def over_rest(number: int) -> None:
        with server.rest() as rest:
            for round_ in range(4):
                value = np.array([number, round_], np.int64)
                answer = rest.request(
                    "POST", "/v2/models/identity/infer", json_body({"x:INT64": value}, id=f"r{number}")
                )
                assert rest_outputs(answer)["x"].tolist() == [number, round_]
                assert re.search(rb'"id":"r(\d+)"', answer.body)[1] == str(number).encode()  # type: ignore[index]

    async def over_grpc() -> None:
        async with grpc.aio.insecure_channel(server.grpc_address) as channel:
            infer: Any = channel.unary_unary(
                SERVICE + "ModelInfer", response_deserializer=pb.ModelInferResponse.FromString
            )

            async def one(number: int) -> None:
                for round_ in range(4):
                    value = np.array([number, round_], np.int64)
                    request = grpc_request("identity", {"x:INT64": value}, typed=bool(round_ % 2), id=f"g{number}")
                    response = await infer(request.SerializeToString())
                    assert grpc_outputs(response)["x"].tolist() == [number, round_]
                    assert response.id == f"g{number}"

            await asyncio.gather(*map(one, range(32)))

    with ThreadPoolExecutor(33) as pool:
        rest = [pool.submit(over_rest, number) for number in range(32)]
        asyncio.run(over_grpc())
        for each in rest:
            each.result()


FAULTY = """
from srv import MLModel
from srv.errors import InvalidInput, InferenceError
from srv.types import InferenceResponse, ResponseOutput


class Runtime(MLModel):
    async def predict(self, payload):
        kind = payload.inputs[0].data[0]
        kind = kind.decode() if isinstance(kind, bytes) else kind
        out = ResponseOutput("x", "INT32", [2], data=[1, 2])
        if kind == "raise":
            raise KeyError("secret of the runtime")
        if kind == "invalid":
            raise InvalidInput("your fault")
        if kind == "exit":
            raise SystemExit(3)
        if kind == "interrupt":
            raise KeyboardInterrupt
        return {
            "nothing": None,
            "text": "no response",
            "count": InferenceResponse(outputs=[ResponseOutput("x", "INT32", [3], data=[1, 2])]),
            "datatype": InferenceResponse(outputs=[ResponseOutput("x", "FLOAT", [2], data=[1, 2])]),
            "value": InferenceResponse(outputs=[ResponseOutput("x", "INT32", [2], data=["a", "b"])]),
            "range": InferenceResponse(outputs=[ResponseOutput("x", "UINT8", [2], data=[1, 300])]),
            "no data": InferenceResponse(outputs=[ResponseOutput("x", "INT32", [2])]),
            "twice": InferenceResponse(outputs=[out, out]),
            "header": InferenceResponse(outputs=[out], parameters={"headers": {"bad name": "x"}}),
            "newline": InferenceResponse(outputs=[out], parameters={"headers": {"x": "a\\r\\nset-cookie: b"}}),
        }[kind]
"""


def test_faults_of_a_runtime_are_internal_errors(serve: Serve, tmp_path: Path) -> None:
    """Of what it returns the client learns what was wrong; of what it raises nothing, unless it chose to say."""
    write(tmp_path / "model", 1)
    (tmp_path / "model" / "models.py").write_text(FAULTY, encoding="utf-8")
    server = serve(tmp_path).wait_started()
    server.faults_expected = True
    kinds = [
        "raise",
        "invalid",
        "exit",
        "interrupt",
        "nothing",
        "text",
        "count",
        "datatype",
        "value",
        "range",
        "no data",
    ]
    kinds += ["twice", "header", "newline"]
    with Grpc(server) as client:
        for kind in kinds:
            arrays = {"kind:BYTES": np.array([kind.encode()], object)}
            answer = server.post("/v2/models/model/infer", json_body(arrays))
            text = answer.error()
            status, details = client.fails(grpc_request("model", arrays))
            assert "secret" not in text + details
            assert "runtime" not in text + details
            expected = (400, "INVALID_ARGUMENT") if kind == "invalid" else (500, "INTERNAL")
            assert (answer.status, status) == expected, kind
            assert text == details, kind
    assert "secret of the runtime" in server.log
    assert server.get("/v2/health/ready").status == 200
