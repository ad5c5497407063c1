"""A generated module: a banner, the imports that its text asked for, its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from srv_codegen._parse import UnsupportedProtoError

if TYPE_CHECKING:
    from srv_codegen._ir import ClassRef

GENERATED_PACKAGE: Final = "srv_protocol._gen"
# Split, so that tools which look for the mark do not take the generator for its output.
_MARK: Final = "DO NOT " + "EDIT"


class Module:
    """Collects lines and the imports that they need; names come back ready for use in the text."""

    def __init__(self, name: str, source: str, tools: str) -> None:
        self.name = name
        self._banner = f"# Generated from {source}. {_MARK}.\n# {tools}; `nox -s codegen` writes it.\n# ruff: noqa\n"
        self._doc = ""
        self._imports: set[tuple[str, str, bool]] = set()
        self._origins: dict[str, str] = {}
        self._exports: list[str] = []
        self._lines: list[str] = []

    def document(self, text: str) -> None:
        """Set the module's docstring."""
        self._doc = text

    def add(self, *lines: str) -> None:
        """Append lines."""
        self._lines += lines

    def export(self, name: str) -> None:
        """Put a name that the text defines into ``__all__``."""
        if self._origins.setdefault(name, self.name) != self.name:
            message = f"{self.name}: {name} is a name of {self._origins[name]} and of the module itself"
            raise UnsupportedProtoError(message)
        self._exports.append(name)

    def use(self, module: str, name: str = "", *, typing_only: bool = False) -> str:
        """Import ``name`` from `module`, or `module` itself, and return what the text calls it.

        Raises:
            UnsupportedProtoError: the name already means something else.
        """
        if module != self.name:
            self._imports.add((module, name, typing_only))
            if name and self._origins.setdefault(name, module) != module:
                message = f"{self.name}: {name} is a name of {self._origins[name]} and of {module}"
                raise UnsupportedProtoError(message)
        return name or module

    def use_class(self, ref: ClassRef, *, typing_only: bool = False) -> str:
        """Import a class; generated modules are named relative to the output package."""
        if ref.module == self.name:
            return ref.name
        module = ref.module if "." in ref.module else f"{GENERATED_PACKAGE}.{ref.module}"
        return self.use(module, ref.name, typing_only=typing_only)

    def render(self) -> str:
        """Return the whole text, unformatted."""
        runtime = {(module, name) for module, name, typing_only in self._imports if not typing_only}
        typing_only = {(module, name) for module, name, _ in self._imports} - runtime
        if typing_only:
            runtime.add(("typing", "TYPE_CHECKING"))
        lines = [self._banner, f'"""{self._doc}"""', "", "from __future__ import annotations", ""]
        lines += _import_lines(runtime)
        if typing_only:
            lines += ["", "if TYPE_CHECKING:"]
            lines += [f"    {line}" for line in _import_lines(typing_only)]
        lines += ["", f"__all__ = {sorted(self._exports)!r}", "", *self._lines]
        return "\n".join(lines) + "\n"


def docstring(text: str, indent: str = "    ") -> list[str]:
    """Return the lines of a docstring, none for an empty text."""
    escaped = text.replace("\\", "\\\\")
    if '"""' in text or text.endswith('"'):
        escaped = escaped.replace('"', '\\"')
    return [f'{indent}"""{escaped}"""'] if text else []


def _import_lines(imports: set[tuple[str, str]]) -> list[str]:
    lines = sorted(f"import {module}" for module, name in imports if not name)
    by_module: dict[str, list[str]] = {}
    for module, name in sorted(imports):
        if name:
            by_module.setdefault(module, []).append(name)
    return lines + [f"from {module} import {', '.join(names)}" for module, names in sorted(by_module.items())]
