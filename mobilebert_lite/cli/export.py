"""``mbl export``."""

from __future__ import annotations

from typing import Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.parameters import Location, one_of


@options.command("export")
@click.argument("checkpoint", type=Location())
@section("Input", options.revision(), options.format(), options.config(), options.vocabulary(), options.labels())
@section(
    "Output",
    option("--to", "target", required=True, type=one_of("format", "huggingface", "tf1"), help="Format to write."),
    options.output(required=True, metavar="DIR", help="Folder to write; it must be new or empty."),
    options.as_json())
def command(as_json: bool, **asked: Any) -> None:
    """Convert CHECKPOINT (a folder, file prefix or hub id) to another checkpoint format.

    Tensors are copied byte for byte, together with the vocabulary, labels and configuration.
    """
    from mobilebert_lite.cli.output import print_json, print_lines, progress
    from mobilebert_lite.converters.export import ExportRequest, export

    done = export(ExportRequest(**asked), progress)
    if as_json:
        print_json(done.to_json())
        return
    print_lines(f"{done.output}: {done.format}, {done.tensors} tensors, {done.parameters:,} parameters, from "
                f"{done.source.format}", f"  {', '.join(done.files)}")
