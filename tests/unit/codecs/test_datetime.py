"""Content type ``datetime``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs.content_types import DatetimeCodec
from srv_protocol.errors import CodecError, InferenceError
from srv_protocol.inference import InferInputTensor

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
NAIVE = datetime(2024, 2, 29, 12, 0, 0, 5)  # noqa: DTZ001  # times without an offset are data too
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.lists(st.datetimes(timezones=st.none() | OFFSETS)))
def test_points_in_time_round_trip(times: list[str | datetime]) -> None:
    output = DatetimeCodec.encode_output("y", times)
    assert output.shape == [len(times), 1]
    assert DatetimeCodec.decode_output(output) == times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T12:00:00Z", NOON),
        ("2024-02-29T12:00:00+00:00", NOON),
        (b"2024-02-29T13:00:00+01:00", NOON),
        ("2024-02-29T12:00:00.000005", NAIVE),
        ("2024-02-29 12:00:00.000005", NAIVE),
    ],
)
def test_iso_8601_is_understood(text: object, expected: datetime) -> None:
    assert DatetimeCodec.decode_input(InferInputTensor("x", "BYTES", [1], data=[text])) == [expected]


def test_iso_8601_text_may_be_encoded_as_it_is() -> None:
    assert DatetimeCodec.encode_output("y", ["2024-02-29T12:00:00Z", NOON]).data.root == [
        b"2024-02-29T12:00:00Z",
        b"2024-02-29T12:00:00+00:00",
    ]


@pytest.mark.parametrize("item", ["yesterday", "2024-02-30T00:00:00", "", b"12:00"])
def test_what_is_no_time_is_an_error_that_names_the_element(item: object) -> None:
    with pytest.raises(CodecError, match=r"^input 'x': data\[0\]: expected an ISO 8601 date and time, got '"):
        DatetimeCodec.decode_input(InferInputTensor("x", "BYTES", [1], data=[item]))


def test_other_datatypes_and_values_are_errors() -> None:
    with pytest.raises(CodecError, match=r"^input 'x': expected BYTES, got INT64$"):
        DatetimeCodec.decode_input(InferInputTensor("x", "INT64", [1], data=[1]))
    nothing: Any = [pd.NaT]
    with pytest.raises(InferenceError, match=r"^output 'y': data\[0\]: expected a point in time, got NaT$"):
        DatetimeCodec.encode_output("y", nothing)
    numbers: Any = [1]
    with pytest.raises(InferenceError, match=r"^output 'y': data\[0\]: expected datetime or str, got int$"):
        DatetimeCodec.encode_output("y", numbers)
    with pytest.raises(
        InferenceError, match=r"^output 'y': data\[0\]: expected an ISO 8601 date and time, got 'soon'$"
    ):
        DatetimeCodec.encode_output("y", ["soon"])


def test_a_list_of_text_is_left_to_another_codec() -> None:
    assert DatetimeCodec.can_encode([NOON])
    assert not DatetimeCodec.can_encode(["2024-02-29T12:00:00Z"])


def test_of_nanoseconds_microseconds_are_kept() -> None:
    """As the page on content types says: clients in other languages send them, and a datetime has none."""
    tensor = InferInputTensor("x", "BYTES", [1], data=["2024-01-01T00:00:00.123456789Z"])

    assert DatetimeCodec.decode_input(tensor) == [datetime(2024, 1, 1, microsecond=123456, tzinfo=UTC)]
