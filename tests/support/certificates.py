"""Certificates for tests of TLS, in files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http.client import HTTPSConnection
from typing import TYPE_CHECKING, Any, Final

import trustme
from cryptography.hazmat.primitives import serialization
from serving import PATIENCE, Rest

if TYPE_CHECKING:
    from pathlib import Path

    from serving import Server

PASSWORD: Final = "open sesame"  # noqa: S105  # test data


@dataclass(frozen=True)
class Pair:
    """A certificate, and its key, plain and encrypted with :data:`PASSWORD`."""

    certificate: Path
    key: Path
    encrypted: Path


class Certificates:
    """An authority and the certificates that it has signed, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = trustme.CA()
        self.authority = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.authority))
        self.server = self.make("server", "localhost", "127.0.0.1")

    def make(self, name: str, *identities: str) -> Pair:
        """Return a new certificate for some hosts."""
        made = self._authority.issue_cert(*identities)
        pair = Pair(*(self.folder / f"{name}.{kind}" for kind in ("pem", "key", "encrypted")))
        made.cert_chain_pems[0].write_to_path(str(pair.certificate))
        made.private_key_pem.write_to_path(str(pair.key))
        key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
        pair.encrypted.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(PASSWORD.encode()),
            )
        )
        return pair

    def settings(self, **more: object) -> dict[str, Any]:
        """Return the settings of a server that has the certificate ``server``."""
        return {"ssl_certfile": self.server.certificate, "ssl_keyfile": self.server.key, **more}

    def client_context(self, pair: Pair | None = None, *protocols: str) -> ssl.SSLContext:
        """Return what a client that trusts the authority connects with: its certificate, and its names for ALPN."""
        context = ssl.create_default_context(cafile=self.authority)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        if protocols:
            context.set_alpn_protocols(protocols)
        return context

    def rest(self, server: Server, pair: Pair | None = None) -> Rest:
        """Return a connection to the REST front."""
        rest = Rest(server.http_port)
        context = self.client_context(pair)
        rest.connection = HTTPSConnection("127.0.0.1", server.http_port, timeout=PATIENCE, context=context)
        return rest
