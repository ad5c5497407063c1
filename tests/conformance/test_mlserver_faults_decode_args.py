"""What MLServer's ``decode_args`` does wrong, and this server's does right.

Each of these hints stops a model of MLServer's from loading, or answers with a wrong value or a status of 500.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tensors import json_body, rest_outputs

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Answer, Serve, Server

PREAMBLE = """
from datetime import datetime
from typing import List, NamedTuple, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from srv import MLModel, decode_args
from srv.types import InferenceRequest


class Model(MLModel):
    @decode_args
"""

LOADS = {
    "list_str": "def predict(self, x: list[str]) -> list[str]: return x",
    "tuple_of_builtins": "def predict(self, x: np.ndarray) -> tuple[np.ndarray, list[str]]: return x, ['a']",
    "x_or_none": "def predict(self, x: list[str] | None = None) -> list[str]: return x or []",
    "union_none_first": "def predict(self, x: Union[None, List[str]]) -> List[str]: return x or []",
    "list_datetime": "def predict(self, x: List[datetime]) -> List[datetime]: return x",
    "ndarray_of_dtype": "def predict(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]: return x",
    "bytes": "def predict(self, x: bytes) -> bytes: return x",
    "str": "def predict(self, x: str) -> str: return x",
    "dict": "def predict(self, x: dict[str, np.ndarray]) -> dict[str, np.ndarray]: return x",
    "whole_request": "def predict(self, x: InferenceRequest) -> np.ndarray: return np.ones(len(x.inputs))",
    "plain_def": "def predict(self, x: np.ndarray) -> np.ndarray: return x",
    "async_def": "async def predict(self, x: np.ndarray) -> np.ndarray: return x",
    "none": "async def predict(self, x: np.ndarray) -> None: pass",
    "old_tuple": "async def predict(self, x: np.ndarray) -> (np.ndarray, List[str]): return x, ['a']",
    "two": "def predict(self, x: np.ndarray, y: np.ndarray, z: Optional[np.ndarray] = None) -> None: pass",
    "too_few": "async def predict(self, x: np.ndarray) -> Tuple[np.ndarray, List[str]]: return (x,)",
    "hidden_array": "async def predict(self, x: np.ndarray) -> None: return x",
}
FAILS = {
    "no_hint": ("def predict(self, x) -> np.ndarray: return x", "argument 'x': expected a type hint, got none"),
    "tuple_of_any_length": (
        "def predict(self, x: np.ndarray) -> Tuple[np.ndarray, ...]: return (x,)",
        "the return hint: Tuple[numpy.ndarray, ...] does not say how many outputs there are; use a dict",
    ),
    "unknown": (
        "def predict(self, x: set[str]) -> str: return ''",
        "argument 'x': no codec for the type hint set[str]",
    ),
}


@pytest.fixture(scope="module")
def models(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder: Path = tmp_path_factory.mktemp("faults")
    for name, method in {**LOADS, **{name: method for name, (method, _) in FAILS.items()}}.items():
        (folder / name).mkdir()
        (folder / name / "models.py").write_text(f"{PREAMBLE}    {method}\n", encoding="utf-8")
        settings = {"name": name, "implementation": "models.Model"}
        (folder / name / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return serve_module(folder).wait_started()


def ask(models: Server, name: str, **arrays: Any) -> Answer:
    return models.post(
        f"/v2/models/{name}/infer", json_body({key.replace("__", ":"): each for key, each in arrays.items()})
    )


FLOATS = np.array([[0.5, 1.5]], np.float32)
TEXT = np.array([[b"a"]], object)
TIME = np.array([[b"2024-01-01T00:00:00"]], object)
BASE64 = np.array([[b"aGk="]], object)


@pytest.mark.parametrize(
    ("name", "tensor", "names"),
    [
        ("list_str", TEXT, ["output-0"]),
        ("tuple_of_builtins", FLOATS, ["output-0", "output-1"]),
        ("x_or_none", TEXT, ["output-0"]),
        ("union_none_first", TEXT, ["output-0"]),
        ("list_datetime", TIME, ["output-0"]),
        ("ndarray_of_dtype", FLOATS, ["output-0"]),
        ("bytes", BASE64, ["output-0"]),
        ("str", TEXT, ["output-0"]),
        ("dict", FLOATS, ["x"]),
        ("whole_request", FLOATS, ["output-0"]),
        ("plain_def", FLOATS, ["output-0"]),
        ("async_def", FLOATS, ["output-0"]),
        ("none", FLOATS, []),
        ("old_tuple", FLOATS, ["output-0", "output-1"]),
    ],
)
def test_a_hint_that_mlserver_does_not_load_works(models: Server, name: str, tensor: Any, names: list[str]) -> None:
    datatype = "BYTES" if tensor.dtype == object else "FP32"
    found = rest_outputs(ask(models, name, **{f"x__{datatype}": tensor}))
    assert list(found) == names
    if name not in {"whole_request", "none"}:
        assert found[names[0]].ravel().tolist() == tensor.ravel().tolist()


@pytest.mark.parametrize("name", FAILS)
def test_a_signature_that_is_no_contract_says_so_at_load(models: Server, name: str) -> None:
    """MLServer ignores an argument without a hint, and then knows no input of that name."""
    answer = models.post("/v2/repository/index")
    reasons = {each["name"]: each.get("reason", "") for each in json.loads(answer.body)}
    assert "Model.predict(): " in reasons[name]
    assert FAILS[name][1] in reasons[name]


def test_a_missing_required_input_is_400_and_not_500(models: Server) -> None:
    answer = ask(models, "two", x__FP32=FLOATS)
    assert answer.status == 400
    assert "missing required input(s) ['y']" in answer.error()
    assert ask(models, "two", x__FP32=FLOATS, y__FP32=FLOATS).status == 200


def test_an_unexpected_input_is_400(models: Server) -> None:
    answer = ask(models, "plain_def", x__FP32=FLOATS, zzz__FP32=FLOATS)
    assert answer.status == 400
    assert "unexpected inference input 'zzz'" in answer.error()


def test_another_datatype_is_refused_and_not_cast(models: Server) -> None:
    answer = ask(models, "ndarray_of_dtype", x__FP64=FLOATS.astype(np.float64))
    assert answer.status == 400
    assert "data-type is 'FP64', but model 'ndarray_of_dtype' expects 'FP32'" in answer.error()


def test_fewer_values_than_the_hint_says_are_an_error(models: Server) -> None:
    """MLServer answers with fewer outputs."""
    answer = ask(models, "too_few", x__FP32=FLOATS)
    assert answer.status >= 400
    assert "output 'output-1': expected a tuple of 2 values, got 1" in answer.error()


def test_a_value_under_none_is_an_error(models: Server) -> None:
    """To MLServer ``-> None`` means a request codec of numpy's, by accident."""
    answer = ask(models, "hidden_array", x__FP32=FLOATS)
    assert answer.status >= 400
    assert "the result: expected None, as the type hint says, got ndarray" in answer.error()


def test_a_content_type_of_the_request_does_not_change_what_the_hint_says(models: Server) -> None:
    """It is the author's contract; MLServer ignores the client's too, and says so nowhere."""
    body = {
        "parameters": {"content_type": "np"},
        "inputs": [
            {"name": "x", "datatype": "BYTES", "shape": [1], "data": ["a"], "parameters": {"content_type": "str"}}
        ],
    }
    found = rest_outputs(models.post("/v2/models/list_str/infer", body))
    assert found["output-0"].tolist() == [[b"a"]]
