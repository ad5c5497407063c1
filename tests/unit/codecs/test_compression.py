from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srv_codecs.compression import ENCODINGS, choose_encoding, compress, decompress
from srv_protocol.errors import InvalidInput, RequestTooLarge, UnsupportedEncoding

LIMIT = 1 << 20


def inflate(body: bytes, encoding: str, limit: int = LIMIT) -> bytes:
    return bytes(decompress(memoryview(body), encoding, limit))


@given(st.lists(st.binary(max_size=200)), st.sampled_from(ENCODINGS))
def test_what_is_compressed_decompresses_to_itself(parts: list[bytes], encoding: str) -> None:
    assert inflate(b"".join(compress(parts, encoding)), encoding) == b"".join(parts)


def test_gzip_and_deflate_are_what_other_tools_read() -> None:
    assert gzip.decompress(b"".join(compress([b"a", b"b"], "gzip"))) == b"ab"
    assert zlib.decompress(b"".join(compress([b"a", b"b"], "deflate"))) == b"ab"


def test_identity_is_no_copy() -> None:
    body = memoryview(b"abc")

    assert decompress(body, "identity", 1) is body
    assert compress([body], "identity") == (body,)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", " gzip "])
def test_the_format_is_told_by_its_first_bytes(encoding: str) -> None:
    assert inflate(gzip.compress(b"abc"), encoding) == b"abc"
    assert inflate(zlib.compress(b"abc"), encoding) == b"abc"


def test_a_gzip_body_may_have_several_members() -> None:
    assert inflate(gzip.compress(b"ab") + gzip.compress(b"c"), "gzip") == b"abc"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, deflate", "x-gzip"])
def test_another_encoding_is_not_supported(encoding: str) -> None:
    with pytest.raises(UnsupportedEncoding, match="Unsupported compression type"):
        inflate(b"", encoding)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\x1f\x8b", gzip.compress(b"abc") + b"x", zlib.compress(b"abc") + b"\0\0"], ids=repr
)
def test_what_is_no_compressed_body_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        inflate(body, "gzip")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_cut_anywhere_is_refused(encoding: str) -> None:
    body = b"".join(compress([b"abc" * 50], encoding))
    for size in range(len(body)):
        with pytest.raises(InvalidInput):
            inflate(body[:size], encoding)


def test_a_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    with pytest.raises(RequestTooLarge, match="more than 1048576 bytes after decompression"):
        inflate(bomb, "gzip")

    assert len(inflate(gzip.compress(bytes(LIMIT)), "gzip")) == LIMIT


def test_a_bomb_of_many_members_is_stopped_too() -> None:
    with pytest.raises(RequestTooLarge):
        inflate(gzip.compress(bytes(1000)) * 2000, "gzip")


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("*", "identity"),
        ("br", "identity"),
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate, br", "gzip"),
        ("deflate, gzip", "deflate"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"),
        ("gzip;q=0.5, identity;q=0.8", "identity"),
        ("gzip;q=0", "identity"),
        ("GZIP ; q=1.0", "gzip"),
        ("gzip;q=x, deflate;q=0.1", "deflate"),
        ("gzip;q=2", "identity"),
        ("gzip;q=nan", "identity"),
    ],
)
def test_the_encoding_with_the_highest_weight_is_chosen(accept: str | None, encoding: str) -> None:
    assert choose_encoding(accept) == encoding
