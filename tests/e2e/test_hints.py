"""Every hint, in every form that V2 has: what ``predict`` sees, and what the client gets back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ml_dtypes
import numpy as np
import pytest
from grpc_client import Grpc
from tensors import binary_body, grpc_outputs, grpc_request, json_body, rest_outputs, same

from srv_codecs._hints import known_hints
from srv_codecs._type_hints import canonical, show, take_apart
from srv_codecs._value_hints import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from serving import Rest, Serve, Server

FORMS: Final = ("json", "binary", "raw", "typed")

# One file for all models: it lies at the root, and each of them imports it anew.
MODELS: Final = """
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Dict, List, Literal, NamedTuple, NotRequired, Optional, Tuple, TypedDict, Union

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from srv import Headers, MLModel, Output, decode_args
from srv.codecs import NumpyCodec
from srv.types import InferenceRequest, InferenceResponse, Parameters


class Named(NamedTuple):
    y: np.ndarray
    extra: Annotated[int | None, Output("more")] = None


@dataclass
class Data:
    y: np.ndarray
    label: Annotated[str, Output("more")]


class Typed(TypedDict):
    y: np.ndarray
    more: NotRequired[list[float]]


class Partial(TypedDict, total=False):
    y: np.ndarray
    more: list[bool]


class Struct(msgspec.Struct):
    y: np.ndarray
    more: int | None = None


def describe(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)} {value.ravel().tolist()}"
    if isinstance(value, dict):
        return str({name: describe(each) for name, each in value.items()})
    if isinstance(value, pd.DataFrame):
        return f"DataFrame {value.to_dict('list')}"
    if isinstance(value, pd.Series):
        return f"Series {value.name} {value.dtype} {value.tolist()}"
    if isinstance(value, pa.Array):
        return f"{value.type} {value.to_pylist()}"
    if isinstance(value, (pa.RecordBatch, pa.Table)):
        return f"{type(value).__name__} {value.to_pydict()}"
    return repr(value)
"""


def column(*values: object, dtype: type[np.generic]) -> Any:
    return np.array(values, dtype).reshape(-1, 1)


def texts(*values: bytes, shape: tuple[int, ...] = (-1, 1)) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape)


@dataclass(frozen=True, eq=False)
class Row:
    """One hint.

    Attributes:
        sent: the tensor ``x``, as ``DATATYPE`` and array.
        seen: what the model says of its argument.
        given: the outputs.
        returns: the hint of the result, if it is another than that of the argument.
        body: what is returned.
        errors: by form, what answers instead of the model.
    """

    hint: str
    sent: tuple[str, Any]
    seen: str
    given: Mapping[str, Any]
    returns: str | None = None
    body: str = "x"
    errors: Mapping[str, str] = field(default_factory=dict[str, str])


NO_FP16: Final = {
    "json": "receiving FP16 data via JSON is not supported",
    "typed": "inputs[0].contents.fp32_contents",
}
F32: Final = np.array([[1.5, -2.5]], np.float32)
SQUARE: Final = np.arange(6, dtype=np.int32).reshape(2, 3)
WORDS: Final = texts(b"a", "é".encode())
TIMES: Final = texts(b"2024-01-01T00:00:00+00:00", b"2024-01-02T10:00:00")
SEEN_TIMES: Final = (
    "[datetime.datetime(2024, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), datetime.datetime(2024, 1, 2, 10, 0)]"
)
BASE64: Final = texts(b"/wA=", b"aGk=")
INTS: Final = np.array([1, 2, 3], np.int8)
ONE: Final = np.array([[7]], np.uint16)

ROWS: Final = (
    # Arrays
    Row("np.ndarray", ("FP32", F32), "float32 [1, 2] [1.5, -2.5]", {"y": F32}),
    Row("np.ndarray", ("INT8", INTS), "int8 [3] [1, 2, 3]", {"y": INTS.reshape(3, 1)}),
    Row("np.ndarray", ("BYTES", texts(b"a", b"")), "object [2, 1] [b'a', b'']", {"y": texts(b"a", b"")}),
    Row("np.ndarray", ("BOOL", np.array([True])), "bool [1] [True]", {"y": np.array([[True]])}),
    Row(
        "np.ndarray",
        ("FP16", np.array([[0.5]], np.float16)),
        "float16 [1, 1] [0.5]",
        {"y": np.array([[0.5]], np.float16)},
        errors=NO_FP16,
    ),
    Row(
        "np.ndarray",
        ("BF16", np.array([[0.5]], ml_dtypes.bfloat16)),
        "bfloat16 [1, 1] [0.5]",
        {"y": np.array([[0.5]], ml_dtypes.bfloat16)},
        errors={**NO_FP16, "json": "receiving BF16 data via JSON is not supported"},
    ),
    Row("NDArray[np.float32]", ("FP32", F32), "float32 [1, 2] [1.5, -2.5]", {"y": F32}),
    Row("NDArray[np.integer]", ("INT32", SQUARE), "int32 [2, 3] [0, 1, 2, 3, 4, 5]", {"y": SQUARE}),
    Row(
        "NDArray[np.object_]",
        ("BYTES", texts(b"\xff")),
        "object [1, 1] [b'\\xff']",
        {"y": texts(b"\xff")},
        errors={"json": "UTF-8"},
    ),
    Row(
        "np.ndarray[tuple[int, int], np.dtype[np.int32]]",
        ("INT32", SQUARE),
        "int32 [2, 3] [0, 1, 2, 3, 4, 5]",
        {"y": SQUARE},
    ),
    Row(
        "np.ndarray[tuple[int, Literal[3]], np.dtype[Any]]",
        ("INT32", SQUARE),
        "int32 [2, 3] [0, 1, 2, 3, 4, 5]",
        {"y": SQUARE},
    ),
    Row("Optional[np.ndarray]", ("FP32", F32), "float32 [1, 2] [1.5, -2.5]", {"y": F32}),
    # Lists
    Row("list[str]", ("BYTES", WORDS), "['a', 'é']", {"y": WORDS}),
    Row("List[str]", ("BYTES", WORDS.reshape(2)), "['a', 'é']", {"y": WORDS}),
    Row("list[str] | None", ("BYTES", WORDS), "['a', 'é']", {"y": WORDS}),
    Row("Union[None, List[str]]", ("BYTES", WORDS), "['a', 'é']", {"y": WORDS}),
    Row("list[bytes]", ("BYTES", BASE64), "[b'\\xff\\x00', b'hi']", {"y": BASE64}),
    Row("list[datetime]", ("BYTES", TIMES), SEEN_TIMES, {"y": TIMES}),
    Row("List[Union[str, datetime]]", ("BYTES", TIMES), SEEN_TIMES, {"y": TIMES}),
    Row("list[int]", ("INT8", INTS), "[1, 2, 3]", {"y": column(1, 2, 3, dtype=np.int64)}),
    Row("list[int]", ("UINT64", np.array([[5, 6]], np.uint64)), "[5, 6]", {"y": column(5, 6, dtype=np.int64)}),
    Row("list[float]", ("FP32", F32), "[1.5, -2.5]", {"y": column(1.5, -2.5, dtype=np.float64)}),
    Row(
        "list[float]",
        ("FP16", np.array([0.5], np.float16)),
        "[0.5]",
        {"y": column(0.5, dtype=np.float64)},
        errors=NO_FP16,
    ),
    Row(
        "list[float]",
        ("BF16", np.array([0.5], ml_dtypes.bfloat16)),
        "[0.5]",
        {"y": column(0.5, dtype=np.float64)},
        errors={**NO_FP16, "json": "receiving BF16 data via JSON is not supported"},
    ),
    Row("list[bool]", ("BOOL", np.array([True, False])), "[True, False]", {"y": column(True, False, dtype=np.bool_)}),
    # One element
    Row("str", ("BYTES", texts(b"a b", shape=(1, 1))), "'a b'", {"y": texts(b"a b", shape=(1,))}),
    Row("bytes", ("BYTES", texts(b"aGk=", shape=(1,))), "b'hi'", {"y": texts(b"aGk=", shape=(1,))}),
    Row(
        "datetime",
        ("BYTES", texts(b"2024-01-02T10:00:00", shape=())),
        "datetime.datetime(2024, 1, 2, 10, 0)",
        {"y": texts(b"2024-01-02T10:00:00", shape=(1,))},
    ),
    Row("int", ("UINT16", ONE), "7", {"y": np.array([7], np.int64)}),
    Row("float", ("FP64", np.array([0.25])), "0.25", {"y": np.array([0.25])}),
    Row("bool", ("BOOL", np.array([[True]])), "True", {"y": np.array([True])}),
    Row("np.uint16", ("UINT16", ONE), "np.uint16(7)", {"y": np.array([7], np.uint16)}),
    Row("np.floating", ("FP32", F32[0, :1]), "np.float32(1.5)", {"y": F32[0, :1]}),
    # Tables and their columns
    Row("pd.Series", ("INT8", INTS), "Series x int8 [1, 2, 3]", {"y": INTS.reshape(3, 1)}),
    Row("pa.Array", ("INT8", INTS), "int8 [1, 2, 3]", {"y": INTS.reshape(3, 1)}),
    Row("pd.DataFrame", ("INT8", INTS), "DataFrame {'x': [1, 2, 3]}", {"x": INTS.reshape(3, 1)}),
    Row("pa.RecordBatch", ("INT8", INTS), "RecordBatch {'x': [1, 2, 3]}", {"x": INTS.reshape(3, 1)}),
    Row("pa.Table", ("INT8", INTS), "Table {'x': [1, 2, 3]}", {"x": INTS.reshape(3, 1)}),
    Row("dict[str, np.ndarray]", ("INT8", INTS), "{'x': 'int8 [3] [1, 2, 3]'}", {"x": INTS.reshape(3, 1)}),
    Row("Dict[str, List[str]]", ("BYTES", WORDS), "{'x': \"['a', 'é']\"}", {"x": WORDS}),
    Row("dict[str, float]", ("FP32", F32[0, :1]), "{'x': '1.5'}", {"x": np.array([1.5])}),
    # Parts of the request
    Row(
        "InferenceRequest",
        ("FP32", F32),
        "float32 [1, 2] [1.5, -2.5]",
        {"y": F32},
        "np.ndarray",
        "np.asarray(x.inputs[0].data, np.float32).reshape(1, 2)",
    ),
    Row("Parameters", ("FP32", F32), "", {"y": np.array([5])}, "int", "x['five']"),
    Row("Headers", ("FP32", F32), "", {"y": texts(b"yes", shape=(1,))}, "str", "x['x-hint']"),
    # Results
    Row(
        "np.ndarray",
        ("FP32", F32),
        "float32 [1, 2] [1.5, -2.5]",
        {"y": np.array([-1.0], np.float32)},
        "NDArray[np.float32]",
        "x.sum()",
    ),
    Row("np.ndarray", ("FP32", F32), "float32 [1, 2] [1.5, -2.5]", {"y": np.array([-1.0])}, "float", "x.sum()"),
    Row("np.ndarray", ("FP32", F32), "float32 [1, 2] [1.5, -2.5]", {}, "float | None", "None"),
    Row("np.ndarray", ("INT8", INTS), "int8 [3] [1, 2, 3]", {"y": column(6, dtype=np.int64)}, "list[int]", "[x.sum()]"),
)
"""Every hint: as an argument, and as that of the output ``y``."""

WHOLE: Final = (
    Row("np.ndarray", ("INT8", INTS), "", {"output-0": INTS.reshape(3, 1)}, "np.ndarray"),
    Row(
        "np.ndarray",
        ("INT8", INTS),
        "",
        {"output-0": INTS.reshape(3, 1), "output-1": np.array([3])},
        "Tuple[np.ndarray, int]",
        "(x, len(x))",
    ),
    Row("np.ndarray", ("INT8", INTS), "", {}, "None", "None"),
    Row("np.ndarray", ("INT8", INTS), "", {"y": INTS.reshape(3, 1), "more": np.array([3])}, "Named", "Named(x, 3)"),
    Row("np.ndarray", ("INT8", INTS), "", {"y": INTS.reshape(3, 1)}, "Named | None", "Named(x)"),
    Row(
        "np.ndarray",
        ("INT8", INTS),
        "",
        {"y": INTS.reshape(3, 1), "more": texts(b"a", shape=(1,))},
        "Data",
        "Data(x, 'a')",
    ),
    Row(
        "np.ndarray",
        ("INT8", INTS),
        "",
        {"y": INTS.reshape(3, 1), "more": column(0.5, dtype=np.float64)},
        "Typed",
        "{'y': x, 'more': [0.5]}",
    ),
    Row("np.ndarray", ("INT8", INTS), "", {"y": INTS.reshape(3, 1)}, "Typed", "{'y': x}"),
    Row("np.ndarray", ("INT8", INTS), "", {"more": column(True, dtype=np.bool_)}, "Partial", "{'more': [True]}"),
    Row("np.ndarray", ("INT8", INTS), "", {"y": INTS.reshape(3, 1), "more": np.array([3])}, "Struct", "Struct(x, 3)"),
    Row(
        "np.ndarray",
        ("INT8", INTS),
        "",
        {"y": INTS.reshape(3, 1), "z": np.array([[3]], np.int8)},
        "dict[str, NDArray[np.int8]]",
        "{'y': x, 'z': x[-1:]}",
    ),
    Row(
        "np.ndarray",
        ("INT8", INTS),
        "",
        {"own": INTS.reshape(3, 1)},
        "InferenceResponse",
        "InferenceResponse(outputs=[NumpyCodec.encode_output('own', x)])",
    ),
)
"""Return hints that are several outputs, or whole responses."""

CASES: Final = [(row, form) for row in (*ROWS, *WHOLE) for form in FORMS]


def name_of(row: Row) -> str:
    return f"hint_{(*ROWS, *WHOLE).index(row)}"


def source_of(row: Row) -> str:
    if row in WHOLE:
        returns, body = row.returns, row.body
    else:
        hint = row.returns or row.hint
        # Tables name their outputs themselves.
        named = hint if "x" in row.given else f'Annotated[{hint}, Output("y")]'
        shown = "''" if not row.seen else "describe(np.asarray(x.inputs[0].data, np.float32).reshape(1, 2))"
        shown = "describe(x)" if row.seen and row.hint != "InferenceRequest" else shown
        returns, body = f'tuple[{named}, Annotated[str, Output("seen")]]', f"({row.body}, {shown})"
    rest = "" if row.hint not in {"Parameters", "Headers"} else ", rest: dict[str, np.ndarray]"
    return f"""

class {name_of(row).title().replace("_", "")}(MLModel):
    @decode_args
    def predict(self, x: {row.hint}{rest}) -> {returns}:
        return {body}
"""


@pytest.fixture(scope="module")
def hints(serve_module: Serve, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """Serve a model for each row."""
    folder: Path = tmp_path_factory.mktemp("hints")
    rows = (*ROWS, *WHOLE)
    (folder / "models.py").write_text(MODELS + "".join(map(source_of, rows)), encoding="utf-8")
    for row in rows:
        name = name_of(row)
        (folder / name).mkdir()
        settings = {"name": name, "implementation": f"models.{name.title().replace('_', '')}"}
        (folder / name / "model-settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return serve_module(folder).wait_started()


@pytest.fixture(scope="module")
def clients(hints: Server) -> Iterator[tuple[Rest, Grpc]]:
    with hints.rest() as rest, Grpc(hints) as grpc:
        yield rest, grpc


def ask(clients: tuple[Rest, Grpc], row: Row, form: str) -> dict[str, Any] | str:
    """Return the outputs, or the text of the error."""
    rest, grpc = clients
    datatype, array = row.sent
    arrays = {f"x:{datatype}": array}
    if form in {"raw", "typed"}:
        typed = form == "typed" and datatype not in {"FP16", "BF16"}
        message = grpc_request(name_of(row), arrays, typed=typed)
        message.parameters["five"].int64_param = 5
        if form == "typed" and not typed:
            del message.raw_input_contents[:]
            message.inputs[0].contents.fp32_contents.extend([0.5])
        metadata = (("x-hint", "yes"),)
        if form in row.errors:
            return grpc.fails(message, metadata=metadata)[1]
        return grpc_outputs(grpc.infer(message, metadata=metadata))
    body, headers = (b"", {"X-Hint": "yes"})
    if form == "binary":
        body, sized = binary_body(arrays, parameters={"five": 5})
        headers |= sized
    elif datatype == "BYTES" and form in row.errors:
        # It has no JSON form as an input either, so what comes back is asked for as JSON.
        body, sized = binary_body(arrays, parameters={"binary_data_output": False})
        headers |= sized
    else:
        body = json_body(arrays, parameters={"five": 5})
    answer = rest.request("POST", f"/v2/models/{name_of(row)}/infer", body, headers)
    return answer.error() if form in row.errors else rest_outputs(answer)


@pytest.mark.parametrize(("row", "form"), CASES, ids=[f"{name_of(row)}-{form}" for row, form in CASES])
def test_every_hint_in_every_form(clients: tuple[Rest, Grpc], row: Row, form: str) -> None:
    """The argument is what the hint says, whatever carried the tensor, and so is what goes out."""
    found = ask(clients, row, form)
    if isinstance(found, str):
        assert row.errors[form] in found
        return
    if row in ROWS:
        assert found.pop("seen")[0].decode() == row.seen
    assert sorted(found) == sorted(row.given)
    for name, array in row.given.items():
        assert same(found[name], array), (name, found[name])
    assert form not in row.errors


def test_the_table_has_every_hint() -> None:
    """What errors say that there is."""
    namespace: dict[str, Any] = {}
    exec(MODELS, namespace)  # noqa: S102  # as the models do
    shown = {show(canonical(take_apart(eval(row.hint, namespace)).core)) for row in ROWS}  # noqa: S307  # our own table
    parts = {part.text for part in PARTS.values()}
    known = {each for each in known_hints() if "test" not in each} - {"numpy.float32", "NDArray[numpy.float32]"}
    # list[str | datetime] is what list[datetime] means, or the other way round.
    assert known - parts <= {each.replace("Union[str, datetime.datetime]", "str | datetime.datetime") for each in shown}
    assert parts <= {row.hint for row in ROWS}
