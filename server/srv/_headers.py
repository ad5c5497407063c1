"""Which headers a runtime may send, for both protocols."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Final, cast

from srv_protocol.errors import InferenceError

if TYPE_CHECKING:
    from srv_protocol.inference import Headers

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


def response_headers(headers: Headers | None, model: str) -> list[tuple[str, str]]:
    """Return the headers that a runtime's response has, ready to be sent.

    Those that frame the message are left out, with a warning.

    Raises:
        InferenceError: a name or value is not valid in HTTP or gRPC.
    """
    sent: list[tuple[str, str]] = []
    for name, value in () if headers is None else headers.items():
        given = cast("object", value)  # a runtime may have put anything in
        if not _NAME.fullmatch(name) or not isinstance(given, str) or not _VALUE.fullmatch(given):
            raise InferenceError(f"model '{model}': invalid response header {name!r}: {value!r}")
        if name in _PROTECTED or name.startswith("grpc-"):
            _logger.warning("model '%s': response header %r is the server's own, and is left out", model, name)
            continue
        sent.append((name, value.strip()))
    return sent
