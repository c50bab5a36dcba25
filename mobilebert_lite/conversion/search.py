"""Every recipe in turn, from the fastest to the safest: which is fastest here and keeps the task's score?"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from mobilebert_lite.common.files import check_output, folder_for, replacing, write_json
from mobilebert_lite.conversion import pipeline
from mobilebert_lite.conversion.gate import Counted, Gate, check_data, check_examples, float_model
from mobilebert_lite.conversion.plan import CUSTOM, Plan, resolve
from mobilebert_lite.conversion.request import ConvertReport, ConvertRequest, Progress
from mobilebert_lite.datasets.reading import evenly, read_examples
from mobilebert_lite.errors import ConversionError, VerificationError
from mobilebert_lite.evaluation.evaluate import EvalResult
from mobilebert_lite.running.model import Model

# Inferences of each file that its latency is the median of, taken in turn with those of the others.
ROUNDS, TEXTS = 5, 8
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
    # No other file is at least as good in score, size and latency and better in one.
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


def search(request: ConvertRequest, gate: Gate, progress: Progress, counted: Counted) -> Search:
    """Convert with every recipe, and keep the fastest file that passes ``gate``, if there is one.

    Raises a subclass of MblError when the checkpoint or the examples cannot be used.
    """
    check_output(request.output)
    check_data(gate, request.task)
    plan = resolve(request, progress)
    check_examples(gate, plan)
    with tempfile.TemporaryDirectory(prefix="mbl-", dir=folder_for(request.output)) as folder:
        made, failed = _convert_all(plan, Path(folder), progress)
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
            times = latencies(paths, gate)
            rows = [_candidate(gate, name, paths[name], results, times[name]) for name in paths]
        rows = [replace(row, pareto=_undominated(row, rows)) for row in rows]
        passing = [row for row in rows if row.recipe != FLOAT and not row.reason]
        kept = min(passing, key=lambda row: times[row.recipe]).recipe if passing else None
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


def _convert_all(plan: Plan, folder: Path,
                 progress: Progress) -> tuple[dict[str, ConvertReport], dict[str, str]]:
    """Recipe -> report of its file in ``folder``; recipe -> why it has none."""
    made: dict[str, ConvertReport] = {}
    failed: dict[str, str] = {}
    for name in [*([CUSTOM] if plan.mode == CUSTOM else []), *recipes()]:
        title = plan.recipe.name if name == CUSTOM else name
        progress(f"trying {title}")
        try:
            candidate = plan if name == CUSTOM else plan.with_mode(name)
            made[title] = pipeline.write(candidate, folder / f"{title}.tflite", progress)
        except (ConversionError, VerificationError) as error:  # not for this runtime or these widths, or not true
            failed[title] = str(error).split("; no file")[0]
    return made, failed


def latencies(paths: Mapping[str, Path], gate: Gate) -> dict[str, float]:
    """Name -> median milliseconds of one inference, one thread.

    The files take turns, so that all see the same machine.
    """
    models = {name: Model(path) for name, path in paths.items()}
    first = next(iter(models.values()))
    chosen = evenly(read_examples(gate.data, first.task.name), TEXTS)
    features = [one for example in chosen for one in first.task.features(first.tokenizer, example, first.longest)[:1]]
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(ROUNDS + 1):
        for one in features:
            for name, model in models.items():
                started = time.perf_counter()
                model.run(one)
                if turn:  # the first prepares the signatures
                    times[name].append(1000 * (time.perf_counter() - started))
    return {name: statistics.median(values) for name, values in times.items()}


def _candidate(gate: Gate, name: str, path: Path, results: Mapping[str, EvalResult], milliseconds: float) -> Candidate:
    score = results[name].score.value
    lost = results[FLOAT].score.value - score
    reason = "" if gate.passes(results[FLOAT], results[name]) else f"loses {lost:.2f} points"
    return Candidate(name, reason, score, path.stat().st_size, milliseconds)


def _undominated(row: Candidate, rows: Sequence[Candidate]) -> bool:
    """Whether no other row is at least as good in everything and better in something."""
    def goodness(one: Candidate) -> tuple[float, ...]:
        return one.score or 0.0, -(one.bytes or 0), -(one.milliseconds or 0.0)

    mine = goodness(row)
    return not any(all(theirs >= ours for theirs, ours in zip(goodness(other), mine, strict=True))
                   and goodness(other) != mine for other in rows)


def _keep(request: ConvertRequest, report: ConvertReport) -> ConvertReport:
    """Move the file of ``report`` to where it was asked for."""
    with replacing(request.output) as temporary:
        os.replace(report.output, temporary)
    return replace(report, output=str(request.output))
