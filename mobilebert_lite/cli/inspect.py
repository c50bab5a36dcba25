"""``mbl inspect``."""

from __future__ import annotations

from pathlib import Path

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import option, section
from mobilebert_lite.cli.output import print_json, write_page
from mobilebert_lite.cli.parameters import PATH, several
from mobilebert_lite.cli.targets import CLIENT


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
    "Output",
    option("--all", "everything", is_flag=True,
           help="Print every operator, the largest constants, what fusion did and the whole provenance."),
    options.page(),
    options.as_json(help="Print JSON to standard output: everything that --all shows, and every tensor."))
def command(model: Path, clients: tuple[str, ...], min_runtime: str | None, fixed: Path | None,
            vocabulary: Path | None, labels: Path | None, everything: bool, as_json: bool,
            page: Path | None) -> None:
    """Show size, mode, signatures, XNNPACK partitions, runtime and verification of MODEL, any .tflite file.

    With --client, --min-runtime or --fix, report why a client cannot load MODEL and how to fix it. The exit code is 1
    if a client that was asked for cannot load it.
    """
    from mobilebert_lite.cli.diagnosis import examine, examined
    from mobilebert_lite.common.requirements import need_outputs

    need_outputs((fixed, page))
    if clients or min_runtime or fixed:
        examine(model, clients or ("all" if fixed else "litert",), min_runtime, fixed, vocabulary,
                labels=labels, as_json=as_json, page=page)
        return
    from mobilebert_lite.running.isolation import helper

    helper.prepare()
    from mobilebert_lite.inspection.report import inspect

    found = examined(model, lambda: inspect(model))
    if page is not None:
        from mobilebert_lite.pages.inspect_page import inspect_page

        write_page(page, inspect_page(found.to_json()))
    if as_json:
        print_json(found.to_json())
    elif page is None:
        from mobilebert_lite.cli import inspect_output

        (inspect_output.print_all if everything else inspect_output.print_summary)(found)

