"""What is kept for the Kotlin core was written by this package, as it is now, on whatever processor."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from kept import differences

ROOT = Path(__file__).parent.parent
CORE = ROOT / "android_demo/core/src"
KEPT = CORE / "test/resources/cases"


def _run(script: str, *arguments: object) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / script, *map(str, arguments)], check=True, capture_output=True)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_kept_cases_are_current(tmp_path: Path) -> None:
    _run("shared_cases.py", "--small", "--output", tmp_path)
    names = {path.name for path in KEPT.iterdir() if path.is_file()}
    assert names == {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert "tokenizer-demo.json" in names
    for name in names:
        kept, made = _read(KEPT / name), _read(tmp_path / name)
        found = list(differences(kept, made, made.get("tolerances", {})))
        assert not found, f"{name} (run: python scripts/shared_cases.py --small --output {KEPT.relative_to(ROOT)}): " \
                          + "\n".join(found[:5])


def test_rounding_is_no_difference_and_all_else_is() -> None:
    kept = _read(KEPT / "answers.json")
    tolerances = kept["tolerances"]
    answer = kept["cases"][1]["answers"][3]
    assert 0 < answer["probability"] < 1

    def changed(**values: object) -> list[str]:
        other = copy.deepcopy(kept)
        other["cases"][1]["answers"][3].update(values)
        return list(differences(kept, other, tolerances))

    assert not changed(probability=math.nextafter(answer["probability"], 1))
    for values in ({"probability": answer["probability"] + 1e-9}, {"probability": 1}, {"text": "other"},
                   {"start": answer["start"] + 1}, {"score": math.nextafter(answer["score"], 99.0)},
                   {"start": float(answer["start"])}, {"more": 1}):
        [found] = changed(**values)
        assert found.startswith("/cases/1/answers/3"), found
    other = copy.deepcopy(kept)
    answers = other["cases"][1]["answers"]
    answers.reverse()
    assert list(differences(kept, other, tolerances))
    del answers[0]
    assert list(differences(kept, other, tolerances)) == [
        f"/cases/1/answers: {len(answers) + 1} are kept, {len(answers)} were made"]


@pytest.mark.parametrize("name", ["answers", "labels", "entities"])
def test_no_answer_of_the_kept_cases_hangs_on_a_rounding(name: str) -> None:
    """Neighbors are equal to the bit, so that a rule orders them, or farther apart than any rounding."""
    kept = _read(KEPT / f"{name}.json")
    tolerance = kept["tolerances"]["probability"]
    compared = 0
    for case in kept["cases"]:
        for values in _compared(name, case):
            ordered = sorted(values, reverse=True)
            gaps = [first - second for first, second in pairwise(ordered) if first != second]
            compared += len(gaps)
            assert all(gap > 1e3 * tolerance for gap in gaps)
    assert compared > 20


def _compared(name: str, case: Any) -> list[list[float]]:
    """The numbers by whose order an answer is chosen."""
    if name == "answers":
        return [[answer["score"] for answer in case["answers"]]]
    return [case["output"]] if name == "labels" else [row for window in case["logits"] for row in window]


def test_the_character_table_is_current(tmp_path: Path) -> None:
    _run("character_table.py", "--output", tmp_path / "characters.txt")
    kept = CORE / "main/resources/org/mobilebertlite/core/characters.txt"
    assert kept.read_bytes() == (tmp_path / "characters.txt").read_bytes(), "run: python scripts/character_table.py"
