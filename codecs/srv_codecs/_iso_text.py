"""Text of ISO 8601 -> points in time, alike on every Python."""

from __future__ import annotations

import re
import sys
from datetime import date, datetime, timedelta, timezone
from typing import Final

_TEXT: Final = r"""
    (?: (?P<year>\d{4}) (?P<dash>-?) (?: (?P<month>\d{2}) (?P=dash) (?P<day>\d{2})
                                       | W (?P<week>\d{2}) (?: (?P=dash) (?P<weekday>[1-7]) )? ) )
    (?: .
        (?P<hour>\d{2})
            (?: (?P<colon>:?) (?P<minute>\d{2})
                (?: (?P=colon) (?P<second>\d{2}) (?: [.,] (?P<part>\d+) )? )? )?
        (?P<zone> Z | (?P<sign>[+-]) (?P<hours>\d{2})
            (?: (?P<between>:?) (?P<minutes>\d{2})
                (?: (?P=between) (?P<seconds>\d{2}) (?: [.,] (?P<parts>\d+) )? )? )? )?
    )?
    """


def parse_iso(text: str) -> datetime:
    """Return the point in time of a text; of fractions of a second microseconds are kept.

    Raises:
        ValueError: it is no date of ISO 8601, with or without a time.
    """
    # That of Python 3.10 reads what isoformat() writes, and no more.
    return datetime.fromisoformat(text) if sys.version_info >= (3, 11) else parse_iso_slowly(text)


def parse_iso_slowly(text: str) -> datetime:
    """Do what ``datetime.fromisoformat`` does from Python 3.11 on.

    Raises:
        ValueError: likewise.
    """
    found = re.fullmatch(_TEXT, text, re.VERBOSE | re.ASCII | re.DOTALL)
    if found is None:
        message = f"Invalid isoformat string: {text!r}"
        raise ValueError(message)
    given = {name: value or "" for name, value in found.groupdict().items()}
    if given["week"]:
        day = date.fromisocalendar(int(given["year"]), int(given["week"]), int(given["weekday"] or 1))
    else:
        day = date(int(given["year"]), int(given["month"]), int(given["day"]))
    return datetime(
        day.year,
        day.month,
        day.day,
        int(given["hour"] or 0),
        int(given["minute"] or 0),
        int(given["second"] or 0),
        _micro(given["part"]),
        _zone(given),
    )


def _micro(digits: str) -> int:
    return int(f"{digits:0<6}"[:6])


def _zone(given: dict[str, str]) -> timezone | None:
    if not given["sign"]:
        return timezone.utc if given["zone"] else None  # noqa: UP017  # datetime.UTC, which Python 3.10 does not have
    offset = timedelta(
        hours=int(given["hours"]),
        minutes=int(given["minutes"] or 0),
        seconds=int(given["seconds"] or 0),
        microseconds=_micro(given["parts"]),
    )
    return timezone(-offset if given["sign"] == "-" else offset)
