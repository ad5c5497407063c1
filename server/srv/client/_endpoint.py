"""Where a server is, as one URL says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from srv_protocol.errors import InvalidInput


class _Scheme(NamedTuple):
    protocol: str
    tls: bool = False
    unix: bool = False
    port: int = 0


_SCHEMES: Final = {
    "http": _Scheme("http", port=8080),
    "https": _Scheme("http", tls=True, port=443),
    "grpc": _Scheme("grpc", port=8081),
    "grpcs": _Scheme("grpc", tls=True, port=443),
    "http+unix": _Scheme("http", unix=True),
    "grpc+unix": _Scheme("grpc", unix=True),
    # As gRPC itself spells it, and `srv start` shows it.
    "unix": _Scheme("grpc", unix=True),
}
_EXAMPLES: Final = "http://host:8080, https://host, grpc://host:8081, grpcs://host, http+unix:/path or grpc+unix:/path"
_PREFIX: Final = re.compile(r"(?:/[!-~]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address and what is spoken there.

    Attributes:
        url: as it was given.
        protocol: ``http`` or ``grpc``.
        path: of a Unix socket; empty for TCP.
        prefix: of the paths of HTTP, behind which V2's stand.
    """

    url: str
    protocol: str
    tls: bool
    host: str = ""
    port: int = 0
    path: str = ""
    prefix: str = ""

    @property
    def authority(self) -> str:
        """What stands in ``Host`` or ``:authority``."""
        if self.path:
            return "localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_url(url: str) -> Endpoint:
    """Return the endpoint that a URL names.

    ``http`` and ``grpc`` have the ports of ``srv start`` by default, ``https`` and ``grpcs`` 443. Unix sockets are
    ``http+unix:/path`` and ``grpc+unix:/path``, or ``unix:/path`` for gRPC.

    Raises:
        InvalidInput: it is none of these.
    """
    found = urlsplit(url)
    scheme = _SCHEMES.get(found.scheme)
    if scheme is None or found.query or found.fragment or found.username is not None:
        raise InvalidInput(f"url: expected {_EXAMPLES}, got {url!r}")
    if scheme.unix:
        path = unquote(found.path)
        if found.netloc or not path:
            raise InvalidInput(f"url: expected the path of a socket behind {found.scheme}:, got {url!r}")
        return Endpoint(url=url, protocol=scheme.protocol, tls=False, path=path)
    try:
        port = found.port or scheme.port
    except ValueError:
        raise InvalidInput(f"url: expected a port from 0 to 65535, got {url!r}") from None
    prefix = found.path.rstrip("/")
    if not found.hostname or not _PREFIX.fullmatch(prefix) or (prefix and scheme.protocol == "grpc"):
        raise InvalidInput(f"url: expected {_EXAMPLES}, got {url!r}")
    return Endpoint(url=url, protocol=scheme.protocol, tls=scheme.tls, host=found.hostname, port=port, prefix=prefix)
