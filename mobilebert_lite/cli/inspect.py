"""``mbl inspect``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mobilebert_lite.cli.output import channel_ranges, head_room, write_page
from mobilebert_lite.cli.parameters import CLIENT, PATH, VERSION
from mobilebert_lite.errors import printable

if TYPE_CHECKING:
    from mobilebert_lite.inspection.report import Inspection, TensorInfo


@click.command("inspect")
@click.argument("model", type=PATH)
@click.option("--client", "clients", type=CLIENT, multiple=True, metavar="NAME",
              help="Check MODEL, a .tflite or an APK, AAR or AAB, for task-library, mediapipe, mlperf, litert, gpu, "
                   "npu or all; may be given several times.")
@click.option("--runtime", type=VERSION, metavar="VERSION",
              help="Check whether it loads in this TFLite, such as 2.14.")
@click.option("--fix", "fixed", type=PATH, metavar="OUT", help="Write a copy with metadata, names, order and operator "
                                                               "versions mended.")
@click.option("--vocab", "vocabulary", type=PATH, help="With --fix: the vocabulary to carry.")
@click.option("--labels", type=PATH, help="With --fix: the class names to carry.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all of this, and every tensor.")
@click.option("--html", "page", type=PATH, metavar="FILE",
              help="Write a page with pictures of all this, to be opened in a browser; it needs no network.")
def command(model: Path, clients: tuple[str, ...], runtime: str | None, fixed: Path | None, vocabulary: Path | None,
            labels: Path | None, as_json: bool, page: Path | None) -> None:
    """Show signatures, operators, sizes, XNNPACK partitions and provenance of MODEL, any .tflite.

    With --client, --runtime or --fix: name what keeps its clients from using it, and what mends it. The exit code is 1
    when a client asked for cannot use it.
    """
    if (vocabulary or labels) and not fixed:
        raise click.UsageError("--vocab and --labels need --fix")
    if clients or runtime or fixed:
        from mobilebert_lite.cli.diagnosis import examine

        examine(model, clients or ("all" if fixed else "litert",), runtime, fixed, vocabulary, labels, as_json, page)
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
