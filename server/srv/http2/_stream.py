"""The state of one stream."""

from __future__ import annotations


class Stream:
    """A stream that is open on one side at least (RFC 9113, section 5.1).

    Attributes:
        send_window: bytes that the peer takes; a change of its settings can make it negative.
        receive_window: bytes that the peer may still send.
        peer_ended: the peer has sent all.
        ended: we have sent all.
        answered: of a client's stream: the response has begun.
        expected: bytes of the body that the peer has claimed in its headers and not sent yet; ``None`` without a claim.
    """

    __slots__ = ("answered", "ended", "expected", "peer_ended", "receive_window", "send_window")

    def __init__(self, send_window: int, receive_window: int, expected: int | None, *, peer_ended: bool) -> None:
        self.send_window = send_window
        self.receive_window = receive_window
        self.expected = expected
        self.peer_ended = peer_ended
        self.ended = False
        self.answered = False
