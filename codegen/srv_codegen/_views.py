"""IR -> msgspec structs in the shape of V2 JSON, and the way between them and the messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_codegen._messages import SCALARS, class_of
from srv_codegen._module import Module, docstring
from srv_codegen._overlay import OverlayError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srv_codegen._ir import ClassRef, Field, File, Message, View

_UNSIGNED: Final = {"TYPE_UINT32", "TYPE_UINT64", "TYPE_FIXED32", "TYPE_FIXED64"}


def render_views(file: File, tools: str) -> Module | None:
    """Return the module with the JSON views of a file, or ``None`` when the overlay names none."""
    viewed = {message.ref: message.view for message in file.messages if message.view is not None}
    if not viewed:
        return None
    module = Module(f"{file.module}_json", f"{file.path} and overlay.toml", tools)
    module.document(f"V2 JSON views of the messages of {file.path}.")
    for message in file.messages:
        if message.view is not None:
            _view(module, message, message.view, viewed)
    return module


def _members(message: Message, view: View) -> list[tuple[Field, bool]]:
    """Return (field, required) in the order of the JSON: required ones first, as given, then by number."""
    by_name = {field.name: field for field in message.fields if field.name not in view.omit}
    required = [(by_name.pop(name), True) for name in view.required]
    return required + [(field, False) for field in by_name.values() if field.name != view.data]


def _view(module: Module, message: Message, view: View, viewed: Mapping[ClassRef, View]) -> None:
    struct = module.use("msgspec", "Struct")
    name = class_of(message.ref)
    module.export(name)
    module.add("", "", f"class {name}({struct}, kw_only=True, omit_defaults=True, gc=False):")
    module.add(*docstring(message.doc or f"V2 JSON of ``{message.proto_name}``."), "")
    members = _members(message, view)
    for field, required in members:
        text = _annotation(module, field, viewed, loose=not required, wildcard=view.wildcard)
        module.add(f"    {field.name}: {text}" + ("" if required else " = None"))
    if view.data is not None:
        raw, unset = module.use("msgspec", "Raw"), module.use("msgspec", "UNSET")
        if view.reads:
            module.add(f"    data: {raw} | {module.use('msgspec', 'UnsetType')} = {unset}")
        else:
            module.add(f"    data: object = {unset}")
    target = module.use_class(message.ref)
    if view.reads:
        arguments = [f"{field.name}={_to_message(message, field, required=required)}" for field, required in members]
        module.add("", f"    def to_message(self) -> {target}:")
        module.add('        """Return the message; containers are shared with the view, not copied."""')
        module.add(f"        return {target}({', '.join(arguments)})")
    if view.writes:
        arguments = [f"{field.name}={_from_message(module, field, required=required)}" for field, required in members]
        module.add("", "    @classmethod", f"    def from_message(cls, message: {target}) -> {name}:")
        module.add('        """Return the view of a message; containers are shared with it, not copied."""')
        module.add(f"        return cls({', '.join(arguments)})")


def _annotation(module: Module, field: Field, viewed: Mapping[ClassRef, View], *, loose: bool, wildcard: bool) -> str:
    if field.map is not None:
        value = "object" if field.map.wrapper is not None else _type_name(field.map.value, field.map.target, viewed)
        text = f"dict[str, {value}]"
    else:
        text = _type_name(field.kind, field.target, viewed)
        if field.kind in _UNSIGNED or field.name == "shape":
            annotated, meta = module.use("typing", "Annotated"), module.use("msgspec", "Meta")
            text = f"{annotated}[{text}, {meta}(ge={-1 if wildcard else 0})]"
        if field.repeated:
            text = f"list[{text}]"
    return f"{text} | None" if loose else text


def _type_name(kind: str, target: ClassRef | None, viewed: Mapping[ClassRef, View]) -> str:
    if kind == "TYPE_ENUM":
        return "str"
    if target is None:
        return SCALARS[kind][0]
    if target not in viewed:
        message = f"overlay: a view has a field of type {target.name}, which has no view"
        raise OverlayError(message)
    return class_of(target)


def _to_message(message: Message, field: Field, *, required: bool) -> str:
    source = f"self.{field.name}"
    if field.map is not None or field.target is None:
        default = "{}" if field.map is not None else "[]" if field.repeated else SCALARS[field.kind][1]
        # The constructor of a lenient message knows what a missing container is.
        given = required or (message.lenient and default in {"{}", "[]"})
        return source if given else f"{source} or {default}"
    if field.repeated:
        return f"[item.to_message() for item in {source if required else f'{source} or ()'}]"
    return f"{source}.to_message()" if required else f"None if {source} is None else {source}.to_message()"


def _from_message(module: Module, field: Field, *, required: bool) -> str:
    source = f"message.{field.name}"
    if field.map is not None:
        text = f"dict({source})"
        if field.map.target is not None and field.map.wrapper is None:
            text = f"{{key: {class_of(field.map.target)}.from_message(value) for key, value in {source}.items()}}"
        # Not the truth of the mapping: Parameters that hold nothing but headers are true, and no member of the JSON.
        return text if required else f"{text} or None"
    if field.kind == "TYPE_ENUM" and not field.repeated:
        text = f"{source}.name"
    elif field.target is None:
        return source if required else f"{source} or None"
    elif field.repeated:
        text = f"[{class_of(field.target)}.from_message(item) for item in {source}]"
    else:
        view = class_of(field.target)
        if required:
            # One that is not set is written with the defaults of its fields.
            return f"{view}.from_message({source} or {module.use_class(field.target)}())"
        return f"None if {source} is None else {view}.from_message({source})"
    return text if required else f"{text} if {source} else None"
