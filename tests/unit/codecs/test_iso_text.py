"""ISO 8601 is read alike on every Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs._iso_text import parse_iso, parse_iso_slowly

DATES = st.sampled_from(["2024-02-29", "20240229", "0001-01-01", "2020-W01", "2020W017", "2020-W53-7", "9999-12-31"])
TIMES = st.sampled_from(
    ["", "10", "10:11", "1011", "10:11:12", "101112", "23:59:59.9", "235959,123456789", "00:00:00.000001"]
)
ZONES = st.sampled_from(
    ["", "Z", "+00:00", "-00:00", "+01", "-0230", "+05:30:15", "+053015.5", "-23:59", "+23:59:59.999999"]
)


@given(DATES, st.sampled_from(["T", " ", "t"]), TIMES, ZONES)
def test_the_forms_of_iso_8601_are_read_as_python_3_11_reads_them(
    day: str, separator: str, time: str, zone: str
) -> None:
    text = f"{day}{separator}{time}{zone}" if time else day
    found, expected = parse_iso_slowly(text), datetime.fromisoformat(text)
    assert found == expected
    assert found.utcoffset() == expected.utcoffset()


@given(st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=-9, minutes=30))])))
def test_what_isoformat_writes_is_read(moment: datetime) -> None:
    assert parse_iso_slowly(moment.isoformat()) == parse_iso(moment.isoformat()) == moment


@pytest.mark.parametrize(
    "text",
    ["", "2024", "2024-13-01", "2024-02-30", "2024-0229", "2024-02-29T", "2024-02-29T25", "2024-02-29T10:1112",
     "2024-02-29T10:11:12.", "2024-02-29T10:11+24:00", "2024-060", "2024-W54-1", "٢٠٢٤-02-29", "2024-02-29T10:11:12ZZ"],
)  # fmt: skip
def test_whatever_python_3_11_refuses_is_refused(text: str) -> None:
    for parse in (datetime.fromisoformat, parse_iso_slowly):
        with pytest.raises(ValueError, match=r"."):
            parse(text)
