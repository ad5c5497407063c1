"""Who comes next, and with whom."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from srv.batching._line import Line
from srv.batching._member import Member
from srv.runtimes._calls import Ticket
from srv.types import InferenceRequest

MAX_ROWS = 4
KEYS = st.sampled_from([None, ("a",), ("b",)])
STEPS = st.one_of(
    st.tuples(st.just("push"), KEYS, st.integers(0, 3), st.integers(1, 3)),
    st.tuples(st.just("leave"), st.integers(0, 9)),
    st.tuples(st.just("take")),
    st.tuples(st.just("take of"), KEYS),
    st.tuples(st.just("again"), st.integers(0, 9)),
)


def member(priority: int = 0, rows: int = 1) -> Member:
    outcome: Any = None
    return Member(InferenceRequest(), Ticket(priority), rows, outcome)


@given(st.lists(STEPS, max_size=60))
def test_the_line_is_the_simplest_that_could_be(steps: list[Any]) -> None:
    """Against a list, sorted by priority and then by arrival."""
    line = Line(MAX_ROWS)
    waiting: list[tuple[tuple[int, int], Member, Any]] = []
    gone: list[Member] = []

    def expect(first: int) -> list[Member]:
        key = waiting[first][2]
        alike = [waiting[first]] if key is None else [each for each in waiting[first:] if each[2] == key]
        taken: list[tuple[tuple[int, int], Member, Any]] = []
        rows = 0
        for each in alike:
            if taken and rows + each[1].rows > MAX_ROWS:
                break
            rows += each[1].rows
            taken.append(each)
        waiting[:] = [each for each in waiting if each not in taken]
        gone.extend(each[1] for each in taken)
        return [each[1] for each in taken]

    for each_step in steps:
        step: str = each_step[0]
        arguments: Any = each_step[1:]
        if step == "push":
            key, priority, rows = arguments
            pushed = member(priority, rows)
            line.push(pushed, key)
            waiting.append(((priority, pushed.number), pushed, key))
        elif step == "leave" and waiting:
            _, left, _ = waiting.pop(arguments[0] % len(waiting))
            line.remove(left)
        elif step == "take":
            assert line.take() == (expect(0) if waiting else [])
        elif step == "take of" and arguments[0] is not None:
            first = next((index for index, each in enumerate(waiting) if each[2] == arguments[0]), None)
            if first is not None:
                group = waiting[first][1].group
                assert group is not None
                assert group.rows == sum(each[1].rows for each in waiting if each[2] == arguments[0])
                assert line.take_of(group) == expect(first)
        elif step == "again" and gone:
            # As the requests of a batch that has failed.
            back = gone.pop(arguments[0] % len(gone))
            line.push(back, None)
            waiting.append(((back.ticket.priority, back.number), back, None))
        waiting.sort(key=lambda each: each[0])
        assert len(line) == len(waiting)
        assert all(each[1].waiting for each in waiting)


def test_who_left_does_not_stay_in_memory() -> None:
    """However long the one at the head of the line waits."""
    line = Line(MAX_ROWS)
    first, last = member(0), member(9)
    line.push(first, ("a",))
    line.push(last, None)
    for key in (("a",), None):
        for _ in range(1000):
            each = member(5)
            line.push(each, key)
            line.remove(each)

    entries: Any = line._entries
    assert first.group is not None
    assert len(entries) < 200
    assert len(first.group.entries) < 200
    assert [line.take(), line.take(), line.take()] == [[first], [last], []]
