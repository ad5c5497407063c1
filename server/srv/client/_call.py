"""A call and its reply, whichever protocol carries them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")
HeaderItems: TypeAlias = tuple[tuple[str, str], ...]
"""Names, in lower case, and values."""


class Reply(NamedTuple):
    """What came back.

    Attributes:
        status: of HTTP; 200 where gRPC's is OK.
        headers: by name in lower case; over gRPC with those of the trailer.
        body: of gRPC a message, without its prefix.
    """

    status: int
    headers: Mapping[str, str]
    body: memoryview


@dataclass(slots=True)
class Call(Generic[T]):
    """What is sent, and how the reply is read. Nothing of it changes when it is sent again.

    Attributes:
        method: that of HTTP.
        target: path, query included.
        body: in pieces; over gRPC they are one message with its prefix.
        headers: those of this call beside its client's.
        read: what the caller gets for the reply; raises the error that it holds.
        repeatable: sending it twice is the same as once.
    """

    method: str
    target: str
    body: Sequence[bytes | memoryview]
    size: int
    headers: HeaderItems
    read: Callable[[Reply], T]
    repeatable: bool = True
