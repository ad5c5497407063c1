"""Who waits for a model, and who of them may be answered together."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import asyncio

    from srv.batching._member import Member
    from srv.batching._merging import Key

    _Entry: TypeAlias = tuple[int, int, Member]


class Group:
    """Those in the line who may be answered together.

    Attributes:
        rows: of all of them.
        timer: ends their wait; ``None`` if only their turn does.
    """

    __slots__ = ("count", "entries", "key", "rows", "timer")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.entries: list[_Entry] = []
        self.count = 0
        self.rows = 0
        self.timer: asyncio.TimerHandle | None = None


class Line:
    """The lowest priority number comes first, of equal ones who came first, and with it those of the same key.

    Args:
        max_rows: of those who are taken together.
    """

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._entries: list[_Entry] = []
        self._groups: dict[Key, Group] = {}
        self._number = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def push(self, member: Member, key: Key | None) -> None:
        """Let a request wait, to be taken with others of the same `key`; one that comes again has its old place."""
        if not member.number:
            self._number += 1
            member.number = self._number
        entry = (member.ticket.priority, member.number, member)
        heapq.heappush(self._entries, entry)
        self._count += 1
        member.waiting = True
        if key is None:
            member.group = None
            return
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key)
        heapq.heappush(group.entries, entry)
        group.count += 1
        group.rows += member.rows
        member.group = group

    def remove(self, member: Member) -> None:
        """Let a request wait no more."""
        member.waiting = False
        self._count -= 1
        # Who left stays in the heaps until it would come next, or until most of those in there have left: it holds a
        # request, and so nobody stays once nobody waits.
        if len(self._entries) > 2 * self._count:
            self._entries = _tidy(self._entries)
        group = member.group
        if group is None:
            return
        group.count -= 1
        group.rows -= member.rows
        if not group.count:
            del self._groups[group.key]
            if group.timer is not None:
                group.timer.cancel()
        elif len(group.entries) > 2 * group.count:
            group.entries = _tidy(group.entries)

    def take(self) -> list[Member]:
        """Take who comes next, and who may be answered with it; nobody if nobody waits."""
        while self._count:
            _, _, member = heapq.heappop(self._entries)
            if not member.waiting:
                continue
            if member.group is not None:
                return self.take_of(member.group)
            self.remove(member)
            return [member]
        return []

    def take_of(self, group: Group) -> list[Member]:
        """Take those of a group who come first, as many as may be answered together, at least one."""
        taken: list[Member] = []
        rows = 0
        while group.entries:
            _, _, member = group.entries[0]
            if member.waiting and taken and rows + member.rows > self._max_rows:
                break
            heapq.heappop(group.entries)
            if member.waiting:
                self.remove(member)
                taken.append(member)
                rows += member.rows
        return taken


def _tidy(entries: list[_Entry]) -> list[_Entry]:
    kept = [each for each in entries if each[2].waiting]
    heapq.heapify(kept)
    return kept
