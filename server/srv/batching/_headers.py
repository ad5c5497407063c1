"""The headers that a batch of requests has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from srv_protocol.errors import InferenceError
from srv_protocol.inference import Headers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


class SharedHeaders(Headers):
    """The headers that all requests of a batch have in common.

    To look up one in which they differ is an error, so that no request is answered by another one's header: the
    requests are then answered one by one.

    Attributes:
        differing: their names, in lower case.

    Raises:
        InferenceError: by whatever looks up such a header.
    """

    __slots__ = ("differing",)

    def __init__(self, shared: Mapping[str, str], differing: Collection[str]) -> None:
        super().__init__(shared)
        self.differing = frozenset(differing)

    def __bool__(self) -> bool:
        """Whether the requests have any."""
        return True

    def _check(self, name: object) -> None:
        if isinstance(name, str) and name.lower() in self.differing:
            raise InferenceError(f"parameters.headers: the requests of this batch differ in '{name}'")

    def __getitem__(self, name: str) -> str:
        self._check(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self._check(name)
        return super().__contains__(name)

    def get(self, name: str, default: str | None = None, /) -> str | None:  # type: ignore[override]  # as in Headers
        """Return the value of a header, or `default`."""
        self._check(name)
        return super().get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        """Remove a header and return its value, as :meth:`dict.pop` does."""
        self._check(name)
        return super().pop(name, *default)


def share_headers(headers: Sequence[Headers | None]) -> Headers | None:
    """Return what a batch's requests have for headers, ``None`` if none of them has any."""
    if all(each == headers[0] for each in headers):
        return headers[0]
    given = [Headers() if each is None else each for each in headers]
    shared = dict(set(given[0].items()).intersection(*(each.items() for each in given[1:])))
    return SharedHeaders(shared, {name for each in given for name in each} - shared.keys())
