"""``mbl compile``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mobilebert_lite.cli import options
from mobilebert_lite.cli.command import section
from mobilebert_lite.cli.parameters import PATH


@options.command("compile")
@click.argument("model", type=PATH)
@section("What to make", options.compile_for(required=True), options.allow_partial())
@section(
    "Checks",
    options.calibration(help="Texts on which the answers must hold: JSON lines, SQuAD JSON or a table. "
                             "[default: built-in texts]"),
    *options.data_options,
    options.threads(help="Threads of the inferences on the CPU."))
@section(
    "Output",
    options.output(help="File to write; model.tflite stands for model-sm8750.tflite and so on with several NPUs. "
                        "[default: named after MODEL and the NPU]"),
    options.report(), options.as_json(help="Print the report to standard output as JSON."))
def command(model: Path, npu: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Compile MODEL, a .tflite file made by `mbl convert`, for NPUs, ahead of time.

    A file is written only if all of it runs on the NPU, and its answers in the NPU's simulator agree with those on the
    CPU. Of several NPUs, either all files are written or none.
    """
    from mobilebert_lite.cli.convert_output import compiled_lines
    from mobilebert_lite.cli.output import print_json, print_lines, stage
    from mobilebert_lite.conversion.compiling import CompileRequest, compile_files

    asked["reading"] = options.reading(asked)
    report = compile_files(CompileRequest(model, npu, **asked), stage)
    if as_json:
        print_json(report.to_json())
        return
    print_lines(*(line for one in report.files for line in compiled_lines(one)))
