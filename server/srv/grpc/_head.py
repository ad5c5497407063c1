"""What the headers of a call say, and what is wrong with them."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from typing import TYPE_CHECKING, Final

from grpclib.const import Status
from grpclib.metadata import decode_timeout, encode_grpc_message

from srv._headers import BINARY, decode_binary, received_headers
from srv_codecs.compression import ENCODINGS, IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from srv_protocol.inference import Headers

ACCEPTED_ENCODINGS: Final = ",".join((IDENTITY, *ENCODINGS))
"""The value of ``grpc-accept-encoding``."""
_FRAMING: Final = (":", "grpc-")
_SPECIAL: Final = frozenset({"te", "content-type"})
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


def refuse(status: Status, message: str, http_status: str = "200") -> tuple[tuple[str, str], ...]:
    """Return the headers that are all of the answer to a call which does not come to its handler."""
    return (
        (":status", http_status),
        ("content-type", "application/grpc+proto"),
        ("grpc-status", str(status.value)),
        ("grpc-message", encode_grpc_message(message)),
        ("grpc-accept-encoding", ACCEPTED_ENCODINGS),
    )


def read_metadata(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return a call's metadata; the text of a binary value (``-bin``) is its base64 form, with padding.

    What frames the call (``:path``, ``te``, ``content-type``, ``grpc-...``) is not among it.

    Raises:
        InvalidInput: as :func:`srv._headers.received_headers`.
    """
    items = [(name, value) for name, value in split_binary(headers) if not name.startswith(_FRAMING)]
    return received_headers(
        (name, b64encode(decode_binary(value)[0]).decode() if name.endswith(BINARY) else value)
        for name, value in items
        if name not in _SPECIAL
    )


def split_binary(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield headers, of a binary one each of the values that stand behind commas: grpclib would pass over these."""
    for name, value in headers:
        if name.endswith(BINARY) and "," in value:
            yield from ((name, each.strip()) for each in value.split(","))
        else:
            yield name, value
