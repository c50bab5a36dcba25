"""Zero-shot classification gives the scores of the pipeline of transformers, from files of logits and probabilities."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers_support import start

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.conversion.reference import float_file
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import find_task

pytestmark = [pytest.mark.transformers, pytest.mark.timeout(1800)]

# Name → classes: orders and spellings in use, three classes and two.
MODELS = {
    "mnli": ["contradiction", "neutral", "entailment"],
    "upper": ["ENTAILMENT", "NEUTRAL", "CONTRADICTION"],
    "cross-encoder": ["contradiction", "entailment", "neutral"],
    "rte": ["entailment", "not_entailment"],
    "two": ["not_entailment", "entailment"],
}
LENGTH = 48
_TEXTS = ["the battery goes off after five hours, and the screen with it", "who took my pair of tickets to the sun?",
          # Longer than the file: the text is cut, the hypothesis is not.
          "water and heat and light and sound and time and days and weeks and months and years " * 3]
_LONG = "in all that is said here from the first word to the last one there is more about {} than one may think now"
QUESTIONS: list[dict[str, Any]] = [
    {"sequences": text, "candidate_labels": labels, **options} for text in _TEXTS
    for labels in (["battery", "travel", "weather", "none of these"], ["a single one"])
    for options in ({}, {"multi_label": True}, {"hypothesis_template": "it is about {}, is it not?"},
                    {"hypothesis_template": _LONG})]
# Steps of float32 in the logits, which are about 1, seen through a softmax.
TOLERANCE = 2e-6


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, tiny_vocabulary: Sequence[str]) -> Path:
    """A folder with the models, and what the pipeline says."""
    root = tmp_path_factory.mktemp("zero-shot")
    vocabulary = root / "vocab.txt"
    vocabulary.write_text("".join(f"{word}\n" for word in tiny_vocabulary), encoding="utf-8")
    start("tf5", "zero_shot.py", [vocabulary, root],
          json.dumps({"models": MODELS, "questions": QUESTIONS, "length": LENGTH}))
    return root


@pytest.mark.parametrize("logits", [True, False], ids=["logits", "probabilities"])
@pytest.mark.parametrize("name", MODELS)
def test_scores(written: Path, tmp_path: Path, name: str, logits: bool) -> None:
    path = tmp_path / "model.tflite"
    if name == "mnli" and not logits:  # as a user makes it; the others sooner, as `mbl eval --against` does
        convert(ConvertRequest(path, str(written / name), lengths=(LENGTH,), quantize="none"))
    else:
        checkpoint = load_checkpoint(str(written / name), "classification")
        path.write_bytes(float_file(checkpoint, find_task("classification", Form(logits=logits)), (LENGTH,)))
    model = Model(path)
    for asked, said in zip(QUESTIONS, json.loads((written / name / "scores.json").read_text()), strict=True):
        found = model.zero_shot(asked["sequences"], asked["candidate_labels"],
                                template=asked.get("hypothesis_template", "This example is {}."),
                                multi_label=asked.get("multi_label", False))
        wanted = dict(zip(said["labels"], said["scores"], strict=True))
        assert {one.name: one.probability for one in found} == pytest.approx(wanted, abs=TOLERANCE), asked
    assert max(said["scores"]) - min(said["scores"]) < 1  # a lone label has one score
