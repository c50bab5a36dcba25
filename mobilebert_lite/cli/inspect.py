"""``mbl inspect``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mobilebert_lite.cli.output import channel_ranges, head_room, progress

if TYPE_CHECKING:
    from mobilebert_lite.inspection import Inspection, TensorInfo


@click.command("inspect")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all of this, and every tensor.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE",
              help="Write a page with pictures of all this, to be opened in a browser; it needs no network.")
def command(model: Path, as_json: bool, page: Path | None) -> None:
    """Show signatures, operators, sizes, XNNPACK partitions and provenance of MODEL, any .tflite."""
    from mobilebert_lite.inspection import inspect

    found = inspect(model)
    if page is not None:
        from mobilebert_lite.files import write_atomically
        from mobilebert_lite.pages.inspect_page import inspect_page

        write_atomically(page, inspect_page(found.to_json()).encode("utf-8", "replace"))
        progress(f"wrote {page}")
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    elif page is None:
        _print(found)


def _print(found: Inspection) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"{found.path}: {found.bytes / 1e6:.2f} MB  {found.description}", markup=False)

    first: dict[int, str] = {}
    for signature in found.signatures:
        if (same := first.setdefault(signature.subgraph, signature.name)) != signature.name:
            console.print(f"\nsignature {signature.name}: the same as {same}", markup=False)
            continue
        console.print(f"\nsignature {signature.name}: {signature.operators} operators", markup=False)
        console.print(f"  inputs   {_shapes(signature.inputs)}\n  outputs  {_shapes(signature.outputs)}", markup=False)
        if taken := signature.delegation:
            rest = Counter(name for _, name in taken.outside)
            console.print(f"  XNNPACK  {taken.partitions} partition(s); outside: "
                          + (", ".join(f"{count} {name}" for name, count in rest.items()) or "nothing"), markup=False)
    console.print()

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

    for note in found.provenance.get("fusion", []):
        console.print(f"fusion {note['rule']}: {'' if note['applied'] else 'not applied: '}{note['message']}",
                      markup=False)
    if room := head_room(found.provenance):
        console.print(room, markup=False)
    if ranges := channel_ranges(found.provenance):
        console.print(ranges, markup=False)
    if found.provenance:
        # Ranges by block are numbers for a picture, and in --json.
        told = {name: value for name, value in found.provenance.items() if name != "channel_ranges"}
        console.print(json.dumps(told, indent=2, ensure_ascii=False), markup=False)
    else:
        console.print("no provenance: this file was not made by mobilebert-lite")


def _shapes(tensors: tuple[TensorInfo, ...]) -> str:
    return ", ".join(f"{tensor.name} {tensor.dtype} {list(tensor.shape)}" for tensor in tensors)
