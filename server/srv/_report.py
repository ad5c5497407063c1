"""What ``srv start`` shows: the models, and where they are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.table import Table
from rich.text import Text

from srv.runtimes._derived import main_signature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from srv._listening import Address
    from srv.controlplane._entry import ModelEntry
    from srv.runtimes._model import MLModel
    from srv_protocol.inference import TensorMetadata


class ReportLine(NamedTuple):
    """What is shown of a version of a model."""

    name: str
    version: str
    state: str
    inputs: str
    outputs: str
    reason: str
    loaded: bool

    @classmethod
    def of(cls, entry: ModelEntry) -> ReportLine:
        """Return the line of an entry."""
        runtime = None if entry.loaded is None else entry.loaded.runtime
        return cls(
            entry.name,
            entry.version or "-",
            entry.state.value,
            "-" if runtime is None else _inputs(runtime),
            "-" if runtime is None else _tensors(runtime.outputs),
            entry.reason,
            runtime is not None,
        )


def print_report(console: Console, lines: Sequence[ReportLine], addresses: Sequence[Address]) -> None:
    """Print a table of models with version, state, inputs and outputs, the reasons of failures, and the addresses."""
    table = Table(title="Models", title_justify="left")
    for column in ("model", "version", "state", "inputs", "outputs"):
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(
            Text(line.name),
            Text(line.version),
            Text(line.state, style="green" if line.loaded else "red"),
            Text(line.inputs),
            Text(line.outputs),
        )
    console.print(table)
    for line in lines:
        if line.reason:
            console.print(Text(f"{line.name}: {line.reason}", style="red"))
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
