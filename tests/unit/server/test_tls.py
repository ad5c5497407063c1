from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from certificates import PASSWORD, Certificates

from srv._tls import tls_context
from srv.settings import Settings
from srv_protocol.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return files of all kinds: a second certificate ``other``, both in one (``both.pem``), and what is neither."""
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.make("other", "localhost")
    (made.folder / "both.pem").write_bytes(made.server.key.read_bytes() + made.server.certificate.read_bytes())
    (made.folder / "text").write_text("hello", encoding="utf-8")
    (made.folder / "broken").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "ascii")
    return made


def settings(made: Certificates, names: dict[str, str]) -> Settings:
    """Return settings: those that name files get their folder."""
    given: dict[str, Any] = {
        name: value if name == "ssl_keyfile_password" else str(made.folder / value) for name, value in names.items()
    }
    return Settings(**given)


def test_without_a_certificate_there_is_none() -> None:
    assert tls_context(Settings(), "h2") is None


@pytest.mark.parametrize(
    "names",
    [
        {"ssl_certfile": "server.pem", "ssl_keyfile": "server.key"},
        {"ssl_certfile": "both.pem"},
        {"ssl_certfile": "server.pem", "ssl_keyfile": "server.encrypted", "ssl_keyfile_password": PASSWORD},
        # As a file of settings may have it for all keys.
        {"ssl_certfile": "server.pem", "ssl_keyfile": "server.key", "ssl_keyfile_password": PASSWORD},
    ],
    ids=["two files", "one file", "encrypted", "a password that nobody needs"],
)
def test_nothing_below_1_2_and_nobody_is_trusted(made: Certificates, names: dict[str, str]) -> None:
    context = tls_context(settings(made, names), "h2")

    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.verify_mode == ssl.CERT_NONE
    assert context.cert_store_stats()["x509"] == 0
    # RFC 9113, appendix A, lists every suite of TLS 1.2 that has no authenticated encryption, or no ephemeral key.
    suites = [each["name"] for each in context.get_ciphers()]
    assert "ECDHE-RSA-AES128-GCM-SHA256" in suites  # RFC 9113, section 9.2.2
    assert all(each.startswith(("TLS_", "ECDHE-")) and ("GCM" in each or "CHACHA20" in each) for each in suites)


def test_with_authorities_clients_need_a_certificate(made: Certificates) -> None:
    names = {"ssl_certfile": "both.pem", "ssl_ca_certs": "authority.pem"}
    context = tls_context(settings(made, names), "http/1.1")

    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.cert_store_stats()["x509"] == 1


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"ssl_certfile": "none"}, "ssl_certfile: expected a readable file, got '{}/none': No such file or directory"),
        ({"ssl_certfile": ""}, "ssl_certfile: expected a readable file, got '{}': Is a directory"),
        ({"ssl_certfile": "a\0b"}, "ssl_certfile: expected a readable file, got '{}/a\\x00b': embedded null byte"),
        ({"ssl_certfile": "text"}, "ssl_certfile: expected certificates in PEM form, got none in '{}/text'"),
        ({"ssl_certfile": "broken"}, "ssl_certfile: expected certificates in PEM form, got none in '{}/broken'"),
        (
            {"ssl_certfile": "server.key"},
            "ssl_certfile: expected certificates in PEM form, got none in '{}/server.key'",
        ),
        (
            {"ssl_certfile": "server.pem"},
            (
                "ssl_certfile: expected a private key in PEM form, got none in '{}/server.pem'; "
                "it can be in a file of its own (ssl_keyfile)"
            ),
        ),
        (
            {"ssl_certfile": "server.pem", "ssl_keyfile": "none"},
            "ssl_keyfile: expected a readable file, got '{}/none': No such file or directory",
        ),
        (
            {"ssl_certfile": "server.pem", "ssl_keyfile": "text"},
            "ssl_keyfile: expected a private key in PEM form, got none in '{}/text'",
        ),
        (
            {"ssl_certfile": "server.pem", "ssl_keyfile": "other.key"},
            "ssl_keyfile: expected the key of the certificate in '{}/server.pem', got another in '{}/other.key'",
        ),
        (
            {"ssl_certfile": "server.pem", "ssl_keyfile": "other.encrypted", "ssl_keyfile_password": PASSWORD},
            "ssl_keyfile: expected the key of the certificate in '{}/server.pem', got another in '{}/other.encrypted'",
        ),
        (
            {"ssl_certfile": "server.pem", "ssl_keyfile": "server.encrypted"},
            "ssl_keyfile_password: expected the password of the key in '{}/server.encrypted', got none",
        ),
        *(
            (
                {"ssl_certfile": "server.pem", "ssl_keyfile": "server.encrypted", "ssl_keyfile_password": password},
                "ssl_keyfile_password: expected the password of the key in '{}/server.encrypted', got another",
            )
            for password in ("", "wrong", "x" * 2000)
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_ca_certs": "none"},
            "ssl_ca_certs: expected a readable file, got '{}/none': No such file or directory",
        ),
        (
            {"ssl_certfile": "both.pem", "ssl_ca_certs": "text"},
            "ssl_ca_certs: expected certificates in PEM form, got none in '{}/text'",
        ),
    ],
)
def test_what_cannot_be_used_is_named(made: Certificates, names: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        tls_context(settings(made, names), "h2")

    assert raised.value.message == message.replace("{}", str(made.folder))


def test_a_key_of_another_kind_is_named(made: Certificates, tmp_path: Path) -> None:
    import trustme

    rsa = tmp_path / "rsa.key"
    trustme.CA().issue_cert("localhost", key_type=trustme.KeyType.RSA).private_key_pem.write_to_path(str(rsa))
    with pytest.raises(SettingsError, match=r"ssl_keyfile: expected the key of the certificate in .*, got another in"):
        tls_context(Settings(ssl_certfile=str(made.server.certificate), ssl_keyfile=str(rsa)), "h2")
