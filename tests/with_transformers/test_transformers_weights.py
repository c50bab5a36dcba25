"""Folders of ``save_pretrained`` are read with nothing but their place, whatever kind of file holds the weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from transformers_support import (
    EXHAUSTIVE,
    HEADS,
    KINDS,
    LOGITS,
    OUTPUTS,
    TOLERANCE,
    expected_of,
    inputs_of,
    largest_difference,
    softmax,
    start,
)

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.choose import choose_task

pytestmark = [pytest.mark.transformers, pytest.mark.timeout(1800)]

COMBINATIONS = [(version, head, kind) for version, kinds in KINDS.items() for kind in kinds for head in HEADS]
# One kind of file for each head goes through the whole conversion, so that each kind does at least once in two heads.
_SAMPLE = {"base": ("tf5", "safetensors"), "pretraining": ("tf5", "bin"), "masked_lm": ("tf446", "h5"),
           "next_sentence": ("tf446", "tf-safetensors"), "sequence_classification": ("tf5", "sharded-bin"),
           "multiple_choice": ("tf446", "sharded-h5"), "token_classification": ("tf5", "float16"),
           "question_answering": ("tf5", "sharded")}
CONVERTED = COMBINATIONS if EXHAUSTIVE else [(version, head, kind) for head, (version, kind) in _SAMPLE.items()]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, tiny_vocabulary: tuple[str, ...]) -> Callable[..., Path]:
    """``written(version, head, kind)``: the folder of that checkpoint."""
    root = tmp_path_factory.mktemp("written")
    vocabulary = root / "vocab.txt"
    vocabulary.write_text("".join(f"{word}\n" for word in tiny_vocabulary), encoding="utf-8")

    @cache
    def write(version: str) -> Path:
        child = {"tf5": "torch_checkpoints.py", "tf446": "tf_checkpoints.py"}[version]
        start(version, child, [vocabulary, root / version])
        return root / version

    return lambda version, head, kind: write(version) / head / kind


def outputs_of(checkpoint: Checkpoint, task: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Of the float graph, class outputs before their softmax."""
    from mobilebert_lite.graph.signatures import Network

    classes = task in ("classification", "multiple-choice", "next-sentence")
    form = Form(logits=classes, choices=inputs["ids"].shape[1] if task == "multiple-choice" else 0)
    network = Network(checkpoint.weights.config, checkpoint.weights.tensors, find_task(task, form))
    return {name: value.numpy() for name, value in network(**inputs).items()}


@pytest.mark.parametrize(("version", "head", "kind"), COMBINATIONS, ids=map("-".join, COMBINATIONS))
def test_the_graph_computes_what_transformers_does(written: Callable[..., Path], version: str, head: str,
                                                   kind: str) -> None:
    folder = written(version, head, kind)
    checkpoint, expected = load_checkpoint(str(folder)), expected_of(folder)
    task = choose_task(checkpoint.weights, None).name
    assert task == HEADS[head]
    inputs = inputs_of(expected)
    assert (inputs["mask"] == 0).any()  # or the mask would go untested
    found, names = outputs_of(checkpoint, task, inputs), OUTPUTS.get(head, LOGITS)
    assert set(found) == set(names)
    for ours, theirs in names.items():
        assert largest_difference(found[ours], expected[f"out_{theirs}"], inputs["mask"]) <= TOLERANCE


@pytest.mark.parametrize(("version", "head", "kind"), CONVERTED, ids=map("-".join, CONVERTED))
def test_the_file_answers_what_transformers_does(written: Callable[..., Path], tmp_path: Path, version: str,
                                                 head: str, kind: str) -> None:
    """What `mbl convert --quantize none --seq-len 32 --weights FOLDER` makes, and its answers."""
    folder, path = written(version, head, kind), tmp_path / "model.tflite"
    report = convert(ConvertRequest(path, str(folder), lengths=(32,), quantize="none"))
    assert report.task == HEADS[head]
    expected, session = expected_of(folder), Model(path).session
    inputs = inputs_of(expected)
    rows = [session.run(f"{report.task}_32", {name: value[i:i + 1] for name, value in inputs.items()})
            for i in range(len(inputs["ids"]))]
    for ours in rows[0]:
        theirs = expected[f"out_{OUTPUTS.get(head, {}).get(ours, 'logits')}"]
        wanted = softmax(theirs) if ours == "probability" else theirs
        found = np.concatenate([row[ours] for row in rows])
        assert largest_difference(found, wanted, inputs["mask"]) <= TOLERANCE


@pytest.mark.parametrize(("version", "kind"), [(version, kinds[0]) for version, kinds in KINDS.items()])
def test_labels_come_along(written: Callable[..., Path], version: str, kind: str) -> None:
    assert load_checkpoint(str(written(version, "sequence_classification", kind))).labels == (
        "music", "weather", "alarm")
    assert load_checkpoint(str(written(version, "token_classification", kind))).labels == (
        "O", "B-person", "I-person", "B-city", "I-city")
