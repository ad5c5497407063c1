"""Descriptors and overlay -> IR."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

from srv_codegen._ir import ClassRef, Enum, EnumValue, Field, File, MapEntry, Message, Method, Service, View
from srv_codegen._naming import class_names, field_name, module_name, value_name
from srv_codegen._overlay import MessageOverlay, Overlay, OverlayError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        FileDescriptorSet,
        ServiceDescriptorProto,
    )

MESSAGE_BASE: Final = ClassRef("srv_protocol._message", "Message")
CHOICE_BASE: Final = ClassRef("srv_protocol._parameters", "ParameterChoice")
ARRAYS_BASE: Final = ClassRef("srv_protocol._packed_arrays", "PackedArrays")

# The Python values of a parameter's oneof: type, lowest and highest value (0, 0 where there is no range).
CHOICES: Final = {
    "TYPE_BOOL": ("bool", 0, 1),
    "TYPE_INT64": ("int", -(1 << 63), (1 << 63) - 1),
    "TYPE_UINT32": ("int", 0, (1 << 32) - 1),
    "TYPE_UINT64": ("int", 0, (1 << 64) - 1),
    "TYPE_DOUBLE": ("float", 0, 0),
    "TYPE_STRING": ("str", 0, 0),
    "TYPE_BYTES": ("bytes", 0, 0),
}

# Field numbers of descriptor.proto, which make up the paths of source locations.
_FILE_MESSAGE, _FILE_ENUM, _FILE_SERVICE = 4, 5, 6
_MESSAGE_FIELD, _MESSAGE_NESTED, _MESSAGE_ENUM = 2, 3, 4
_ENUM_VALUE, _SERVICE_METHOD = 2, 2

Path = tuple[int, ...]


class UnsupportedProtoError(Exception):
    """A .proto file uses something that the generator does not know."""


def parse_files(descriptors: FileDescriptorSet, overlay: Overlay) -> tuple[File, ...]:
    """Return the files in the order of `descriptors`.

    Raises:
        UnsupportedProtoError: proto2, a group, or two types that would have one class name.
        OverlayError: an overlay entry that names nothing, or does not fit what it names.
    """
    classes: dict[str, ClassRef] = {}
    for file in descriptors.file:
        if file.syntax != "proto3":
            message = f"{file.name}: expected proto3, got {file.syntax or 'proto2'}"
            raise UnsupportedProtoError(message)
        prefix = _prefix(file)
        names = [name.removeprefix(prefix) for name in _type_names(prefix, file)]
        by_name = class_names(names)
        clashing = sorted(name for name in by_name if Counter(by_name.values())[by_name[name]] > 1)
        if clashing:
            message = f"{file.name}: {' and '.join(clashing)} would have the same class name"
            raise UnsupportedProtoError(message)
        for name, class_name in by_name.items():
            classes[prefix + name] = ClassRef(module_name(file.name), class_name)
    overlay.check(name.removeprefix(".") for name in classes)
    hot = _hot(descriptors, overlay)
    return tuple(_FileParser(file, classes, overlay, hot).parse() for file in descriptors.file)


def _hot(descriptors: FileDescriptorSet, overlay: Overlay) -> frozenset[str]:
    """Return the full names of the hot messages and of those that they contain, but for the entries of maps."""
    messages = {name: item for file in descriptors.file for name, item in _messages(_prefix(file), file.message_type)}
    found: set[str] = set()
    pending = [f".{name}" for name in overlay.hot]
    while pending:
        name = pending.pop()
        if name not in found and not messages[name].options.map_entry:
            found.add(name)
            pending += [field.type_name for field in messages[name].field if field.type_name in messages]
    return frozenset(found)


def _messages(prefix: str, scope: Iterable[DescriptorProto]) -> Iterator[tuple[str, DescriptorProto]]:
    for message in scope:
        yield prefix + message.name, message
        yield from _messages(f"{prefix}{message.name}.", message.nested_type)


def _prefix(file: FileDescriptorProto) -> str:
    return f".{file.package}." if file.package else "."


def _type_names(prefix: str, scope: FileDescriptorProto | DescriptorProto) -> Iterator[str]:
    nested = scope.message_type if isinstance(scope, FileDescriptorProto) else scope.nested_type
    for message in nested:
        if not message.options.map_entry:
            yield prefix + message.name
            yield from _type_names(f"{prefix}{message.name}.", message)
    for enum in scope.enum_type:
        yield prefix + enum.name


@dataclass(frozen=True, slots=True)
class _FileParser:
    file: FileDescriptorProto
    classes: Mapping[str, ClassRef]
    overlay: Overlay
    hot: frozenset[str]

    def parse(self) -> File:
        file = self.file
        bare = FileDescriptorProto.FromString(file.SerializeToString())
        bare.ClearField("source_code_info")
        prefix = _prefix(file)
        messages: list[Message] = []
        enums = [self._enum(prefix, item, (_FILE_ENUM, i)) for i, item in enumerate(file.enum_type)]
        for index, message in enumerate(file.message_type):
            self._message(prefix, message, (_FILE_MESSAGE, index), messages, enums)
        return File(
            path=file.name,
            package=file.package,
            module=module_name(file.name),
            messages=tuple(messages),
            enums=tuple(enums),
            services=tuple(self._service(item, (_FILE_SERVICE, i)) for i, item in enumerate(file.service)),
            descriptor=bare.SerializeToString(deterministic=True),
            dependencies=tuple(file.dependency),
        )

    def _doc(self, path: Path) -> str:
        for location in self.file.source_code_info.location:
            if tuple(location.path) == path:
                return " ".join(location.leading_comments.split())
        return ""

    def _enum(self, prefix: str, enum: EnumDescriptorProto, path: Path) -> Enum:
        values = [
            EnumValue(name=value_name(value.name), number=value.number, doc=self._doc((*path, _ENUM_VALUE, index)))
            for index, value in enumerate(enum.value)
        ]
        name = (prefix + enum.name).removeprefix(".")
        return Enum(proto_name=name, ref=self.classes[prefix + enum.name], doc=self._doc(path), values=tuple(values))

    def _message(
        self, prefix: str, message: DescriptorProto, path: Path, messages: list[Message], enums: list[Enum]
    ) -> None:
        """Append a message behind the types that are nested in it."""
        full_name = prefix + message.name
        inner = f"{full_name}."
        entries: dict[str, DescriptorProto] = {}
        enums += [self._enum(inner, item, (*path, _MESSAGE_ENUM, i)) for i, item in enumerate(message.enum_type)]
        for index, nested in enumerate(message.nested_type):
            if nested.options.map_entry:
                entries[inner + nested.name] = nested
            else:
                self._message(inner, nested, (*path, _MESSAGE_NESTED, index), messages, enums)
        name = full_name.removeprefix(".")
        extra = self.overlay.messages.get(name, MessageOverlay())
        fields = tuple(
            self._field(message, field, (*path, _MESSAGE_FIELD, index), entries, extra)
            for index, field in enumerate(message.field)
        )
        view = self.overlay.views.get(name)
        self._check(name, fields, extra, view)
        messages.append(
            Message(
                proto_name=name,
                ref=self.classes[full_name],
                doc=self._doc(path),
                fields=tuple(sorted(fields, key=lambda field: field.number)),
                base=extra.base or MESSAGE_BASE,
                lenient=extra.lenient,
                hot=full_name in self.hot,
                view=view,
            )
        )

    def _check(self, name: str, fields: tuple[Field, ...], extra: MessageOverlay, view: View | None) -> None:
        """Raise OverlayError where the overlay does not fit the fields of a message."""
        by_name = {field.name: field for field in fields}
        named = set(extra.views)
        if view is not None:
            named |= {*view.required, *view.omit, *filter(None, [view.data])}
        if not named <= by_name.keys():
            text = f"overlay: {name} has no field {min(named - by_name.keys())!r}"
            raise OverlayError(text)
        for field in map(by_name.__getitem__, sorted(extra.views)):
            if field.kind != "TYPE_BYTES" or not field.repeated:
                text = f"overlay: {name}.{field.name}: only repeated bytes can be views"
                raise OverlayError(text)
        if extra.base == CHOICE_BASE:
            for field in fields:
                if field.kind not in CHOICES or field.group is None:
                    text = f"overlay: {name}.{field.name}: a ParameterChoice is one oneof of {', '.join(CHOICES)}"
                    raise OverlayError(text)

    def _field(
        self,
        message: DescriptorProto,
        field: FieldDescriptorProto,
        path: Path,
        entries: Mapping[str, DescriptorProto],
        extra: MessageOverlay,
    ) -> Field:
        name = field_name(field.name)
        entry = entries.get(field.type_name)
        in_oneof = field.HasField("oneof_index") and not field.proto3_optional
        return Field(
            name=name,
            number=field.number,
            kind="TYPE_MAP" if entry is not None else _kind(field),
            doc=self._doc(path),
            target=None if entry is not None else self.classes.get(field.type_name),
            map=None if entry is None else self._map(entry.field),
            group=message.oneof_decl[field.oneof_index].name if in_oneof else None,
            optional=field.proto3_optional,
            repeated=entry is None and field.label == FieldDescriptorProto.LABEL_REPEATED,
            view=name in extra.views,
        )

    def _map(self, fields: Sequence[FieldDescriptorProto]) -> MapEntry:
        key, value = fields
        target = self.classes.get(value.type_name)
        base = self.overlay.messages.get(value.type_name.removeprefix("."), MessageOverlay()).base
        return MapEntry(
            key=_kind(key), value=_kind(value), target=target, wrapper=target if base == CHOICE_BASE else None
        )

    def _service(self, service: ServiceDescriptorProto, path: Path) -> Service:
        full_name = (_prefix(self.file) + service.name).removeprefix(".")
        methods = [
            Method(
                name=method.name,
                path=f"/{full_name}/{method.name}",
                doc=self._doc((*path, _SERVICE_METHOD, index)),
                request=self.classes[method.input_type],
                reply=self.classes[method.output_type],
                cardinality=_CARDINALITY[method.client_streaming, method.server_streaming],
            )
            for index, method in enumerate(service.method)
        ]
        return Service(name=service.name, proto_name=full_name, doc=self._doc(path), methods=tuple(methods))


_CARDINALITY: Final = {
    (False, False): "UNARY_UNARY",
    (False, True): "UNARY_STREAM",
    (True, False): "STREAM_UNARY",
    (True, True): "STREAM_STREAM",
}


def _kind(field: FieldDescriptorProto) -> str:
    kind = FieldDescriptorProto.Type.Name(field.type)
    if kind == "TYPE_GROUP":
        message = f"field {field.name}: groups are not supported"
        raise UnsupportedProtoError(message)
    return kind
