"""``mbl inspect``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.output import channel_ranges, head_room, write_page
from mobilebert_lite.cli.parameters import CLIENT, PATH, several
from mobilebert_lite.errors import printable

if TYPE_CHECKING:
    from mobilebert_lite.inspection.report import Inspection, TensorInfo


@options.command("inspect")
@click.argument("model", type=PATH)
@section(
    "Checks",
    several("--client", "clients", each=CLIENT,
            help="Check whether these clients can load MODEL, a .tflite, APK, AAR or AAB file; all stands for every "
                 "one but npu."),
    options.min_runtime(help="Check whether this TFLite version can load MODEL, such as 2.14."))
@section(
    "Repair",
    option("--fix", "fixed", type=PATH, metavar="FILE",
           help="Write a copy of MODEL to FILE with repaired metadata, names, order and operator versions."),
    options.vocabulary(needs="--fix", help="vocabulary to add to the copy."),
    options.labels(needs="--fix", help="class names to add to the copy, one per line."))
@section(
    "Output", options.page(),
    options.as_json(help="Print JSON to standard output: everything shown here, and every tensor."))
def command(model: Path, clients: tuple[str, ...], min_runtime: str | None, fixed: Path | None,
            vocabulary: Path | None, labels: Path | None, as_json: bool, page: Path | None) -> None:
    """Show signatures, operators, sizes, XNNPACK partitions and provenance of MODEL, any .tflite file.

    With --client, --min-runtime or --fix, report why a client cannot load MODEL and how to fix it. The exit code is 1
    if a client that was asked for cannot load it.
    """
    if clients or min_runtime or fixed:
        from mobilebert_lite.cli.diagnosis import examine

        examine(model, clients or ("all" if fixed else "litert",), min_runtime, fixed, vocabulary,
                labels=labels, as_json=as_json, page=page)
        return
    from mobilebert_lite.running.isolation import helper

    helper.prepare()
    from mobilebert_lite.inspection.report import inspect

    found = inspect(model)
    if page is not None:
        from mobilebert_lite.pages.inspect_page import inspect_page

        write_page(page, inspect_page(found.to_json()))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    elif page is None:
        _print(found)


def _print(found: Inspection) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, emoji=False)
    console.print(f"{found.path}: {found.bytes / 1e6:.2f} MB  {found.description}")

    first: dict[int, str] = {}
    for signature in found.signatures:
        if (same := first.setdefault(signature.subgraph, signature.name)) != signature.name:
            console.print(f"\nsignature {signature.name}: the same as {same}")
            continue
        console.print(f"\nsignature {signature.name}: {signature.operators} operators")
        console.print(f"  inputs   {_shapes(signature.inputs)}\n  outputs  {_shapes(signature.outputs)}")
        if taken := signature.delegation:
            rest = Counter(name for _, name in taken.outside)
            console.print(f"  XNNPACK  {taken.partitions} partition(s); outside: "
                          + (", ".join(f"{count} {name}" for name, count in rest.items()) or "nothing"))
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
        said = f"{'' if note['applied'] else 'not applied: '}{note['message']}"
        console.print(printable(f"fusion {note['rule']}: {said}"))
    if room := head_room(found.provenance):
        console.print(printable(room))
    if ranges := channel_ranges(found.provenance):
        console.print(printable(ranges))
    if found.provenance:
        # Ranges by block are numbers for a picture, and in --json.
        told = {name: value for name, value in found.provenance.items() if name != "channel_ranges"}
        console.print(printable(json.dumps(told, indent=2, ensure_ascii=False)))
    else:
        console.print("no provenance: this file was not made by mobilebert-lite")


def _shapes(tensors: tuple[TensorInfo, ...]) -> str:
    return ", ".join(f"{tensor.name} {tensor.dtype} {list(tensor.shape)}" for tensor in tensors)
