"""``mbl convert --eval``: the score decides whether there is a file, and which."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import mbl

from mobilebert_lite.conversion import search
from mobilebert_lite.running.model import Model

LENGTHS = "48,32"


@pytest.fixture(scope="module")
def labeled(converted: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts with the float model's own classes, so that it scores 100; dynamic quantization gets every second wrong."""
    exact, coarse = (Model(converted("classification", mode)) for mode in ("none", "dynamic"))
    rng = random.Random(0)
    words = sorted(word for word in exact.tokenizer.vocabulary if word.isalpha() and len(word) > 1)
    same: list[tuple[str, str]] = []
    different: list[tuple[str, str]] = []
    while len(different) < 5:
        text = " ".join(rng.choices(words, k=rng.randint(1, 12)))
        label = exact.classify(text)[0].name
        (same if coarse.classify(text)[0].name == label else different).append((text, label))
    path = tmp_path_factory.mktemp("data") / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": text, "label": label}) + "\n"
                            for pair in zip(same, different, strict=False) for text, label in pair))
    return path


def test_a_good_file_passes(tiny_classifier: Path, labeled: Path, tmp_path: Path) -> None:
    output, report = tmp_path / "out.tflite", tmp_path / "report.json"
    done = mbl("convert", "--weights", tiny_classifier, "--seq-len", LENGTHS, "--quantize", "none", "--eval", labeled,
               "--max-drop", 0, "--report", report, "-o", output)
    assert done.returncode == 0, done.stderr
    assert "accuracy 100.00, of the float model 100.00" in done.stdout
    written = json.loads(report.read_text())
    assert written["output"] == str(output)
    assert written["evaluation"]["candidate"]["value"] == written["evaluation"]["float"]["value"] == 100
    assert written["evaluation"]["data"]["examples"] == len(labeled.read_text().splitlines())
    assert written["bytes"] == output.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tflite", "report.json"]


def test_a_file_that_loses_too_much_is_refused(tiny_classifier: Path, labeled: Path, tmp_path: Path) -> None:
    """It agrees with the checkpoint on the calibration texts, so verification lets it pass; its score does not."""
    output = tmp_path / "out.tflite"
    output.write_bytes(b"before")
    done = mbl("convert", "--weights", tiny_classifier, "--seq-len", LENGTHS, "--quantize", "dynamic", "--eval",
               labeled, "-o", output, "--report", tmp_path / "report.json", "--max-drop", 49.9)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        "Error: evaluation failed on 10 examples: accuracy of the candidate 50.00, of the float model 100.00, a drop "
        "of 50.00 points (at most 49.9 allowed); no file was written.")
    assert output.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.tflite"]


@pytest.mark.slow
def test_search(tiny_classifier: Path, labeled: Path, tmp_path: Path) -> None:
    output, report, recipe = tmp_path / "out.tflite", tmp_path / "report.json", tmp_path / "broken.json"
    recipe.write_text(json.dumps({"description": "coarse", "word_table": "int8", "rules": [
        {"operation": "*", "weights": "int8-tensor", "activations": "int8"}]}))
    done = mbl("convert", "--weights", tiny_classifier, "--seq-len", LENGTHS, "--search", "--eval", labeled,
               "--recipe", recipe, "--max-drop", 0, "--report", report, "-o", output)
    assert done.returncode == 0, done.stderr
    written = json.loads(report.read_text())
    rows = {row["recipe"]: row for row in written["candidates"]}
    assert set(rows) == {"float", "broken", "int8", "int4", "dynamic", "fp16", "none"}
    assert rows["dynamic"]["reason"] == "loses 50.00 points"
    assert rows["broken"]["reason"].startswith("verification failed")
    assert rows["broken"]["score"] is None
    assert "not divisible by block size 32" in rows["int4"]["reason"]  # the tiny checkpoint is too narrow for it
    passing = [row for row in rows.values() if not row["reason"] and row["recipe"] != "float"]
    assert written["kept"] in {row["recipe"] for row in passing}
    assert rows[written["kept"]]["bytes"] == output.stat().st_size == written["bytes"]
    assert rows["none"]["score"] == rows["float"]["score"] == 100
    assert all(row["milliseconds"] > 0 for row in rows.values() if row["score"] is not None)
    assert any(row["pareto"] for row in rows.values())
    [kept] = [line for line in done.stdout.splitlines() if "kept" in line]
    assert kept.strip("│ ").startswith(written["kept"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.json", "out.tflite", "report.json"]
    assert Model(output).labels


@pytest.mark.slow
def test_what_no_recipe_can_help(tiny_classifier: Path, labeled: Path, tmp_path: Path) -> None:
    done = mbl("convert", "--weights", tiny_classifier, "--seq-len", 999, "--search", "--eval", labeled,
               "-o", tmp_path / "out.tflite")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: --seq-len 999 is above max_position_embeddings, 64")
    assert list(tmp_path.iterdir()) == []


def test_nothing_passes(tiny_classifier: Path, tmp_path: Path, labeled: Path) -> None:
    """For an old runtime only some modes exist; the data is not the task's."""
    done = mbl("convert", "--weights", tiny_classifier, "--task", "classification", "--eval", tmp_path / "absent.jsonl",
               "-o", tmp_path / "out.tflite")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1, f"Error: no data file at {tmp_path / 'absent.jsonl'}")
    assert mbl("convert", "--search").returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_every_mode_for_cpus_is_tried() -> None:
    """The others are for accelerators, which this machine cannot time."""
    from mobilebert_lite.quantization.recipe import MODES

    assert set(MODES) - set(search.recipes()) == {"int8-full", "int16x8"}
    assert set(search.recipes()) <= set(MODES)


@pytest.mark.slow
def test_a_trained_checkpoint(shared: Callable[..., Path], tmp_path: Path) -> None:
    """Ranges measured on texts of one or two words: the file agrees with its checkpoint on those, and loses elsewhere.

    With texts of the task the default mode keeps the score.
    """
    checkpoint = shared("checkpoints", "trained", "snips_slots")
    recipe, calibration = tmp_path / "static.json", tmp_path / "short.jsonl"
    recipe.write_text(json.dumps({"description": "dense layers static, one scale each", "word_table": "int8", "rules": [
        {"operation": name, "weights": "int8-tensor", "activations": "int8"}
        for name in ("FULLY_CONNECTED", "BATCH_MATMUL")]}))
    calibration.write_text("".join(json.dumps({"words": text.split()}) + "\n" for text in (
        "a", "the", "a a", "the the", "of", "in", "a the", "of of")))
    arguments = ["convert", "--weights", checkpoint, "--seq-len", 64, "--eval", checkpoint / "snips_slots_test.json",
                 "--max-drop", 0.3, "-o", tmp_path / "out.tflite", "--calibration"]
    done = mbl(*arguments, calibration, "--recipe", recipe)
    assert done.returncode == 1
    [(candidate, before)] = re.findall(r"evaluation failed on 700 examples: f1 of the candidate (\d+\.\d\d), of the "
                                       r"float model (\d+\.\d\d), a drop of \d\.", done.stderr)
    # What was recorded where it was trained, but for words whose label is a near tie: 0.05 points each.
    assert float(before) == pytest.approx(90.02, abs=0.15)
    assert 80 <= float(candidate) < 90
    assert not (tmp_path / "out.tflite").exists()
    done = mbl(*arguments, checkpoint / "snips_slots_dev.json")
    assert done.returncode == 0, done.stderr
    assert f"of the float model {before}, on 700 examples" in done.stdout
