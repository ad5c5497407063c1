"""Where codecs are found: by content type, by the type of a value, or by type hint.

Codecs that a model's own code registers are that model's: two models may each have their own for a content type.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from srv_codecs._base64 import Base64Codec
from srv_codecs._codec import InputCodec, RequestCodec
from srv_codecs._datetime import DatetimeCodec
from srv_codecs._entry_points import find_entry_points, offers, show_entry_point
from srv_codecs._json_cells import JsonCellsCodec
from srv_codecs._numpy import NumpyCodec, NumpyRequestCodec
from srv_codecs._string import StringCodec, StringRequestCodec
from srv_protocol.errors import CodecError, CodecNotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from importlib.metadata import EntryPoint
    from typing import TypeAlias

# Any: a registry holds codecs of every Python type.
AnyInputCodec: TypeAlias = "type[InputCodec[Any]]"
AnyRequestCodec: TypeAlias = "type[RequestCodec[Any]]"
AnyCodec: TypeAlias = "AnyInputCodec | AnyRequestCodec"

C = TypeVar("C", bound=AnyCodec)
I = TypeVar("I", bound=AnyInputCodec)  # noqa: E741  # I as in input
R = TypeVar("R", bound=AnyRequestCodec)

_LEVELS: Final = {"input": "single tensors", "request": "whole requests"}
"""Which tensors the codecs of a registry are for."""

_logger: Final = logging.getLogger("srv")
codec_package: Final[ContextVar[str]] = ContextVar("codec_package", default="")
"""The package of the model whose code runs in this context, ``""`` outside of any; see :class:`codec_scope`."""


class codec_scope:  # noqa: N801  # read as the function that it would be, were every request not to enter one
    """Mark what runs inside as the code of the model whose modules are below `package`, ``""`` for no model's.

    What these modules register is found inside alone, until :func:`release_codecs`.
    """

    __slots__ = ("_package", "_token")

    def __init__(self, package: str) -> None:
        self._package = package

    def __enter__(self) -> None:
        """Begin."""
        self._token = codec_package.set(self._package)

    def __exit__(self, *_: object) -> None:
        """End."""
        codec_package.reset(self._token)


@dataclass(frozen=True, slots=True)
class LazyCodec:
    """A codec whose module is imported when it is first needed.

    Attributes:
        package: what the codec's values belong to: no value and no hint is the codec's before this is imported.
    """

    content_type: str
    package: str
    module: str
    name: str


class CodecRegistry(Generic[C]):
    """Codecs of one kind, in the order in which they were registered, those of the running model last.

    Args:
        noun: what the codecs are, in errors.
        base: what each of them is a subclass of.
        codecs: those that are there from the beginning.
        lazy: those that come behind them, as soon as they are needed.
        group: the entry points of installed packages, whose codecs come last. They are read when a content type, a
            value or a hint is none of the others'.
        counterpart: the registry of the other kind, for errors.
    """

    def __init__(
        self,
        noun: str,
        base: type[object],
        codecs: Iterable[C] = (),
        lazy: Iterable[LazyCodec] = (),
        *,
        group: str = "",
        counterpart: CodecRegistry[Any] | None = None,
    ) -> None:
        self._noun = noun
        self._base = base
        self._codecs: dict[str, C] = {codec.ContentType: codec for codec in codecs}
        self._of_models: dict[str, dict[str, C]] = {}
        self._declared: dict[str, frozenset[str]] = {}
        self._lazy = {codec.content_type: codec for codec in lazy}
        self._group = group
        # Why, by content type: what cannot be imported is not tried again.
        self._failed: dict[str, str] = {}
        self._counterpart = counterpart
        if counterpart is not None:
            counterpart._counterpart = self  # noqa: SLF001  # another of this class

    def register(self, codec: C) -> C:
        """Add a codec and return it; a class of the same name from the same module is replaced.

        Under :func:`codec_scope` the model's own code adds to the codecs of that model alone.

        Raises:
            CodecError: it is none, has no content type, or that of another codec.
        """
        self._check_class(codec, "register")
        content_type = codec.ContentType
        if not content_type:
            raise CodecError(f"{codec.__qualname__}.ContentType: expected the name of a content type, got none")
        if not isinstance(cast("object", content_type), str):
            raise CodecError(
                f"{codec.__qualname__}.ContentType: expected the name of a content type, got {content_type!r}"
            )
        package = codec_package.get()
        own = self._codecs
        if package and codec.__module__.startswith(f"{package}."):
            own = self._of_models.setdefault(package, {})
        other = self._find_loaded(content_type)
        if not _is_same(other, codec):
            taken = self._taken(content_type, codec) if other is None else other.__qualname__
            if taken:
                raise CodecError(
                    f"{codec.__qualname__}.ContentType: the {self._noun} codec for '{content_type}' is already {taken}"
                )
        own[content_type] = codec
        return codec

    def declare(self, package: str, content_types: Iterable[str]) -> None:
        """Take note of the content types that a model has codecs for in another process; :meth:`check` knows them."""
        self._declared[package] = frozenset(content_types)

    def release(self, package: str) -> None:
        """Forget the codecs of a model."""
        self._of_models.pop(package, None)
        self._declared.pop(package, None)

    def find(self, content_type: str, where: str = "") -> C:
        """Return the codec for a content type.

        Args:
            content_type: what requests and metadata call it.
            where: what asks for it, for the error.

        Raises:
            CodecNotFound: there is none, the package that it needs is not installed, or its entry point is broken.
        """
        found = self._find_loaded(content_type)
        if found is not None:
            return found
        self.check(content_type, where)
        lazy = self._lazy.get(content_type)
        if lazy is None:
            return self._load_offered(content_type, where)
        try:
            return self._load(lazy)
        except ModuleNotFoundError as error:
            raise CodecNotFound(
                f"{_prefix(where)}the {self._noun} codec for content type '{content_type}' needs {error.name}, "
                "which is not installed"
            ) from None

    def check(self, content_type: str, where: str = "") -> None:
        """Fail unless there is a codec for a content type; imports none.

        Raises:
            CodecNotFound: there is none.
        """
        if self._knows(content_type):
            return
        other = self._counterpart
        hint = ""
        if other is not None and other._knows(content_type):  # noqa: SLF001  # another of this class
            hint = f", which is one of {_LEVELS[other._noun]}"  # noqa: SLF001  # as before
        raise CodecNotFound(
            f"{_prefix(where)}no {self._noun} codec for content type '{content_type}'{hint}; "
            f"there are {', '.join(map(repr, self.content_types))}"
        )

    def find_for(self, payload: object) -> C | None:
        """Return the first codec that can encode `payload`, or ``None``.

        What packages offer is imported for a value that no codec of either kind encodes.
        """
        found = self._search(payload)
        other = self._counterpart
        if found is None and (other is None or other._search(payload) is None) and self.load_offered():  # noqa: SLF001  # another of this class
            found = self._search(payload)
        return found

    def load_offered(self) -> bool:
        """Import what packages offer, for who looks for a type; return whether there is more than before.

        What cannot be imported is logged, and left out.
        """
        count = len(self._codecs)
        for content_type in self._offered:
            if content_type not in self._failed and not self._built_in(content_type):
                with contextlib.suppress(CodecNotFound):
                    self._load_offered(content_type, "")
        return len(self._codecs) > count

    @property
    def content_types(self) -> tuple[str, ...]:
        """The content types of all codecs, sorted; imports none."""
        return tuple(sorted({*self._codecs, *self._lazy, *self._own, *self._offered}))

    def __iter__(self) -> Iterator[C]:
        """Iterate over all codecs that can matter: lazy ones only once their package is imported."""
        for lazy in self._lazy.values():
            if lazy.content_type not in self._codecs and sys.modules.get(lazy.package) is not None:
                self._load(lazy)
        return iter((*self._codecs.values(), *self._own.values()))

    @property
    def _own(self) -> dict[str, C]:
        """The codecs of the model whose code runs."""
        return self._of_models.get(codec_package.get(), {})

    @cached_property
    def _offered(self) -> dict[str, tuple[EntryPoint, ...]]:
        """What packages offer, by content type; of a content type that is taken, it is only said that it is."""
        found = find_entry_points(self._group) if self._group else {}
        for content_type in sorted(found):
            entries, built_in = found[content_type], self._built_in(content_type)
            if built_in or len(entries) > 1:
                names = [*filter(None, [built_in]), *map(show_entry_point, entries)]
                kept = f"it stays {built_in}" if built_in else "none of them is used"
                _logger.warning(
                    "the %s codec for '%s' is offered more than once, by %s: %s",
                    self._noun,
                    content_type,
                    " and ".join(names),
                    kept,
                )
        return found

    def _built_in(self, content_type: str) -> str:
        """Return the name of the codec that has a content type without any entry point, ``""`` for none."""
        if content_type in self._lazy:
            return self._lazy[content_type].name
        codec = self._codecs.get(content_type)
        return codec.__qualname__ if codec is not None else ""

    def _taken(self, content_type: str, codec: C) -> str:
        """Return what has the content type of a new codec already, ``""`` for nothing."""
        if content_type in self._lazy:
            return self._lazy[content_type].name
        # An entry point may point to a class that registers itself, too.
        others = [entry for entry in self._offered.get(content_type, ()) if not offers(entry, codec)]
        return show_entry_point(others[0]) if others else ""

    def _find_loaded(self, content_type: str) -> C | None:
        return self._own.get(content_type) or self._codecs.get(content_type)

    def _knows(self, content_type: str) -> bool:
        return (
            self._find_loaded(content_type) is not None
            or content_type in self._lazy
            or content_type in self._declared.get(codec_package.get(), ())
            or content_type in self._offered
        )

    def _search(self, payload: object) -> C | None:
        return next((codec for codec in self if codec.can_encode(payload)), None)

    def _load(self, lazy: LazyCodec) -> C:
        # Threads may get here at once; all of them store the same codec.
        codec: C = getattr(importlib.import_module(lazy.module), lazy.name)
        self._codecs[lazy.content_type] = codec
        return codec

    def _load_offered(self, content_type: str, where: str) -> C:
        """Import what a package offers.

        Raises:
            CodecNotFound: two packages offer it, or it cannot be imported, which is logged.
        """
        if content_type not in self._failed:
            try:
                codec = self._import(content_type, self._offered[content_type])
            except CodecNotFound as error:
                self._failed[content_type] = error.message
            else:
                self._codecs[content_type] = codec
                return codec
        raise CodecNotFound(f"{_prefix(where)}{self._failed[content_type]}")

    def _import(self, content_type: str, entries: Sequence[EntryPoint]) -> C:
        names = " and by ".join(map(show_entry_point, entries))
        text = f"the {self._noun} codec for content type '{content_type}'"
        if len(entries) > 1:
            raise CodecNotFound(f"{text} is offered by {names}")
        try:
            codec: C = entries[0].load()
            self._check_class(codec, entries[0].value)
            if codec.ContentType != content_type:
                raise CodecError(f"{names}: ContentType: expected '{content_type}', got '{codec.ContentType}'")  # noqa: TRY301  # told like any other
        except Exception as error:
            _logger.warning("%s, %s, cannot be loaded", text, names, exc_info=error)
            # The text of any other error may hold what is nobody's business.
            told = isinstance(error, CodecError | ModuleNotFoundError)
            why = f": {error}" if told else f" ({type(error).__name__})"
            raise CodecNotFound(f"{text}, {names}, cannot be loaded{why}") from error
        return codec

    def _check_class(self, codec: object, where: str) -> None:
        if not (isinstance(codec, type) and issubclass(codec, self._base)):
            raise CodecError(f"{where}: expected a subclass of {self._base.__name__}, got {codec!r:.80}")


def _prefix(where: str) -> str:
    return f"{where}: " if where else ""


def _is_same(other: AnyCodec | None, codec: AnyCodec) -> bool:
    """Whether two classes are one to the reader of the code, as after a reload of its module."""
    return other is not None and (other.__module__, other.__qualname__) == (codec.__module__, codec.__qualname__)


input_codecs: Final[CodecRegistry[AnyInputCodec]] = CodecRegistry(
    "input",
    InputCodec,
    (NumpyCodec, StringCodec, Base64Codec, DatetimeCodec, JsonCellsCodec),
    (LazyCodec("arrow", "pyarrow", "srv_codecs._arrow", "ArrowCodec"),),
    group="srv.input_codecs",
)
"""The codecs of single tensors."""

request_codecs: Final[CodecRegistry[AnyRequestCodec]] = CodecRegistry(
    "request",
    RequestCodec,
    (NumpyRequestCodec, StringRequestCodec),
    (
        LazyCodec("pd", "pandas", "srv_codecs._pandas", "PandasCodec"),
        LazyCodec("arrow", "pyarrow", "srv_codecs._arrow", "ArrowBatchCodec"),
        LazyCodec("arrow-table", "pyarrow", "srv_codecs._arrow", "ArrowTableCodec"),
    ),
    group="srv.request_codecs",
    counterpart=input_codecs,
)
"""The codecs of whole requests."""


def load_offered_codecs() -> bool:
    """Import the codecs that packages offer, for who looks for a type; return whether there are more than before."""
    return any([input_codecs.load_offered(), request_codecs.load_offered()])


def release_codecs(package: str) -> None:
    """Forget what the modules below `package`, which is that of an unloaded model, have registered."""
    input_codecs.release(package)
    request_codecs.release(package)


def register_input_codec(codec: I) -> I:
    """Register an input codec under its content type; a class decorator.

    Raises:
        CodecError: it has no content type, or that of another codec.
    """
    input_codecs.register(codec)
    return codec


def register_request_codec(codec: R) -> R:
    """Register a request codec under its content type; a class decorator.

    Raises:
        CodecError: it has no content type, or that of another codec.
    """
    request_codecs.register(codec)
    return codec
