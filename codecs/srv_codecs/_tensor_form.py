"""What is known of a tensor before it is there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorForm:
    """Datatypes and shape, as far as a codec or a hint says them.

    Attributes:
        datatypes: those that it may have; ``None`` for any.
        shape: with -1 for a dimension of any size; ``None`` for any.
    """

    datatypes: frozenset[str] | None = None
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class ImpliedTensor:
    """What a signature says of an input or output that no metadata describes.

    Attributes:
        datatypes: those that it may have; ``None`` when nothing but a request or a result can tell.
        shape: with -1 for a dimension of any size; one of these where nothing is known.
        content_type: that of its codec, if the codec has one.
        optional: whether a request may leave it out.
    """

    name: str
    datatypes: frozenset[str] | None
    shape: tuple[int, ...] = (-1,)
    content_type: str | None = None
    optional: bool = False

    @property
    def datatype(self) -> str | None:
        """The one datatype that it may have; ``None`` when there are several."""
        return next(iter(self.datatypes)) if self.datatypes is not None and len(self.datatypes) == 1 else None
