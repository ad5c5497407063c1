"""Protobuf names -> Python names."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


# What the base classes of messages have, and what the body of a message class needs.
RESERVED_FIELDS: Final = frozenset(
    {
        "betterproto2",
        "bind",
        "bool",
        "bytes",
        "check_encodable",
        "copy",
        "data",
        "decoded",
        "dict",
        "dump",
        "elements",
        "float",
        "from_array",
        "from_dict",
        "from_json",
        "from_wrapped",
        "frozenset",
        "has_data",
        "int",
        "is_set",
        "json",
        "list",
        "load",
        "memoryview",
        "model_copy",
        "model_dump",
        "model_dump_json",
        "model_validate",
        "model_validate_json",
        "parameters_field",
        "parse",
        "parse_obj",
        "parse_raw",
        "str",
        "take_items",
        "to_dict",
        "to_json",
        "to_wrapped",
        "unpack_arrays",
        "wire_parts",
    }
)
# What every enum has.
RESERVED_VALUES: Final = frozenset({"mro", "name", "value", "proto_name", "from_string"})


def field_name(name: str) -> str:
    """Return the attribute for a field: snake_case, with an underscore behind a name that has another meaning."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return f"{snake}_" if keyword.iskeyword(snake) or snake in RESERVED_FIELDS else snake


def value_name(name: str) -> str:
    """Return the member for a value of an enum: its own name, with an underscore behind one with another meaning."""
    return f"{name}_" if keyword.iskeyword(name) or name in RESERVED_VALUES else name


def class_names(proto_names: Iterable[str]) -> dict[str, str]:
    """Return the class name of each message or enum of a package, by its name relative to the package.

    A nested type goes by its own name, and where another type has that too, by its parents' and its own.
    """
    names = list(proto_names)
    own = Counter(name.rpartition(".")[2] for name in names)
    return {
        name: last if own[last := name.rpartition(".")[2]] == 1 or "." not in name else name.replace(".", "")
        for name in names
    }


def module_name(path: str) -> str:
    """Return the module for a .proto file: ``grpc/health/v1/health.proto`` is ``grpc_health_v1``."""
    parts = path.removesuffix(".proto").replace("-", "_").split("/")
    return "_".join(parts if len(parts) == 1 else parts[:-1])
