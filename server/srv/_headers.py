"""Headers of requests and responses, for both protocols."""

from __future__ import annotations

import logging
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Final, cast

from srv_protocol.errors import InferenceError, InvalidInput
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_logger: Final = logging.getLogger("srv")

# What both HTTP (RFC 9110, sections 5.1 and 5.5) and gRPC ("PROTOCOL-HTTP2", Custom-Metadata) allow.
_NAME: Final = re.compile(r"[0-9a-z_.\-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e]*")
# They frame the message, so they are the server's own.
_PROTECTED: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "inference-header-content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    }
)


find_header: Final = dict[str, str].get
"""Returns the value of a header, ``None`` if it is not there: of a request's, which are in lower case, as the name is.

`Headers.get` makes no such demand of the name, and takes four times as long.
"""

BINARY: Final = "-bin"
"""The end of the name of a header whose value is bytes, in base64 (gRPC's "PROTOCOL-HTTP2", Binary-Header)."""

# Clients of gRPC take a header list beyond 8 KiB for a fault; Python's own HTTP client one of more than 100 headers.
_LARGEST: Final = 8000
_MOST: Final = 64
# What each header counts for besides its text (RFC 9113, section 6.5.2).
_OVERHEAD: Final = 32


def received_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return the headers of a request; their names are in lower case.

    Raises:
        InvalidInput: one came twice that cannot.
    """
    try:
        return Headers(headers)
    except TypeError as error:
        raise InvalidInput(str(error)) from None


def decode_binary(value: str) -> list[bytes]:
    """Return the values of a binary header: base64, with or without padding, several of them behind commas.

    Raises:
        ValueError: one is no base64.
    """
    values = [each.strip() for each in value.split(",")]
    return [b64decode(each + "=" * (-len(each) % 4), validate=True) for each in values]


def response_headers(headers: Headers | None, model: str) -> list[tuple[str, str]]:
    """Return the headers that a runtime's response has, ready to be sent.

    Those that frame the message are left out, with a warning.

    Raises:
        InferenceError: a name or value is not valid in HTTP or gRPC, or they are more than clients take.
    """
    sent: list[tuple[str, str]] = []
    if not headers:
        return sent
    for name, value in headers.items():
        given = cast("object", value)  # a runtime may have put anything in
        if not _NAME.fullmatch(name) or not isinstance(given, str) or not _VALUE.fullmatch(given):
            raise InferenceError(f"model '{model}': invalid response header {name!r}: {value!r}")
        if name in _PROTECTED or name.startswith("grpc-"):
            _logger.warning("model '%s': response header %r is the server's own, and is left out", model, name)
            continue
        if name.endswith(BINARY):
            try:
                decode_binary(value)
            except ValueError as error:
                raise InferenceError(f"model '{model}': response header {name!r} is no base64: {error}") from None
        sent.append((name, value.strip()))
    _check_size(sent, model)
    return sent


def merge_headers(before: Mapping[str, str], headers: Headers | None, model: str) -> dict[str, str]:
    """Return the headers of a stream's responses so far, and those of one more, which come before those of its names.

    Raises:
        InferenceError: as :func:`response_headers`, for what it has and for all together.
    """
    merged = {**before, **dict(response_headers(headers, model))}
    _check_size(merged.items(), model)
    return merged


def _check_size(headers: Iterable[tuple[str, str]], model: str) -> None:
    sizes = [len(name) + len(value) + _OVERHEAD for name, value in headers]
    if len(sizes) > _MOST or sum(sizes) > _LARGEST:
        raise InferenceError(
            f"model '{model}': response headers: expected at most {_MOST}, of {_LARGEST} bytes in all, "
            f"got {len(sizes)}, of {sum(sizes)}"
        )
