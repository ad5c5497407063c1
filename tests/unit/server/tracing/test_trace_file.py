from __future__ import annotations

import asyncio
import json
import logging
import threading
import weakref
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from serving import PATIENCE

from srv.tracing import _trace_file
from srv.tracing._trace_file import Rotation, TracedTensor, TraceRecord, TraceWriter, encode_trace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


def record(request: str = "", *tensors: TracedTensor, model: str = "m", version: str = "1") -> TraceRecord:
    return TraceRecord(model, version, request, (("REQUEST_START", 5), ("REQUEST_END", 9)), tensors)


def tensor(datatype: str, array: NDArray[Any], activity: str = "TENSOR_QUEUE_INPUT") -> TracedTensor:
    return TracedTensor(activity, "x", datatype, array.shape, array)


def write(path: Path, records: Iterable[TraceRecord], frequency: int = 0) -> None:
    """Write records as one server does in its life."""

    async def run() -> None:
        writer, rotation = TraceWriter(path), Rotation(frequency)
        for each in records:
            writer.put(each, rotation)
        await asyncio.wrap_future(writer.close())

    asyncio.run(run())


def read(path: Path) -> list[dict[str, Any]]:
    traces: list[dict[str, Any]] = json.loads(path.read_bytes())
    return traces


def data(datatype: str, array: NDArray[Any]) -> str:
    """Return an array as it stands in a trace."""
    *_, shown = json.loads(b"[" + encode_trace(1, record("", tensor(datatype, array))) + b"]")
    text: str = shown["tensor"]["data"]
    return text


def test_a_trace_is_what_triton_writes_to_the_byte(tmp_path: Path) -> None:
    inputs = tensor("INT32", np.array([[1, 2, 3]], "<i4"))
    outputs = tensor("FP32", np.array([[0.5], [2]], "<f4"), "TENSOR_BACKEND_OUTPUT")

    write(tmp_path / "t", [record("r", inputs, outputs), record(version="", model="n")])

    assert (tmp_path / "t").read_bytes() == (
        b"[\n"
        b'{"id":1,"model_name":"m","model_version":1,"request_id":"r"},\n'
        b'{"id":1,"timestamps":[{"name":"REQUEST_START","ns":5}]},\n'
        b'{"id":1,"timestamps":[{"name":"REQUEST_END","ns":9}]},\n'
        b'{"id":1,"activity":"TENSOR_QUEUE_INPUT",'
        b'"tensor":{"name":"x","data":"1,2,3","shape":"1,3","dtype":"INT32"}},\n'
        b'{"id":1,"activity":"TENSOR_BACKEND_OUTPUT",'
        b'"tensor":{"name":"x","data":"0.5,2.0","shape":"2,1","dtype":"FP32"}},\n'
        b'{"id":2,"model_name":"n","model_version":""},\n'
        b'{"id":2,"timestamps":[{"name":"REQUEST_START","ns":5}]},\n'
        b'{"id":2,"timestamps":[{"name":"REQUEST_END","ns":9}]}\n'
        b"]\n"
    )


@pytest.mark.parametrize(
    ("version", "shown"),
    [("0", 0), ("12", 12), ("9" * 18, 10**18 - 1), ("9" * 19, "9" * 19), ("01", "01"), ("v1", "v1"), ("-1", "-1")],
)
def test_a_version_is_a_number_where_it_is_one(version: str, shown: object) -> None:
    assert json.loads(b"[" + encode_trace(1, record(version=version)) + b"]")[0]["model_version"] == shown


@given(st.text(), st.text(), st.text())
def test_names_cannot_forge_a_trace(request: str, model: str, name: str) -> None:
    """Quotes, line ends and lone surrogates come out as text, or escaped."""
    array = np.array([1], "<i4")
    traced = TracedTensor("TENSOR_QUEUE_INPUT", name, "INT32", (1,), array)
    who, *_, what = json.loads(b"[" + encode_trace(1, record(request, traced, model=model)) + b"]")

    def shown(text: str) -> str:
        return text.encode("utf-8", "backslashreplace").decode()

    assert (who["model_name"], who.get("request_id", "")) == (shown(model), shown(request))
    assert what["tensor"]["name"] == shown(name)


@given(
    hnp.arrays(
        st.sampled_from(["<i1", "<u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8"]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    )
)
def test_numbers_come_back_as_they_were(array: NDArray[Any]) -> None:
    """Triton's reader makes floats of them; every digit is there."""
    text = data("any", array)
    values = [array.dtype.type(each) for each in text.split(",")] if text else []

    np.testing.assert_array_equal(np.array(values, array.dtype), array.ravel())


@pytest.mark.parametrize(
    ("datatype", "array", "shown"),
    [
        ("BOOL", np.array([True, False]), "1,0"),
        ("INT8", np.array([65, -1], "i1"), "65,-1"),
        ("BF16", np.array([1.5, 2], ml_dtypes.bfloat16), "1.5,2"),
        ("FP32", np.array([np.nan, np.inf], "<f4"), "nan,inf"),
        ("INT32", np.arange(6, dtype="<i4").reshape(2, 3).T, "0,3,1,4,2,5"),
        ("INT32", np.zeros((0, 3), "<i4"), ""),
        ("INT32", np.array(7, "<i4"), "7"),
        ("BYTES", np.array([b"a", "é".encode(), b'"\\', b"\xff"], object), r'"a","é","\"\\","\\xff"'),
        ("BYTES", np.array(["a\n"], object), r'"a\n"'),
    ],
)
def test_elements_are_in_row_major_order_and_in_this_form(datatype: str, array: NDArray[Any], shown: str) -> None:
    assert data(datatype, array) == shown


def test_the_file_is_whole_after_each_trace(tmp_path: Path) -> None:
    """A reader need not wait for the server's end."""
    traces = _trace_file._File(tmp_path / "t")
    for number in range(1, 5):
        _trace_file._append(traces, encode_trace(number, record()))

        assert [each["id"] for each in read(tmp_path / "t") if "model_name" in each] == list(range(1, number + 1))


def test_a_file_of_an_earlier_server_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "t", [record("first"), record("first")])
    write(tmp_path / "t", [record("second")])

    assert [each["request_id"] for each in read(tmp_path / "t") if "model_name" in each] == ["second"]


@pytest.mark.parametrize("action", ["delete", "empty"])
def test_a_file_that_was_taken_away_is_begun_anew(tmp_path: Path, action: str) -> None:
    """As tools do that keep logs small."""
    traces = _trace_file._File(tmp_path / "t")
    _trace_file._append(traces, encode_trace(1, record()))
    if action == "delete":
        traces.path.unlink()
    else:
        traces.path.write_bytes(b"")
    _trace_file._append(traces, encode_trace(2, record()))

    assert [each["id"] for each in read(tmp_path / "t") if "model_name" in each] == [2]


@pytest.mark.parametrize("text", [b"x", b'{"not": "ours"}', b"[]\n"])
def test_a_file_that_somebody_else_wrote_meanwhile_is_left_alone(tmp_path: Path, text: bytes) -> None:
    traces = _trace_file._File(tmp_path / "t", begun=True)
    traces.path.write_bytes(text)

    with pytest.raises(OSError, match="does not end as traces do"):
        _trace_file._append(traces, encode_trace(1, record()))
    assert traces.path.read_bytes() == text


def test_a_full_disk_leaves_the_traces_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written of the one that fails is taken back."""
    traces = _trace_file._File(tmp_path / "t")
    _trace_file._append(traces, encode_trace(1, record()))
    before = traces.path.read_bytes()
    real = _trace_file._write

    def fail(file: Any, content: bytes) -> None:
        if content != _trace_file._END:
            real(file, content[:10])
            raise OSError(28, "No space left on device")
        real(file, content)

    with monkeypatch.context() as patched:
        patched.setattr(_trace_file, "_write", fail)
        with pytest.raises(OSError, match="No space"):
            _trace_file._append(traces, encode_trace(2, record()))
    assert traces.path.read_bytes() == before
    _trace_file._append(traces, encode_trace(3, record()))
    assert [each["id"] for each in read(tmp_path / "t") if "model_name" in each] == [1, 3]


def test_a_file_that_cannot_be_written_is_one_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody who calls the writer hears of it."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def records() -> Iterable[TraceRecord]:
        folder.rmdir()
        yield from (record(), record(), record())

    write(folder / "t", records())

    (logged,) = caplog.records
    assert logged.levelno == logging.ERROR
    assert logged.getMessage().startswith(f"{folder / 't'}: traces cannot be written, and are lost: ")


def test_a_file_that_can_be_written_again_is_begun_then(tmp_path: Path) -> None:
    """Traces of an earlier server, which the first one should have replaced, do not stay."""
    write(tmp_path / "t", [record("older")])
    traces = _trace_file._File(tmp_path / "t")
    (tmp_path / "t").rename(tmp_path / "kept")
    (tmp_path / "t").mkdir()
    with pytest.raises(OSError, match="directory"):
        _trace_file._append(traces, encode_trace(1, record()))
    (tmp_path / "t").rmdir()
    (tmp_path / "kept").rename(tmp_path / "t")
    _trace_file._append(traces, encode_trace(2, record("newer")))

    assert [each["request_id"] for each in read(tmp_path / "t") if "model_name" in each] == ["newer"]


def test_a_tensor_without_text_costs_its_own_trace_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Mute(bytes):
        def decode(self, encoding: str = "", errors: str = "") -> str:
            message = f"no text in {encoding}, {errors}"
            raise ValueError(message)

    mute = np.empty(1, object)
    mute[0] = Mute()
    write(tmp_path / "t", [record("a"), record("b", tensor("BYTES", mute)), record("c")])

    assert [each["request_id"] for each in read(tmp_path / "t") if "model_name" in each] == ["a", "c"]
    assert [each.getMessage() for each in caplog.records] == [
        f"{tmp_path / 't'}: traces cannot be written, and are lost: no text in utf-8, backslashreplace"
    ]


def hold_file(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Make the file wait: return what is set once the writer is at it, and what lets it go on."""
    entered, leave = threading.Event(), threading.Event()
    real = _trace_file._append

    def slow(traces: Any, items: bytes) -> None:
        entered.set()
        leave.wait()
        real(traces, items)

    monkeypatch.setattr(_trace_file, "_append", slow)
    return entered, leave


def test_traces_that_come_too_fast_are_dropped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded, and the event loop never waits."""
    monkeypatch.setattr(_trace_file, "_BACKLOG", 2)
    entered, leave = hold_file(monkeypatch)

    async def run() -> None:
        writer, rotation = TraceWriter(tmp_path / "t"), Rotation(0)
        writer.put(record("0"), rotation)
        await asyncio.to_thread(entered.wait)
        for number in range(1, 6):
            writer.put(record(str(number)), rotation)
        leave.set()
        while writer._queue.qsize():
            await asyncio.sleep(0)
        writer.put(record("6"), rotation)
        await asyncio.wrap_future(writer.close())

    asyncio.run(run())
    assert [each["request_id"] for each in read(tmp_path / "t") if "model_name" in each] == ["0", "1", "2", "6"]
    assert [each.getMessage() for each in caplog.records] == [
        f"{tmp_path / 't'}: traces come faster than they can be written, or are too large; some are dropped",
        f"{tmp_path / 't'}: 3 traces were dropped",
    ]


def test_few_bytes_of_tensors_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Traces are few where their tensors are large; one that is too large alone is dropped whatever waits."""
    monkeypatch.setattr(_trace_file, "_BACKLOG_BYTES", 100)
    entered, leave = hold_file(monkeypatch)
    numbers, words = tensor("UINT8", np.zeros(60, np.uint8)), tensor("BYTES", np.array([b"x" * 32], object))

    async def run() -> None:
        writer, rotation = TraceWriter(tmp_path / "t"), Rotation(0)
        writer.put(record("large", numbers, numbers), rotation)
        writer.put(record("first", numbers), rotation)
        await asyncio.to_thread(entered.wait)
        for name, each in {"too much": numbers, "fits": words, "no more": words}.items():
            writer.put(record(name, each), rotation)
        writer.put(record("empty"), rotation)
        leave.set()
        while writer._taken < writer._given:
            await asyncio.sleep(0)
        writer.put(record("last", numbers), rotation)
        await asyncio.wrap_future(writer.close())

    asyncio.run(run())
    written = [each["request_id"] for each in read(tmp_path / "t") if "model_name" in each]
    assert written == ["first", "fits", "empty", "last"]


def test_tensors_go_once_they_are_written(tmp_path: Path) -> None:
    """And not when the next trace comes, which may be never."""

    async def run() -> None:
        array = np.zeros(2, np.uint8)
        gone = threading.Event()
        weakref.finalize(array, gone.set)
        writer = TraceWriter(tmp_path / "t")
        writer.put(record("a", tensor("UINT8", array)), Rotation(0))
        del array
        assert await asyncio.to_thread(gone.wait, PATIENCE)
        await asyncio.wrap_future(writer.close())

    asyncio.run(run())


def test_an_array_of_many_parts_is_written_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_trace_file, "_AT_ONCE", 2)
    for count in range(6):
        assert data("INT32", np.arange(count, dtype="<i4")) == ",".join(map(str, range(count)))


def test_tritons_reader_finds_what_it_looks_for(tmp_path: Path) -> None:
    """Its ``trace_summary.py`` groups by id, joins timestamps, and makes arrays of floats; so does this."""
    stamps = ("HTTP_RECV_START", "REQUEST_START", "COMPUTE_START", "COMPUTE_END", "REQUEST_END", "HTTP_SEND_END")
    array = np.array([[1, 2], [3, 4]], "<i4")
    traced = tensor("INT32", array)
    write(tmp_path / "t", [TraceRecord("m", "3", "r", tuple((name, ns) for ns, name in enumerate(stamps)), (traced,))])

    found: dict[int, dict[str, Any]] = {}
    for trace in read(tmp_path / "t"):
        joined = found.setdefault(trace["id"], {"timestamps": []})
        joined["timestamps"] += trace.pop("timestamps", [])
        joined.update(trace)
    (one,) = found.values()
    assert {each["name"]: each["ns"] for each in one["timestamps"]} == {name: ns for ns, name in enumerate(stamps)}
    assert (one["model_name"], one["model_version"]) == ("m", 3)
    values = np.array([float(each) for each in one["tensor"]["data"].split(",")], np.int32)
    shape = [int(each) for each in one["tensor"]["shape"].split(",")]
    np.testing.assert_array_equal(values.reshape(shape), array)
