"""The headers that a caller adds to requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from srv_protocol.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv.client._call import HeaderItems

# What both HTTP (RFC 9110, sections 5.1 and 5.5) and gRPC ("PROTOCOL-HTTP2", Custom-Metadata) allow.
_NAME: Final = re.compile(r"[0-9a-z_.\-]+")
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|")
# They frame the message, so they are the client's own.
_RESERVED: Final = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "inference-header-content-length",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


def check_headers(headers: Mapping[str, str] | None) -> HeaderItems:
    """Return headers with names in lower case.

    Raises:
        InvalidInput: HTTP or gRPC does not allow a name or a value, or it is one that frames the message.
    """
    if not headers:
        return ()
    checked = tuple((name.lower(), value) for name, value in headers.items())
    for name, value in checked:
        if not _NAME.fullmatch(name) or name in _RESERVED or name.startswith("grpc-"):
            raise InvalidInput(f"headers: expected the name of a header that a caller may send, got {name!r}")
        if not _VALUE.fullmatch(value):
            raise InvalidInput(f"headers: {name}: expected printable ASCII, got {value!r:.80}")
    return checked
