"""What ``srv start`` shows: the models, and where they are served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from srv.runtimes._derived import main_signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from srv._server import Address
    from srv.controlplane._entry import ModelEntry
    from srv.runtimes._model import MLModel
    from srv_protocol.inference import TensorMetadata


def print_report(console: Console, entries: Sequence[ModelEntry], addresses: Sequence[Address]) -> None:
    """Print a table of models with version, state, inputs and outputs, the reasons of failures, and the addresses."""
    table = Table(title="Models", title_justify="left")
    for column in ("model", "version", "state", "inputs", "outputs"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        runtime = None if entry.loaded is None else entry.loaded.runtime
        colour = "green" if runtime is not None else "red"
        table.add_row(
            Text(entry.name),
            Text(entry.version or "-"),
            Text(entry.state.value, style=colour),
            Text("-" if runtime is None else _inputs(runtime)),
            Text("-" if runtime is None else _tensors(runtime.outputs)),
        )
    console.print(table)
    for entry in entries:
        if entry.reason:
            console.print(Text(f"{entry.name}: {entry.reason}", style="red"))
    for address in addresses:
        console.print(Text(f"{address.front:<8}{address.url}"))


def _inputs(runtime: MLModel) -> str:
    """Return the inputs of the metadata, or else the names that a typed method takes."""
    signature = main_signature(runtime)
    if runtime.inputs or signature is None:
        return _tensors(runtime.inputs)
    return "\n".join((*signature.input_names, *(("...",) if signature.takes_rest else ()))) or "-"


def _tensors(tensors: Sequence[TensorMetadata]) -> str:
    return "\n".join(f"{each.name}: {each.datatype}{list(each.shape)}" for each in tensors) or "-"
