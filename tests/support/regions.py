"""Regions of shared memory without the shared memory, for tests of codecs."""

from __future__ import annotations

from dataclasses import dataclass

from srv_protocol.errors import InvalidInput, NotFound


@dataclass
class Part:
    """A part of a buffer."""

    buffer: bytearray
    start: int
    size: int

    def view(self) -> memoryview:
        """Return a read-only view."""
        return memoryview(self.buffer).toreadonly()[self.start : self.start + self.size]

    def write(self, data: memoryview) -> None:
        """Copy `data` to the start."""
        assert len(data) <= self.size
        self.buffer[self.start : self.start + len(data)] = data


class Buffers(dict[str, bytearray]):
    """Regions, each a buffer of this process."""

    def find(self, region: str, offset: int, byte_size: int) -> Part:
        """Return a part of a buffer."""
        if region not in self:
            raise NotFound(f"no region {region}")
        if offset + byte_size > len(self[region]):
            raise InvalidInput(f"beyond {region}")
        return Part(self[region], offset, byte_size)
