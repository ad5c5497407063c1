"""TLS of both fronts: what the settings make of certificates and keys."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final, Literal

from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from srv._settings import Settings

# RFC 9113, section 9.2.2: what HTTP/2 may use with TLS 1.2. Suites of TLS 1.3 are all allowed, and not in this list.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
# OpenSSL's words for a key of another certificate; the last one stands for a key of another kind.
_MISMATCH: Final = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})


def tls_context(settings: Settings, protocol: Literal["http/1.1", "h2"]) -> ssl.SSLContext | None:
    """Return what a front that speaks `protocol` presents itself with; ``None`` if the settings have no certificate.

    With ``ssl_ca_certs``, clients must present a certificate that is signed by one of those. Clients that name no
    protocol (ALPN), or another one, are served all the same.

    Raises:
        SettingsError: a file cannot be read or does not hold what it should, the key is that of another certificate,
            or the password that of another key.
    """
    if settings.ssl_certfile is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # RFC 9113, section 9.2.1; compression is off already.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols([protocol])
    # Into another context, which is dropped: the front trusts nobody for having signed its own certificate.
    _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "ssl_certfile", settings.ssl_certfile)
    _load_chain(context, settings.ssl_certfile, settings.ssl_keyfile, settings.ssl_keyfile_password)
    if settings.ssl_ca_certs is not None:
        _trust(context, "ssl_ca_certs", settings.ssl_ca_certs)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _trust(context: ssl.SSLContext, setting: str, path: str) -> None:
    try:
        context.load_verify_locations(path)
        found = context.cert_store_stats()["x509"]
    except ssl.SSLError:
        found = 0
    except (OSError, ValueError) as error:
        raise _unreadable(setting, path, error) from None
    if not found:
        raise SettingsError(f"{setting}: expected certificates in PEM form, got none in {path!r}")


def _load_chain(context: ssl.SSLContext, certificate: str, key: str | None, password: str | None) -> None:
    setting, path = ("ssl_certfile", certificate) if key is None else ("ssl_keyfile", key)
    encrypted = False

    def give_password() -> str:
        # Without it, OpenSSL would ask on the terminal.
        nonlocal encrypted
        encrypted = True
        return password or ""

    try:
        context.load_cert_chain(certificate, key, give_password)
    except ssl.SSLError as error:
        reason = error.reason or ""  # which its type leaves out
    except (OSError, ValueError) as error:
        if not encrypted:
            raise _unreadable(setting, path, error) from None
        reason = ""  # a password that is too long for any key
    else:
        return
    if reason in _MISMATCH:
        raise SettingsError(
            f"{setting}: expected the key of the certificate in {certificate!r}, got another in {path!r}"
        )
    if encrypted:
        got = "none" if password is None else "another"
        raise SettingsError(f"ssl_keyfile_password: expected the password of the key in {path!r}, got {got}")
    if reason:
        # A certificate that OpenSSL finds too weak, for one.
        raise SettingsError(f"{setting}: expected a certificate and its key that can be used, got {path!r}: {reason}")
    hint = "; it can be in a file of its own (ssl_keyfile)" if key is None else ""
    raise SettingsError(f"{setting}: expected a private key in PEM form, got none in {path!r}{hint}")


def _unreadable(setting: str, path: str, error: OSError | ValueError) -> SettingsError:
    return SettingsError(f"{setting}: expected a readable file, got {path!r}: {getattr(error, 'strerror', error)}")
