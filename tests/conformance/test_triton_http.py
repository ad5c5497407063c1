"""tritonclient.http and tritonclient.http.aio against the REST front."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tensors import NOT_IN_JSON, SAMPLES, same, variants
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from serving import Server

JSON_DATATYPES = [datatype for datatype in SAMPLES if datatype not in NOT_IN_JSON]


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Any]:
    """Return a client of the gevent kind."""
    with triton.InferenceServerClient(server.http_address) as made:
        yield made


def run_aio(server: Server, use: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """Call `use` with a client of the asyncio kind."""

    async def run() -> None:
        async with triton_aio.InferenceServerClient(server.http_address) as client:
            await use(client)

    asyncio.run(run())


def tensor(name: str, datatype: str, array: Any, *, binary: bool = True) -> Any:
    """Return an input of the client's."""
    made = triton.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def test_live_ready_and_model_ready(client: Any) -> None:
    """All are true; a version and a name that do not exist are not ready."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("identity")
    assert client.is_model_ready("versions", "2")
    assert not client.is_model_ready("versions", "3")
    assert not client.is_model_ready("nobody")


def test_metadata_of_server_and_models(client: Any) -> None:
    """Every field that the protocol has is there."""
    metadata = client.get_server_metadata()
    assert set(metadata) == {"name", "version", "extensions"}
    assert metadata["name"] == "srv"
    assert "binary_tensor_data" in metadata["extensions"]
    assert client.get_model_metadata("declared") == {
        "name": "declared",
        "platform": "test_sum",
        "versions": [],
        "inputs": [{"name": name, "datatype": "FP32", "shape": [-1, 2]} for name in ("a", "b")],
        "outputs": [{"name": name, "datatype": "FP32", "shape": [-1, 2]} for name in ("sum", "difference")],
    }
    assert client.get_model_metadata("versions")["versions"] == ["1", "2", "10"]


def test_repository_index(client: Any) -> None:
    """It lists every version of every model with its state, for a request without a body."""
    index = client.get_model_repository_index()
    assert {"name": "identity", "state": "READY"}.items() <= next(e for e in index if e["name"] == "identity").items()
    assert [entry["version"] for entry in index if entry["name"] == "versions"] == ["1", "2", "10"]


@pytest.mark.parametrize("datatype", SAMPLES)
def test_binary_tensors_of_every_datatype(client: Any, datatype: str) -> None:
    """Whatever the shape, what goes in comes out."""
    for name, array in variants(datatype).items():
        result = client.infer("identity", [tensor(name, datatype, array)])
        found = result.as_numpy(name)
        assert same(found, array), name
        assert result.get_output(name)["datatype"] == datatype
        assert result.get_output(name)["shape"] == list(array.shape)


@pytest.mark.parametrize("datatype", JSON_DATATYPES)
def test_json_tensors_of_every_datatype_that_has_a_json_form(client: Any, datatype: str) -> None:
    """In as JSON and out as JSON."""
    array = SAMPLES[datatype]
    outputs = [triton.InferRequestedOutput("x", binary_data=False)]
    result = client.infer("identity", [tensor("x", datatype, array, binary=False)], outputs=outputs)
    found = result.as_numpy("x")
    if datatype == "BYTES":
        found = np.array([item.encode() for item in found.ravel()], object).reshape(found.shape)
    assert same(found, array)
    assert "parameters" not in result.get_output("x")


@pytest.mark.parametrize("datatype", NOT_IN_JSON)
def test_datatypes_without_json_form_are_refused_as_json_outputs(client: Any, datatype: str) -> None:
    """The exception has the status and says what to do."""
    outputs = [triton.InferRequestedOutput("x", binary_data=False)]
    with pytest.raises(InferenceServerException, match="binary data format") as caught:
        client.infer("identity", [tensor("x", datatype, SAMPLES[datatype])], outputs=outputs)
    assert caught.value.status() == "400"


def test_request_id_version_and_parameters(client: Any) -> None:
    """The id comes back, the version that was asked for answers, and without one the highest."""
    inputs = [tensor("x", "INT32", np.array([1], np.int32))]
    response = client.infer("versions", inputs, model_version="2", request_id="me-7").get_response()
    assert response["id"] == "me-7"
    assert response["model_name"] == "versions"
    assert response["model_version"] == "2"
    result = client.infer("versions", inputs)
    assert result.as_numpy("version").tolist() == [b"10"]
    assert "id" not in result.get_response()
    response = client.infer("headers", inputs, headers={"X-Echo": "said"}, parameters={"k": "v"}).get_response()
    assert response["parameters"] == {"echo": "said", "flag": True, "number": 7}


def test_requested_outputs_are_filtered_and_ordered(client: Any) -> None:
    """Only what was asked for comes, in that order, each in the form asked for."""
    array = np.array([[1, 2], [3, 4]], np.float32)
    inputs = [tensor("a", "FP32", array), tensor("b", "FP32", array, binary=False)]
    assert [each["name"] for each in client.infer("declared", inputs).get_response()["outputs"]] == [
        "sum",
        "difference",
    ]
    outputs = [triton.InferRequestedOutput("difference", binary_data=False)]
    result = client.infer("declared", inputs, outputs=outputs)
    assert [each["name"] for each in result.get_response()["outputs"]] == ["difference"]
    assert result.as_numpy("difference").tolist() == [[0, 0], [0, 0]]
    assert result.as_numpy("sum") is None
    outputs = [
        triton.InferRequestedOutput("difference", binary_data=True),
        triton.InferRequestedOutput("sum", binary_data=False),
    ]
    result = client.infer("declared", inputs, outputs=outputs)
    assert result.as_numpy("sum").tolist() == [[2, 4], [6, 8]]
    assert result.as_numpy("difference").tolist() == [[0, 0], [0, 0]]


def test_errors_have_texts_and_statuses(client: Any) -> None:
    """Each is an InferenceServerException whose status and text say what was wrong."""
    array = np.array([[1, 2]], np.float32)
    good = [tensor("a", "FP32", array), tensor("b", "FP32", array)]

    def fails(status: str, match: str, *args: Any, **options: Any) -> None:
        with pytest.raises(InferenceServerException, match=match) as caught:
            client.infer(*args, **options)
        assert caught.value.status() == status
        assert str(caught.value).startswith(f"[{status}] ")

    fails("404", "Request for unknown model: 'nobody' is not found", "nobody", good)
    fails("404", "unknown model: 'versions' version 9 is not found", "versions", good, model_version="9")
    fails("400", "expected 2 inputs but got 1 inputs for model 'declared'", "declared", good[:1])
    wrong = [tensor("a", "INT32", array.astype(np.int32)), good[1]]
    fails("400", "data-type is 'INT32', but model 'declared' expects 'FP32'", "declared", wrong)
    wrong = [tensor("a", "FP32", np.zeros((1, 3), np.float32)), good[1]]
    fails("400", r"unexpected shape for input 'a' .*Expected \[-1,2\], got \[1,3\]", "declared", wrong)
    fails("400", "unexpected inference input 'c'", "declared", [*good, tensor("c", "FP32", array)])
    fails("400", "input 'a' already exists in request", "declared", [good[0], good[0]])
    outputs = [triton.InferRequestedOutput("nothing")]
    fails("400", "unexpected inference output 'nothing' for model 'declared'", "declared", good, outputs=outputs)
    with pytest.raises(InferenceServerException, match="unknown model: 'nobody'") as caught:
        client.get_model_metadata("nobody")
    assert caught.value.status() == "404"


def test_async_infer_of_the_gevent_client(server: Server) -> None:
    """Results of requests that overlap are not mixed up."""
    with triton.InferenceServerClient(server.http_address, concurrency=8) as client:
        calls = [
            client.async_infer("identity", [tensor("x", "INT32", np.full((2, 2), number, np.int32))])
            for number in range(64)
        ]
        for number, call in enumerate(calls):
            result: Any = call.get_result()
            assert result.as_numpy("x").tolist() == [[number] * 2] * 2


def test_the_asyncio_client(server: Server) -> None:
    """Health, metadata, index and inference in both forms; its errors have texts although it never decompresses."""

    async def use(client: Any) -> None:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("identity")
        assert not await client.is_model_ready("nobody")
        assert (await client.get_server_metadata())["name"] == "srv"
        assert (await client.get_model_metadata("declared"))["platform"] == "test_sum"
        assert any(entry["name"] == "identity" for entry in await client.get_model_repository_index())
        for datatype, array in SAMPLES.items():
            result = await client.infer("identity", [tensor("x", datatype, array)])
            assert same(result.as_numpy("x"), array), datatype
        plain = tensor("x", "INT64", SAMPLES["INT64"], binary=False)
        outputs = [triton_aio.InferRequestedOutput("x", binary_data=False)]
        result = await client.infer("identity", [plain], outputs=outputs, request_id="7")
        assert same(result.as_numpy("x"), SAMPLES["INT64"])
        assert result.get_response()["id"] == "7"
        with pytest.raises(InferenceServerException, match="unknown model: 'nobody'") as caught:
            await client.infer("nobody", [plain])
        assert caught.value.status() == "404"

    run_aio(server, use)


def test_64_parallel_requests_of_the_asyncio_client(server: Server) -> None:
    """Everybody gets their own answer."""

    async def use(client: Any) -> None:
        async def one(number: int) -> None:
            for round_ in range(3):
                array = np.full((16, 4), number * 1000 + round_, np.int64)
                binary = bool((number + round_) % 2)
                result = await client.infer(
                    "identity", [tensor("x", "INT64", array, binary=binary)], request_id=f"{number}-{round_}"
                )
                assert same(result.as_numpy("x"), array)
                assert result.get_response()["id"] == f"{number}-{round_}"

        await asyncio.gather(*map(one, range(64)))

    run_aio(server, use)
