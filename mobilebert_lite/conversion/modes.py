"""One checkpoint in several quantization modes: all files, or none."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.common.files import check_output, replacing, write_json
from mobilebert_lite.conversion import pipeline
from mobilebert_lite.conversion.gate import Counted, Gate, float_model, planned, refusal, summary
from mobilebert_lite.conversion.plan import Plan, resolve
from mobilebert_lite.conversion.request import ConvertReport, ConvertRequest, Progress
from mobilebert_lite.conversion.timing import latencies, typical
from mobilebert_lite.doctor.diagnose import CLIENTS, diagnose_content
from mobilebert_lite.errors import ConversionError, RequestError, VerificationError


@dataclass(frozen=True)
class Variant:
    """The file of one mode."""

    mode: str
    report: ConvertReport
    # Of one inference on this machine, one thread, measured in turn with the other files (timing.typical).
    milliseconds: float
    # Clients of ``mbl inspect --client`` that the file fits.
    clients: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """For ``--report`` and ``--json``."""
        return {"mode": self.mode, **self.report.to_json(), "milliseconds": self.milliseconds,
                "clients": list(self.clients)}


def names(output: Path, modes: Sequence[str]) -> dict[str, Path]:
    """Mode → file: ``model-int8.tflite`` for ``model.tflite``. Raises RequestError for an output that has no other
    beside it, such as a pipe."""
    if output.exists() and not output.is_file():
        raise RequestError(f"{output} is no file: {len(modes)} files cannot be named after it; give a file name such "
                           "as model.tflite, or a folder")
    return {mode: output.with_name(f"{output.stem}-{mode}{output.suffix}") for mode in modes}


def convert(request: ConvertRequest, outputs: Mapping[str, Path], gate: Gate | None, progress: Progress,
            counted: Counted) -> tuple[Variant, ...]:
    """A file for each mode of ``outputs``. The checkpoint is read, calibration texts are read, and the float model
    answers and is scored, once for all.

    The files appear together, when each is verified and passes ``gate``. Raises a subclass of MblError, and writes
    nothing, when one of them fails.
    """
    _check(request, outputs)
    plan = planned(request, gate, progress) if gate else resolve(request, progress)
    with ExitStack() as stack:
        paths = {mode: stack.enter_context(replacing(output)) for mode, output in outputs.items()}
        reports = {mode: _write(plan, mode, path, progress) for mode, path in paths.items()}
        if gate is not None:
            reports = _scored(plan, gate, reports, progress, counted)
        progress("measuring latency")
        times = latencies(paths, gate.examples(plan.task) if gate else plan.held_aside)
        found = tuple(Variant(mode, replace(report, output=str(outputs[mode])), typical(times[mode]),
                              _clients(paths[mode])) for mode, report in reports.items())
    if request.report is not None:
        write_json(request.report, {"files": [one.to_json() for one in found]})
    return found


def _check(request: ConvertRequest, outputs: Mapping[str, Path]) -> None:
    """Fail now rather than after minutes of work."""
    places: dict[str, str] = {} if request.report is None else {os.path.realpath(request.report): "--report"}
    for mode, output in outputs.items():
        check_output(output)
        place = os.path.realpath(output)
        if place in places:
            raise RequestError(f"{output} would hold both {places[place]} and the {mode} file; give another --output")
        places[place] = f"the {mode} file"


def _write(plan: Plan, mode: str, path: Path, progress: Progress) -> ConvertReport:
    progress(f"converting to {mode}")
    try:
        return pipeline.write(plan.with_mode(mode), pipeline.Outputs(path), progress)
    except (ConversionError, VerificationError) as error:
        raise type(error)(f"--quantize {mode}: {error} (no file of the other modes either)") from None


def _scored(plan: Plan, gate: Gate, reports: Mapping[str, ConvertReport], progress: Progress,
            counted: Counted) -> dict[str, ConvertReport]:
    """``reports`` with their evaluation. Raises VerificationError when one of the files does not pass."""
    with float_model(plan, progress) as path:
        reference = gate.score(path, "the float model", counted)
    found = {}
    for mode, report in reports.items():
        candidate = gate.score(Path(report.output), mode, counted)
        if not gate.passes(reference, candidate):
            raise VerificationError(f"--quantize {mode}: {refusal(gate, reference, candidate)}")
        found[mode] = replace(report, evaluation=summary(gate, reference, candidate))
    return found


def _clients(path: Path) -> tuple[str, ...]:
    fits = diagnose_content(path.read_bytes(), str(path), tuple(CLIENTS)).fits
    return tuple(name for name, fit in fits.items() if fit)
