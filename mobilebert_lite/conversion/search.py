"""Every recipe in turn, from the fastest to the safest: which is fastest here and keeps the task's score?"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.common.files import check_output, folder_for, replacing, write_json
from mobilebert_lite.common.temporary import scratch_folder
from mobilebert_lite.conversion import pipeline
from mobilebert_lite.conversion.choice import Trial, best, undominated
from mobilebert_lite.conversion.gate import Counted, Gate, float_model, planned
from mobilebert_lite.conversion.plan import CUSTOM, Plan
from mobilebert_lite.conversion.request import ConvertReport, ConvertRequest, Progress
from mobilebert_lite.conversion.timing import latencies
from mobilebert_lite.errors import ConversionError, VerificationError
from mobilebert_lite.evaluation.evaluate import EvalResult

FLOAT = "float"


@dataclass(frozen=True)
class Candidate:
    """One recipe's file, or why there is none."""

    recipe: str
    # Empty when there is a file that passes; otherwise what is wrong with it.
    reason: str = ""
    score: float | None = None
    bytes: int | None = None
    # Median of one inference on this machine, one thread.
    milliseconds: float | None = None
    # No other file is better in score, size or latency and worse in none of them (conversion/choice.py).
    pareto: bool = False


@dataclass(frozen=True)
class Search:
    """What was tried; the float model is the first row."""

    metric: str
    candidates: tuple[Candidate, ...]
    # The recipe whose file was kept.
    kept: str | None
    report: ConvertReport | None

    def to_json(self) -> dict[str, Any]:
        """For ``--report`` and ``--json``."""
        return {**(self.report.to_json() if self.report else {}), "metric": self.metric, "kept": self.kept,
                "candidates": [asdict(one) for one in self.candidates]}


def search(request: ConvertRequest, gate: Gate, progress: Progress, counted: Counted,
           modes: Sequence[str] = ()) -> Search:
    """Convert in each of ``modes`` (by default in all for CPUs), and keep the best file that passes ``gate``, if there
    is one: the fastest, and of those level with it the smallest (``choice.best``).

    Raises a subclass of MblError when the checkpoint or the examples cannot be used.
    """
    check_output(request.output)
    plan = planned(request, gate, progress)
    with scratch_folder(folder_for(request.output)) as folder:
        made, failed = _convert_all(plan, modes or recipes(), folder, progress)
        if len(set(failed.values())) == 1 and not made:  # it is not the recipes' fault
            raise ConversionError(next(iter(failed.values())))
        if not made:
            raise VerificationError("no recipe gives a file that agrees with the checkpoint: "
                                    + "; ".join(f"{name}: {reason}" for name, reason in failed.items()))
        paths = {name: Path(report.output) for name, report in made.items()}
        with float_model(plan, progress) as reference:
            paths = {FLOAT: reference, **paths}
            results = {name: gate.score(path, name, counted) for name, path in paths.items()}
            progress("measuring latency")
            times = latencies(paths, gate.examples(plan.task))
            trials = {name: _trial(name, path, times[name], results[name]) for name, path in paths.items()}
            rows = [_candidate(gate, trial, results, undominated(trial, list(trials.values())))
                    for trial in trials.values()]
        passing = [trials[row.recipe] for row in rows if row.recipe != FLOAT and not row.reason]
        kept = best(passing).name if passing else None
        report = _keep(request, made[kept]) if kept else None
    rows += [Candidate(name, reason) for name, reason in failed.items()]
    result = Search(results[FLOAT].scorer.metric, tuple(rows), kept, report)
    if request.report is not None:
        write_json(request.report, result.to_json())
    return result


def recipes() -> list[str]:
    """The modes that are tried, from the fastest to the safest."""
    modes: list[str] = json.loads(files("mobilebert_lite.quantization").joinpath("search.json").read_text("utf-8"))
    return modes


def _convert_all(plan: Plan, modes: Sequence[str], folder: Path,
                 progress: Progress) -> tuple[dict[str, ConvertReport], dict[str, str]]:
    """Recipe -> report of its file in ``folder``; recipe -> why it has none."""
    made: dict[str, ConvertReport] = {}
    failed: dict[str, str] = {}
    for name in [*([CUSTOM] if plan.mode == CUSTOM else []), *modes]:
        title = plan.recipe.name if name == CUSTOM else name
        progress(f"trying {title}")
        try:
            candidate = plan if name == CUSTOM else plan.with_mode(name)
            made[title] = pipeline.write(candidate, pipeline.Outputs(folder / f"{title}.tflite"), progress)
        except (ConversionError, VerificationError) as error:  # not for this runtime or these widths, or not true
            failed[title] = str(error).split("; no file")[0]
    return made, failed


def _candidate(gate: Gate, trial: Trial, results: Mapping[str, EvalResult], pareto: bool) -> Candidate:
    score = results[trial.name].score.value
    lost = results[FLOAT].score.value - score
    reason = "" if gate.passes(results[FLOAT], results[trial.name]) else f"loses {lost:.2f} points"
    return Candidate(trial.name, reason, score, trial.bytes, trial.milliseconds, pareto)


def _trial(name: str, path: Path, times: np.ndarray, result: EvalResult) -> Trial:
    return Trial(name, path.stat().st_size, times, len(result.rows),
                 lambda chosen: result.scorer.score(result.rows[chosen]))


def _keep(request: ConvertRequest, report: ConvertReport) -> ConvertReport:
    """Move the file of ``report`` to where it was asked for."""
    with replacing(request.output) as temporary:
        os.replace(report.output, temporary)
    return replace(report, output=str(request.output))
