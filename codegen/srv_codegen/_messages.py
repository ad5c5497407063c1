"""IR -> message and enum classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_codegen._module import GENERATED_PACKAGE, Module, docstring
from srv_codegen._parse import CHOICE_BASE, CHOICES

if TYPE_CHECKING:
    from srv_codegen._ir import ClassRef, Enum, Field, File, Message

# protobuf type -> (Python type, its default)
SCALARS: Final = {
    "TYPE_BOOL": ("bool", "False"),
    **dict.fromkeys(
        (
            "TYPE_INT32",
            "TYPE_INT64",
            "TYPE_UINT32",
            "TYPE_UINT64",
            "TYPE_SINT32",
            "TYPE_SINT64",
            "TYPE_FIXED32",
            "TYPE_FIXED64",
            "TYPE_SFIXED32",
            "TYPE_SFIXED64",
        ),
        ("int", "0"),
    ),
    "TYPE_FLOAT": ("float", "0.0"),
    "TYPE_DOUBLE": ("float", "0.0"),
    "TYPE_STRING": ("str", '""'),
    "TYPE_BYTES": ("bytes", 'b""'),
}


def render_messages(file: File, tools: str) -> Module:
    """Return the module with the messages and enums of a file."""
    module = Module(file.module, file.path, tools)
    module.document(f"Messages of {file.path}, package ``{file.package}``.")
    for enum in file.enums:
        _enum(module, enum)
    for message in file.messages:
        _message(module, message)
    if any(message.hot for message in file.messages):
        # At the end, since that module imports the classes; it gives them their codecs.
        module.add("", "", f"import {GENERATED_PACKAGE}.{file.module}_codec  # pyright: ignore[reportUnusedImport]")
    return module


def _enum(module: Module, enum: Enum) -> None:
    module.use("betterproto2")
    module.export(enum.ref.name)
    module.add("", "", f"class {enum.ref.name}(betterproto2.Enum):", *docstring(enum.doc), "")
    for value in enum.values:
        module.add(f"    {value.name} = {value.number}", *docstring(value.doc))


def _message(module: Module, message: Message) -> None:
    dataclass = module.use("dataclasses", "dataclass")
    base = module.use_class(message.base)
    module.export(message.ref.name)
    options = "eq=False, repr=False" + (", init=False" if message.lenient else "")
    module.add("", "", f"@{dataclass}({options})", f"class {message.ref.name}({base}):")
    module.add(*docstring(message.doc or f"``{message.proto_name}``"))
    views = sorted(field.name for field in message.fields if field.view)
    if views:
        module.add("", f"    _view_fields = frozenset({views!r})")
    if message.base == CHOICE_BASE:
        choices = ", ".join(
            f"({field.name!r}, {kind}, {low}, {high})"
            for field in message.fields
            for kind, low, high in [CHOICES[field.kind]]
        )
        module.add("", f"    _choices = ({choices},)")
    for field in message.fields:
        module.add("", f"    {field.name}: {annotation(module, field)} = {_declaration(module, field)}")
        module.add(*docstring(_field_doc(field)))
    if message.lenient:
        _constructor(module, message)


def _field_doc(field: Field) -> str:
    view = "Parsed values are views of the parsed buffer." if field.view else ""
    return " ".join(filter(None, (field.doc, view)))


def annotation(module: Module, field: Field) -> str:
    """Return the type of a field's attribute."""
    if field.map is not None:
        if field.map.wrapper is not None:
            return module.use("srv_protocol._parameters", "Parameters")
        value = module.use_class(field.map.target) if field.map.target else SCALARS[field.map.value][0]
        return f"dict[{SCALARS[field.map.key][0]}, {value}]"
    single = module.use_class(field.target) if field.target else SCALARS[field.kind][0]
    if field.view:
        single = f"{single} | memoryview"
    if field.repeated:
        return f"list[{single}]"
    return f"{single} | None" if _has_presence(field) else single


def _has_presence(field: Field) -> bool:
    return field.kind == "TYPE_MESSAGE" or field.optional or field.group is not None


def _declaration(module: Module, field: Field) -> str:
    bp = module.use("betterproto2")
    arguments = [str(field.number), f"{bp}.{field.kind}"]
    if field.map is not None and field.map.wrapper is not None:
        helper = module.use("srv_protocol._parameters", "parameters_field")
        return f"{helper}({field.number}, lambda: {module.use_class(field.map.wrapper)})"
    if field.map is not None:
        arguments.append(f"map_meta={bp}.map_meta({bp}.{field.map.key}, {bp}.{field.map.value})")
    if field.kind == "TYPE_ENUM" and not field.repeated and field.target:
        arguments.append(f"default_factory=lambda: {module.use_class(field.target)}(0)")
    if field.group is not None:
        arguments.append(f'group="{field.group}"')
    # What has presence is optional to betterproto2, which else leaves out default values in its JSON.
    if field.repeated:
        arguments.append("repeated=True")
    elif field.map is None and _has_presence(field):
        arguments.append("optional=True")
    return f"{bp}.field({', '.join(arguments)})"


def _constructor(module: Module, message: Message) -> None:
    """A constructor that takes ``None`` for "not given"."""
    has_data = message.base.name == "Tensor"
    module.add("", "    def __init__(", "        self,")
    for field in message.fields:
        module.add(f"        {field.name}: {_loose(module, field)} = None,")
    if has_data:
        values = module.use("srv_protocol._tensor", "TensorValues", typing_only=True)
        module.add("        *,", f"        data: {values} | None = None,")
    module.add("    ) -> None:")
    for field in message.fields:
        module.add(f"        self.{field.name} = {_normalised(module, field)}")
    module.add('        self._unknown_fields = b""')
    if has_data:
        module.add("        if data is not None:", "            self.data = data")


def _loose(module: Module, field: Field) -> str:
    if field.map is not None and field.map.wrapper is not None:
        return f"{module.use('collections.abc', 'Mapping', typing_only=True)}[str, object] | None"
    if field.repeated and not field.view:
        single = _element(module, field)
        return f"{module.use('collections.abc', 'Iterable', typing_only=True)}[{single}] | None"
    text = annotation(module, field)
    return text if text.endswith("| None") else f"{text} | None"


def _element(module: Module, field: Field) -> str:
    return annotation(module, field).removeprefix("list[").removesuffix("]")


def _normalised(module: Module, field: Field) -> str:
    name = field.name
    if field.map is not None and field.map.wrapper is not None:
        cls = module.use("srv_protocol._parameters", "Parameters")
        return f"{name} if isinstance({name}, {cls}) else {cls}({name})"
    if field.repeated and field.kind == "TYPE_MESSAGE":
        return f"{module.use('srv_protocol._pydantic', 'take_items')}({_element(module, field)}, {name})"
    if field.repeated:
        return f"{name} if isinstance({name}, list) else list({name} or ())"
    if _has_presence(field):
        return name
    if field.target is not None and field.map is None:
        default = f"{module.use_class(field.target)}(0)"
    else:
        default = "{}" if field.map is not None else SCALARS[field.kind][1]
    return f"{default} if {name} is None else {name}"


def class_of(ref: ClassRef) -> str:
    """Return the name of the view of a message."""
    return f"{ref.name}View"
