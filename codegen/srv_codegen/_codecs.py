"""IR -> straight-line decoders and encoders of the hot messages, and of all that they contain.

What a decoder has no line for it leaves to the general path, field by field; what an encoder or the reader of a map
entry has none for, as a whole. So only what clients send needs a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_codegen._module import Module
from srv_codegen._parse import ARRAYS_BASE, CHOICES, UnsupportedProtoError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srv_codegen._ir import ClassRef, Field, File, Message

_SUPPORT: Final = "srv_protocol._codec_support"
# Those of a tag.
_VARINT, _FIXED64, _LENGTH = 0, 1, 2
_MAX_SHORT_TAG: Final = 0x7F
_VARINTS: Final = frozenset({"TYPE_BOOL", "TYPE_INT32", "TYPE_INT64", "TYPE_UINT32", "TYPE_UINT64"})
_FIXED: Final = frozenset({"TYPE_FLOAT", "TYPE_DOUBLE"})


def render_codecs(file: File, tools: str) -> Module | None:
    """Return the module with the codecs of a file's hot messages, or ``None`` when it has none.

    Raises:
        UnsupportedProtoError: a hot message has a field of a kind that there are no lines for.
    """
    hot = [message for message in file.messages if message.hot]
    if not hot:
        return None
    by_ref = {message.ref: message for message in file.messages}
    module = Module(f"{file.module}_codec", f"{file.path} and overlay.toml", tools)
    module.document(f"Codecs of the hot messages of {file.path}.")
    wrappers = {field.map.wrapper for message in hot for field in message.fields if field.map and field.map.wrapper}
    for ref in sorted(wrappers, key=lambda ref: ref.name):
        _entry_reader(module, by_ref[ref])
        _entry_writer(module, by_ref[ref])
    for message in hot:
        _Codec(module, message, by_ref).render()
    module.add("", "")
    for message in hot:
        name = module.use_class(message.ref)
        if message.base == ARRAYS_BASE:
            declare = module.use(ARRAYS_BASE.module, "declare_repeated")
            module.add(f"{declare}({name}, {[field.name for field in message.fields]!r})")
        module.add(f"{module.use(_SUPPORT, 'install')}({name}, {_name('decode', message)}, {_name('encode', message)})")
    return module


def _name(verb: str, message: Message) -> str:
    return f"_{verb}_{message.ref.name}"


def _tag(field: Field, wire: int) -> int:
    return field.number << 3 | wire


def _read_length(indent: str, module: Module) -> list[str]:
    """Lines that set `start` and `pos` to the ends of the length-delimited value whose tag is at `pos`."""
    read_length = module.use(_SUPPORT, "read_length")
    lines = [
        "start = pos + 2",
        "pos = start + data[start - 1]",
        "if pos > end or pos > start + 127:",
        f"    start, pos = {read_length}(view, start - 1, end)",
    ]
    return [indent + line for line in lines]


def _write_head(module: Module, field: Field, size: str) -> str:
    """An expression for the tag and the length of a value."""
    head = _tag(field, _LENGTH)
    if head > _MAX_SHORT_TAG:
        message = f"hot field {field.name}: expected a number below 16, got {field.number}"
        raise UnsupportedProtoError(message)
    heads, varint = module.use(_SUPPORT, "HEADS"), module.use(_SUPPORT, "write_varint")
    return f"{heads}[{head}][{size}] if {size} < 128 else {bytes((head,))!r} + {varint}({size})"


class _Codec:
    """The two functions of one message."""

    def __init__(self, module: Module, message: Message, by_ref: Mapping[ClassRef, Message]) -> None:
        self.module = module
        self.message = message
        self.by_ref = by_ref
        self.arrays = message.base == ARRAYS_BASE

    def render(self) -> None:
        self._decoder()
        self._encoder()

    def _use(self, name: str) -> str:
        return self.module.use(_SUPPORT, name)

    def _any(self) -> str:
        return self.module.use("typing", "Any", typing_only=True)

    # ---- bytes -> message

    def _decoder(self) -> None:
        add, fields = self.module.add, self.message.fields
        buffer = f"bytes | memoryview, view: memoryview, pos: int, end: int, depth: int) -> {self._any()}"
        add("", "", f"def {_name('decode', self.message)}(cls: {self._any()}, data: {buffer}:")
        add(f"    message: {self._any()} = object.__new__(cls)")
        add(*(f"    {field.name}: list[{self._any()}] = []" for field in fields if self._is_list(field)))
        if self.arrays:
            add(f"    arrays: dict[str, {self._any()}] = {{}}")
        add(
            *(
                f"    {field.name} = {self.module.use('srv_protocol._parameters', 'new_parameters')}()"
                for field in fields
                if field.map
            )
        )
        defaults = [f"{field.name!r}: {default}" for field in fields if (default := self._default(field))]
        if self.arrays:
            defaults.append('"_arrays": arrays')
        defaults.append('"_unknown_fields": b""')
        add(f"    values: dict[str, {self._any()}] = {{{', '.join(defaults)}}}", "    message.__dict__ = values")
        add(
            "    unknown: list[memoryview] = []",
            "    while pos < end:",
            "        first = pos",
            "        tag = data[pos]",
        )
        for field in fields:
            self._read(field)
        add("        if pos == first:")
        add(f"            pos = {self._use('read_field')}(message, view, pos, end, depth, unknown)")
        add("    if unknown:", '        values["_unknown_fields"] = b"".join(unknown)', "    return message")

    def _is_list(self, field: Field) -> bool:
        return field.repeated and not (self.arrays and field.kind in _VARINTS | _FIXED)

    def _default(self, field: Field) -> str:
        if field.map is not None or self._is_list(field):
            return field.name
        if field.repeated:
            return ""
        return '""' if field.kind == "TYPE_STRING" else "None"

    def _read(self, field: Field) -> None:
        add = self.module.add
        tag = _tag(field, _LENGTH)
        again = "while" if field.repeated or field.map else "if"
        add(f"        {again} tag == {tag}:")
        if field.map is not None:
            add("            begin = pos")
        add(*_read_length("            ", self.module))
        add(*(f"            {line}" for line in self._value(field)))
        add("            tag = data[pos] if pos < end else 0")

    def _value(self, field: Field) -> Sequence[str]:
        name, kind = field.name, field.kind
        if field.map is not None and field.map.wrapper is not None and field.map.key == "TYPE_STRING":
            reader = f"_read_{field.map.wrapper.name}"
            return [
                f"if not {reader}({name}, data, start, pos):",
                f"    pos = {self._use('read_field')}(message, view, begin, end, depth, unknown)",
            ]
        if kind == "TYPE_STRING" and not field.repeated and not field.optional and field.group is None:
            return [f'values[{name!r}] = str(data[start:pos], "utf-8")']
        if kind == "TYPE_BYTES" and field.repeated:
            return [f"{name}.append(view[start:pos])" if field.view else f"{name}.append(bytes(data[start:pos]))"]
        if kind == "TYPE_MESSAGE" and field.target is not None and field.group is None:
            target = self.module.use_class(field.target)
            decode = f"_decode_{field.target.name}({target}, data, view, start, pos, depth + 1)"
            if field.repeated:
                return [f"{name}.append({decode})"]
            return [
                f"if values[{name!r}] is None:",
                f"    values[{name!r}] = {decode}",
                "else:",
                f"    {self._use('merge')}(values[{name!r}], view, start, pos, depth + 1)",
            ]
        if kind in _VARINTS and field.repeated and not self.arrays:
            return [
                f"{name}.extend({self._use('read_list')}(data, start, pos, {kind.removeprefix('TYPE_').lower()!r}))"
            ]
        if kind in _VARINTS | _FIXED and field.repeated:
            scalar = kind.removeprefix("TYPE_").lower()
            return [
                f"if {name!r} in arrays or {name!r} in values:",
                f"    {self._use('read_more')}(message, {name!r}, view, start, pos, {scalar!r})",
                "else:",
                f"    arrays[{name!r}] = {self._use('read_array')}(data, start, pos, {scalar!r})",
            ]
        message = f"hot field {self.message.proto_name}.{name}: there are no lines for {kind}"
        raise UnsupportedProtoError(message)

    # ---- message -> bytes

    def _encoder(self) -> None:
        add, fields = self.module.add, self.message.fields
        part = self.module.use("srv_protocol._encoding", "Part", typing_only=True)
        for field in fields:
            if field.repeated and field.kind in _VARINTS | _FIXED:
                packed, place = self._use("packed_encoder"), f"{self.message.ref.name}.{field.name}"
                kind = field.kind.removeprefix("TYPE_").lower()
                add("", f"_pack_{self.message.ref.name}_{field.name} = {packed}({place!r}, {field.number}, {kind!r})")
        add("", "", f"def {_name('encode', self.message)}(message: {self._any()}, parts: list[{part}]) -> int:")
        add("    message.check_encodable()", "    size = 0")
        if self.arrays:
            add("    filled = message.filled()")
        for field in fields:
            self._write(field)
        add("    unknown = message._unknown_fields", "    if unknown:", "        parts.append(bytes(unknown))")
        add("        size += len(unknown)", "    return size")

    def _write(self, field: Field) -> None:
        add, name, kind = self.module.add, field.name, field.kind
        if field.map is not None and field.map.wrapper is not None:
            head = _write_head(self.module, field, "count")
            add(f"    for key, item in message.{name}.items():")
            add(f"        data = _write_{field.map.wrapper.name}(key, item)", "        count = len(data)")
            add(f"        data = ({head}) + data", "        parts.append(data)", "        size += len(data)")
        elif kind == "TYPE_STRING":
            head = _write_head(self.module, field, "count")
            add(f"    data = message.{name}.encode()", "    if data:", "        count = len(data)")
            add(f"        data = ({head}) + data", "        parts.append(data)", "        size += len(data)")
        elif kind == "TYPE_MESSAGE" and field.target is not None:
            source = f"message.{name}"
            loop = f"    for item in {self._use('plain_list')}({source}):"
            add(*([loop] if field.repeated else [f"    item = {source}", "    if item is not None:"]))
            add(f"        if type(item) is not {self.module.use_class(field.target)}:")
            add(f"            raise {self._use('NotPlain')}")
            add("        index = len(parts)", '        parts.append(b"")')
            add(f"        count = _encode_{field.target.name}(item, parts)")
            add(f"        head = {_write_head(self.module, field, 'count')}")
            add("        parts[index] = head", "        size += len(head) + count")
        elif kind == "TYPE_BYTES":
            source = f"message.elements({name!r})" if self.arrays else f"message.{name}"
            add(f"    for item in {self._use('plain_list')}({source}):")
            add(f"        data = item if type(item) is bytes else {self._use('flat')}(memoryview(item))")
            add("        count = len(data)", f"        head = {_write_head(self.module, field, 'count')}")
            add("        parts += (head, data)", "        size += len(head) + count")
        else:
            pack = f"_pack_{self.message.ref.name}_{name}"
            if self.arrays:
                add(f"    if {name!r} in filled:", f"        size += {pack}(message.elements({name!r}), parts)")
            else:
                add(f"    size += {pack}(message.{name}, parts)")


# ---- maps of a oneof of scalars


def _entry_reader(module: Module, message: Message) -> None:
    """A function that reads a map entry of the usual form: key, then a value with one field; both are short."""
    add = module.add
    parameters = module.use("srv_protocol._parameters", "Parameters")
    add(
        "",
        "",
        f"def _read_{message.ref.name}(values: {parameters}, data: bytes | memoryview, pos: int, end: int) -> bool:",
    )
    add('    """Read an entry of the usual form into `values`; return whether it has that form."""')
    add("    key = pos + 2", "    middle = key + data[pos + 1]", "    inner = middle + 2")
    add("    if inner >= end or end > inner + 127 or middle > key + 127:", "        return False")
    add("    if data[pos] != 10 or data[middle] != 18 or data[middle + 1] != end - inner:", "        return False")
    add('    name = str(data[key:middle], "utf-8")', "    tag = data[inner]", "    pos = inner + 1")
    any_ = module.use("typing", "Any", typing_only=True)
    add(f"    value: {any_}")
    word = "if"
    for field in message.fields:
        lines = _READERS.get(field.kind)
        if lines is None:
            continue
        wire = _LENGTH if field.kind == "TYPE_STRING" else _FIXED64 if field.kind == "TYPE_DOUBLE" else _VARINT
        uses = {name: module.use(_SUPPORT, name) for name in ("read_varint", "read_double")}
        add(f"    {word} tag == {_tag(field, wire)}:")
        add(*(f"        {line.format(**uses)}" for line in lines))
        word = "elif"
    add("    else:", "        return False")
    add(f"    {module.use(_SUPPORT, 'set_item')}(values, name, value)", "    return True")


_READERS: Final[Mapping[str, Sequence[str]]] = {
    "TYPE_BOOL": (
        "value, pos = {read_varint}(data, pos, end)",
        "value = value != 0",
        "if pos != end:",
        "    return False",
    ),
    "TYPE_INT64": (
        "value, pos = {read_varint}(data, pos, end)",
        "value -= value >> 63 << 64",
        "if pos != end:",
        "    return False",
    ),
    "TYPE_UINT64": ("value, pos = {read_varint}(data, pos, end)", "if pos != end:", "    return False"),
    "TYPE_DOUBLE": ("if end - pos != 8:", "    return False", "(value,) = {read_double}(data, pos)"),
    "TYPE_STRING": (
        "pos += 1",
        "if data[pos - 1] != end - pos:",
        "    return False",
        'value = str(data[pos:end], "utf-8")',
    ),
}


def _entry_writer(module: Module, message: Message) -> None:
    """A function that gives a map entry; each value goes into the first field that takes its type and size."""
    add = module.add
    any_ = module.use("typing", "Any", typing_only=True)
    varint, not_plain = module.use(_SUPPORT, "write_varint"), module.use(_SUPPORT, "NotPlain")
    add("", "", f"def _write_{message.ref.name}(key: str, value: {any_}) -> bytes:")
    add("    kind = value.__class__", "    name = key.encode()")
    word = "if"
    for field in message.fields:
        kind, low, high = CHOICES[field.kind]
        condition = f"kind is {kind}" + (f" and {low} <= value <= {high}" if kind == "int" else "")
        add(f"    {word} {condition}:")
        word = "elif"
        if field.kind == "TYPE_BOOL":
            true, false = bytes((_tag(field, _VARINT), 1)), bytes((_tag(field, _VARINT), 0))
            add(f"        data = {true!r} if value else {false!r}")
        elif kind == "int":
            mask = " & 0xFFFF_FFFF_FFFF_FFFF" if low < 0 else ""
            add(f"        data = {bytes((_tag(field, _VARINT),))!r} + {varint}(value{mask})")
        elif field.kind == "TYPE_DOUBLE":
            add(f"        data = {bytes((_tag(field, _FIXED64),))!r} + {module.use(_SUPPORT, 'write_double')}(value)")
        else:
            source = "value.encode()" if field.kind == "TYPE_STRING" else "value"
            add(f"        data = {source}")
            add(f"        data = {bytes((_tag(field, _LENGTH),))!r} + {varint}(len(data)) + data")
    add("    else:", f"        raise {not_plain}")
    add(f"    return b'\\n' + {varint}(len(name)) + name + b'\\x12' + {varint}(len(data)) + data")
