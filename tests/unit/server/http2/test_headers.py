"""Header blocks that are coded once: the same as hpack codes them, each time."""

from __future__ import annotations

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from srv.http2._errors import ConnectionFault, ErrorCode
from srv.http2._headers import HeaderDecoder, HeaderEncoder

names = st.sampled_from([":status", "content-type", "grpc-status", "x", "a-longer-name"])
values = st.sampled_from(["", "0", "200", "application/grpc+proto", "\xe4" * 30, "w" * 70, "l" * 1500])
blocks = st.lists(st.tuples(names, values), max_size=5).map(tuple)


@given(steps=st.lists(blocks | st.sampled_from([0, 40, 100, 4096]), max_size=40))
def test_headers_are_coded_as_hpack_codes_them(steps: list[tuple[tuple[str, str], ...] | int]) -> None:
    """Also where the table changes its size, drops entries, or is too small for any."""
    known, plain = HeaderEncoder(), Encoder()
    known_decoder, plain_decoder = HeaderDecoder(1 << 16), Decoder(1 << 16)
    sizes: list[int] = []
    for step in steps:
        if isinstance(step, int):
            known.limit_table(step)
            sizes.append(step)
            continue
        # The smallest size since the last block, and the last one (RFC 7541, section 4.2).
        for size in (min(plain.header_table_size, *sizes), sizes[-1]) if sizes else ():
            if size != plain.header_table_size:  # hpack forgets a change that is said twice
                plain.header_table_size = size
        sizes.clear()
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in step]
        block = plain.encode(raw)
        assert known.encode(step) == block
        assert plain_decoder.decode(block, raw=True) == raw
        assert known_decoder.decode(block).headers == step
        assert known_decoder._decoder.header_table.dynamic_entries == plain_decoder.header_table.dynamic_entries
        assert known._encoder.header_table.dynamic_entries == plain.header_table.dynamic_entries


def test_equal_blocks_are_one_object() -> None:
    """As long as the table is the same; hpack has no part in it then."""
    encoder, decoder = HeaderEncoder(), HeaderDecoder(1 << 16)
    headers = (("grpc-status", "0"), ("x", "y"))
    encoder.encode(headers)  # the first one fills the table
    block = encoder.encode(headers)
    assert encoder.encode(headers) is encoder.encode(headers)
    with pytest.raises(ConnectionFault):
        decoder.decode(block)  # its table is empty
    decoder = HeaderDecoder(1 << 16)
    decoder.decode(HeaderEncoder().encode(headers))
    assert decoder.decode(block) is decoder.decode(block)
    assert decoder.decode(block).headers == headers
    # Another entry: the same block is other headers.
    decoder.decode(Encoder().encode([(b"x", b"z")]))
    assert decoder.decode(block).headers == (("x", "y"), ("x", "z")) != headers


@pytest.mark.parametrize(
    ("block", "code"),
    [
        pytest.param(b"\xff\xff\xff\xff\xff\xff", ErrorCode.COMPRESSION_ERROR, id="no such index"),
        pytest.param(b"\x40\x01", ErrorCode.COMPRESSION_ERROR, id="truncated"),
        pytest.param(Encoder().encode([(b"x", b"y" * 2000)]), ErrorCode.ENHANCE_YOUR_CALM, id="large"),
        pytest.param(
            Encoder().encode([(b"x", b"y" * 500)]) + b"\xbe" * 100, ErrorCode.ENHANCE_YOUR_CALM, id="bomb of indices"
        ),
    ],
)
def test_blocks_that_no_later_one_can_follow(block: bytes, code: ErrorCode) -> None:
    """Are faults of the connection, the second time, too."""
    for _ in range(2):
        with pytest.raises(ConnectionFault) as caught:
            HeaderDecoder(1000).decode(block)
        assert caught.value.code is code
