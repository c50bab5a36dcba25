"""Which client is asked with which file, and the table of what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from compare import Difference, Outcome

NAMES = {"task-library": "Task Library 0.4.4", "mediapipe": "MediaPipe 1.2.2",
         "ai-edge-litert Interpreter": "LiteRT 2.3.0 Interpreter",
         "ai-edge-litert CompiledModel": "LiteRT 2.3.0 CompiledModel", "tflite-runtime": "tflite-runtime 2.14.0"}
APIS = {("task-library", "qa"): "BertQuestionAnswerer", ("task-library", "classification"): "BertNLClassifier",
        ("mediapipe", "classification"): "TextClassifier"}
OLD_MODES = ("none", "int8, runtime 2.14")
FILES = [(name, mode) for name in ("qa", "sst2", "intents") for mode in ("none", "int8", "int8, runtime 2.14")]
# What one model of each task shows; the other checkpoints and modes show it again.
SAMPLE = [("qa", "none"), ("qa", "int8"), ("qa", "int8, runtime 2.14"), ("intents", "none"), ("intents", "int8"),
          ("intents", "int8, runtime 2.14"), ("intents, two lengths", "none")]
_TOO_NEW = r"FULLY_CONNECTED.* version '12'"
_ONE_SUBGRAPH = "single subgraph"

# (client, file, mode, what its refusal says; empty where it loads the file).
CASES = [
    *(("task-library", name, mode, "" if mode in OLD_MODES else _TOO_NEW) for name, mode in FILES),
    ("task-library", "intents, two lengths", "none", ""),
    *(("mediapipe", name, mode, "") for name, mode in FILES if name != "qa"),
    ("mediapipe", "intents, two lengths", "none", _ONE_SUBGRAPH),
    *((client, name, mode, "") for client in ("ai-edge-litert Interpreter", "ai-edge-litert CompiledModel")
      for name, mode in FILES),
    *(("tflite-runtime", name, mode, "" if mode in OLD_MODES else _TOO_NEW) for name, mode in FILES),
]
_HEAD = ["| client | file | texts | as `mbl run` on the same tokens | of other tokens | other answers than `mbl run` |",
         "|---|---|---|---|---|---|"]


def render(outcomes: Mapping[tuple[str, str, str], Outcome]) -> list[str]:
    """The table's lines."""
    rows = []
    for (client, name, mode), found in outcomes.items():
        api = APIS.get((client, "qa" if name == "qa" else "classification"), "")
        label = f"| {NAMES[client]} {api}".rstrip()
        if found.refusal:
            rows.append(f"{label} | {name}, {mode} | refused: {_reason(found.refusal)} | | | |")
            continue
        reference = f"{found.other_tokens} | {_counted(found.from_reference)}" if api else "takes ids |"
        ties = len(found.differences)
        rows.append(f"{label} | {name}, {mode} | {found.examples} | {found.examples - ties}"
                    f"{f', {ties} tied' if ties else ''} | {reference} |")
    return [*_HEAD, *rows]


def comparable(line: str) -> str:
    """A line of the table without the counts that rounding decides: which answers are tied, and which of a tie came."""
    cells = line.split("|")
    return "|".join([*cells[:4], *cells[5:6]])


def _reason(refusal: str) -> str:
    return "FULLY_CONNECTED version 12 is newer" if "FULLY_CONNECTED" in refusal else "more than one subgraph"


def _counted(differences: Sequence[Difference]) -> str:
    counts = Counter(one.reason for one in differences)
    return ", ".join(f"{count} ({reason})" for reason, count in sorted(counts.items())) or "0"
