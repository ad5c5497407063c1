"""What the renderers read: the .proto files as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClassRef:
    """A Python class by module and name; the module of a generated class is relative to the output package."""

    module: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapEntry:
    """Key and value of a map field; `wrapper` is the message class when Python sees the bare value."""

    key: str
    value: str
    target: ClassRef | None
    wrapper: ClassRef | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a message.

    Attributes:
        kind: betterproto2's name of the protobuf type, ``TYPE_INT64`` for one.
        target: the class of a message or enum field.
        group: the oneof that it belongs to.
        view: a bytes field that gives views of the parsed buffer.
    """

    name: str
    number: int
    kind: str
    doc: str
    target: ClassRef | None = None
    map: MapEntry | None = None
    group: str | None = None
    optional: bool = False
    repeated: bool = False
    view: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How V2 JSON shows a message."""

    reads: bool
    writes: bool
    required: tuple[str, ...]
    omit: frozenset[str]
    data: str | None
    wildcard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message; nested ones stand beside their parents. One that is hot has a codec of its own."""

    proto_name: str
    ref: ClassRef
    doc: str
    fields: tuple[Field, ...]
    base: ClassRef
    lenient: bool
    hot: bool
    view: View | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnumValue:
    """A member of an enum."""

    name: str
    number: int
    doc: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum:
    """An enum; open, as proto3's are."""

    proto_name: str
    ref: ClassRef
    doc: str
    values: tuple[EnumValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """An RPC; `path` is its HTTP/2 ``:path``."""

    name: str
    path: str
    doc: str
    request: ClassRef
    reply: ClassRef
    cardinality: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service."""

    name: str
    proto_name: str
    doc: str
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One .proto file; `module` is the name of its module in the output package."""

    path: str
    package: str
    module: str
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]
    services: tuple[Service, ...]
    descriptor: bytes
    dependencies: tuple[str, ...]
