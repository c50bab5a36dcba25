"""``mbl inspect``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mobilebert_lite.inspection import Inspection, TensorInfo


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path, as_json: bool) -> None:
    """Show signatures, operators, sizes, XNNPACK partitions and provenance of MODEL, any .tflite."""
    from mobilebert_lite.inspection import inspect

    found = inspect(model)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        _print(found)


def _print(found: Inspection) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"{found.path}: {found.bytes / 1e6:.2f} MB  {found.description}", markup=False)

    table = Table("signature", "inputs", "outputs", "operators", "XNNPACK partitions", "outside", box=None)
    for signature in found.signatures:
        taken = signature.delegation
        table.add_row(signature.name, _shapes(signature.inputs), _shapes(signature.outputs), str(signature.operators),
                      str(taken.partitions) if taken else "?",
                      ", ".join(name for _, name in taken.outside) if taken else "?")
    console.print(table)

    table = Table("operator", "version", "count", "since TFLite", box=None)
    for operator in found.operators:
        table.add_row(operator.name, str(operator.version), str(operator.count), operator.since or "?")
    console.print(table)

    table = Table("constants", "bytes", box=None)
    for kind, size in found.bytes_by_type.items():
        table.add_row(kind, f"{size:,}")
    for name, kind, shape, size in found.largest:
        table.add_row(f"  {name.split(';')[-1]} {kind} {list(shape)}", f"{size:,}")
    for name, size in found.files.items():
        table.add_row(f"file {name}", f"{size:,}")
    console.print(table)

    if found.provenance:
        console.print(json.dumps(found.provenance, indent=2, ensure_ascii=False), markup=False)
    else:
        console.print("no provenance: this file was not made by mobilebert-lite")


def _shapes(tensors: tuple[TensorInfo, ...]) -> str:
    return "\n".join(f"{tensor.name} {tensor.dtype} {list(tensor.shape)}" for tensor in tensors)
