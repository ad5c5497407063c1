"""What the headers of a call say, and what is wrong with them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from grpclib.const import Status
from grpclib.metadata import decode_timeout

from srv._headers import BINARY, decode_binary
from srv_codecs.compression import ENCODINGS, IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ACCEPTED_ENCODINGS: Final = ",".join((IDENTITY, *ENCODINGS))
"""The value of ``grpc-accept-encoding``."""
# Nothing is done within it, and grpclib takes a deadline that passes before it looks for a fault of its own.
_SHORTEST_TIMEOUT: Final = 0.001


def find_problem(headers: Iterable[tuple[str, str]]) -> tuple[Status, str] | None:
    """Return the status of a call with such headers, where grpclib would fail on them without an answer."""
    for name, value in headers:
        if name.endswith(BINARY):
            try:
                decode_binary(value)
            except ValueError as error:
                return Status.INVALID_ARGUMENT, f"metadata {name!r}: expected base64, got {value[:32]!r} ({error})"
        elif name == "grpc-encoding" and value not in {IDENTITY, *ENCODINGS}:
            return Status.UNIMPLEMENTED, f"grpc-encoding: expected one of {ACCEPTED_ENCODINGS}, got {value[:32]!r}"
        elif name == "grpc-timeout":
            with contextlib.suppress(ValueError):  # answered with the other headers of HTTP
                if decode_timeout(value) < _SHORTEST_TIMEOUT:
                    return Status.DEADLINE_EXCEEDED, f"the deadline has passed: grpc-timeout is {value}"
    return None


def split_binary(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield headers, of a binary one each of the values that stand behind commas: grpclib would pass over these."""
    for name, value in headers:
        if name.endswith(BINARY) and "," in value:
            yield from ((name, each.strip()) for each in value.split(","))
        else:
            yield name, value
