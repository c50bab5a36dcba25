"""Plain text, folds and choices in `mbl train`, as users run it: trained, converted, scored."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import mbl
from conftest import EXHAUSTIVE

from mobilebert_lite.architecture.config import MobileBertConfig, to_huggingface
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.training import raw_text

WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
FAST = ("--no-jit", "--threads", "1", "--vocab-size", "250", "--seq-len", "32", "--learning-rate", "5e-3", "--json")


def documents(count: int) -> list[list[str]]:
    """Of lines that say one word again and again, so that a hidden one can be told."""
    rng = random.Random(0)
    return [[f"{(words := rng.sample(WORDS, 2))[0]} {words[0]} {words[1]} {words[1]} n{i} n{i}" for i in range(6)]
            for _ in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_config: MobileBertConfig) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    config = replace(tiny_config, num_hidden_layers=1, classifier_activation=False, attention_probs_dropout_prob=0.0)
    (folder / "tiny.json").write_text(json.dumps(to_huggingface(config)))
    (folder / "raw.txt").write_bytes("\r\n\r\n".join("\r\n".join(one) for one in documents(60)).encode("utf-8-sig"))
    (folder / "raw.jsonl").write_text("".join(json.dumps({"text": line}) + "\n"
                                              for document in documents(8) for line in document))
    rng = random.Random(1)
    (folder / "labeled.csv").write_text("text,label\n" + "".join(
        f"{' '.join(rng.sample(WORDS[2:], 3))} {(word := rng.choice(WORDS[:2]))} n{i},{word}\n" for i in range(90)))
    (folder / "choices.jsonl").write_text("".join(json.dumps({
        "prompt": f"{word} {' '.join(rng.sample(WORDS[2:], 3))} n{i}", "choices": choices,
        "label": choices.index(word)}) + "\n" for i in range(120) for word in [WORDS[i % 2]]
        for choices in [rng.sample([*WORDS[:2], "eta"][:2 + i % 2], 2 + i % 2)]))
    return folder


def learn(folder: Path, output: Path, task: str, data: str, *options: object) -> tuple[dict[str, Any], str]:
    """metrics.json, and what was said."""
    done = mbl("train", "--task", task, "--config", folder / "tiny.json", "--data", folder / data, "--output", output,
               *FAST, *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def scored(folder: Path, checkpoint: Path, data: str, mode: str = "none") -> dict[str, float]:
    file = checkpoint.with_suffix(".tflite")
    made = mbl("convert", "--weights", checkpoint, "--quantize", mode, "--seq-len", "32", "-o", file,
               "--calibration", folder / data)
    assert made.returncode == 0, made.stderr
    found: dict[str, float] = json.loads(mbl("eval", file, "--data", folder / data, "--json").stdout)["metrics"]
    return found


def test_masked_words_are_learnt(folder: Path, tmp_path: Path) -> None:
    report, said = learn(folder, tmp_path / "lm", "fill-mask", "raw.txt", "--whole-words", "--eval",
                         folder / "raw.jsonl", "--epochs", 8)
    assert "from scratch: every part of the network is new" in said
    assert "rows are few for a network from scratch" in said
    assert report["score"] > 50  # a guess among six words is right once in six
    found = scored(folder, tmp_path / "lm", "raw.jsonl")
    assert {name: found[name] for name in report["metrics"]} == pytest.approx(report["metrics"], abs=0.3)


def test_folds(folder: Path, tmp_path: Path) -> None:
    """Every example is scored by a network that has not seen it; what is written has learnt from all."""
    report, said = learn(folder, tmp_path / "folds", "classification", "labeled.csv", "--folds", 2, "--epochs", 6)
    parts = report["folds"]
    assert sum(part["examples"] for part in parts) == 90
    assert min(part["examples"] for part in parts) >= 40  # copies of a text stay together
    assert report["score"] == pytest.approx(np.mean([part["score"] for part in parts]))
    assert report["score"] > 80
    assert report["score_deviation"] == pytest.approx(np.std([part["score"] for part in parts], ddof=1))
    assert report["metrics"]["total"] == report["examples"]["train"] == 90
    assert "fold 2 of 2: accuracy" in said
    assert (tmp_path / "folds" / "model.safetensors").is_file()
    assert not (tmp_path / "folds" / "training").exists()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["none", *(["dynamic", "fp16", "int8", "int8-full"] if EXHAUSTIVE else ["int8"])])
@pytest.mark.parametrize(("task", "data"), [("multiple-choice", "choices.jsonl")])
def test_choices_are_learnt(folder: Path, tmp_path: Path, task: str, data: str, mode: str) -> None:
    report, _ = learn(folder, tmp_path / "trained", task, data, "--eval", folder / data, "--epochs", 12)
    assert report["score"] > 90
    found = scored(folder, tmp_path / "trained", data, mode)
    assert found["accuracy"] == pytest.approx(report["score"], abs=0.3 if mode == "none" else 1)


@pytest.mark.slow
def test_next_sentences_train_from_raw_text(folder: Path, tmp_path: Path) -> None:
    report, _ = learn(folder, tmp_path / "nsp", "next-sentence", "raw.txt", "--epochs", 1)
    assert report["examples"] == {"train": 240, "eval": 60}


def test_lines_that_follow(tmp_path: Path) -> None:
    """Half of the pairs are neighbors; the others are not, and none reaches into another side's document."""
    task, path = find_task("next-sentence"), tmp_path / "raw.txt"
    texts = [[f"document {i} says {j} things" for j in range(5)] for i in range(40)]
    path.write_text("\n\n".join("\n".join(one) for one in texts))
    units = raw_text.read_units(path, task, DataOptions()).examples
    assert len(units) == 40
    pairs = raw_text.examples_of(units[:30], path, task, seed=0)
    assert pairs == raw_text.examples_of(units[:30], path, task, seed=0)
    assert len(pairs) == 30 * 4
    following = {(one[j], one[j + 1]) for one in texts for j in range(4)}
    for pair in pairs:
        assert ((pair.text, pair.pair) in following) == (pair.label == "0")
        assert pair.pair in {line for one in texts[:30] for line in one}
    assert 40 < sum(pair.label == "0" for pair in pairs) < 80


def test_lines_to_fill(tmp_path: Path) -> None:
    path = tmp_path / "raw.txt"
    path.write_text("one line\n\n  another \n")
    units = raw_text.read_units(path, find_task("fill-mask"), DataOptions()).examples
    assert [(unit.text, unit.id) for unit in units] == [("one line", "1"), ("another", "3")]
    with pytest.raises(DataError, match="no two lines that follow each other"):
        raw_text.read_units(path, find_task("next-sentence"), DataOptions())
