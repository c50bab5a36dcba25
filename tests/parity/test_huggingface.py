"""Against the outputs of transformers itself, for checkpoints that it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from mobilebert_lite.converters import huggingface
from mobilebert_lite.converters.tflite import convert_network
from mobilebert_lite.fusion.pipeline import fuse
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.runtime import Session

Arrays = Mapping[str, np.ndarray]

LENGTH = 24
QA = {"start_logits": "out_start_logits", "end_logits": "out_end_logits"}
# Folder -> task and, for each of our outputs, theirs.
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "uncased/base": ("features", {"sequence_output": "out_last_hidden_state", "pooled_output": "out_pooler_output"}),
    "uncased/sequence_classification": ("classification", {"probability": "out_logits"}),
    "nopool/sequence_classification": ("classification", {"probability": "out_logits"}),
    "uncased/question_answering": ("qa", QA),
    "tiny/question_answering": ("qa", QA),
    "layernorm/question_answering": ("qa", QA),
}
ALL = [*CASES, "uncased/mlm", "uncased/multiple_choice", "uncased/nsp", "uncased/pretraining",
       "uncased/token_classification"]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def assert_close(actual: np.ndarray, expected: np.ndarray, mask: np.ndarray) -> None:
    """Within 1e-4 of the largest expected value, about 800 float32 steps at its size; padding left out."""
    assert actual.shape == expected.shape
    if expected.shape[:2] == mask.shape:
        kept = mask.astype(bool)
        actual, expected = actual[kept], expected[kept]
    assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max()


def rows_of(expected: Arrays) -> list[dict[str, np.ndarray]]:
    """The rows as batches of one."""
    names = {"ids": "input_ids", "mask": "attention_mask", "segment_ids": "token_type_ids"}
    return [{ours: expected[theirs][i:i + 1] for ours, theirs in names.items()}
            for i in range(len(expected["input_ids"]))]


@pytest.mark.parametrize("case", CASES)
def test_graph_and_file_agree_with_transformers(shared: Callable[..., Path], case: str) -> None:
    """The graph as it is, and the float file after every fusion rule."""
    task, outputs = CASES[case]
    folder = shared("checkpoints", "hf", *case.split("/"))
    with np.load(folder / "expected.npz") as stored:
        expected = dict(stored)
    assert (expected["attention_mask"] == 0).any()  # or the mask would go untested
    weights = huggingface.load(folder)
    network = Network(weights.config, weights.tensors, task)
    fused = fuse(weights, task)
    file = Session(convert_network(Network(weights.config, fused.tensors, task, plan=fused.plan), [LENGTH]))
    signature, rows = f"{task}_{LENGTH}", rows_of(expected)

    for ours, theirs in outputs.items():
        wanted = softmax(expected[theirs]) if ours == "probability" else expected[theirs]
        for actual in (network.run(rows), [file.run(signature, row) for row in rows]):
            assert_close(np.concatenate([row[ours] for row in actual]), wanted, expected["attention_mask"])


@pytest.mark.parametrize("case", [case for case, (task, _) in CASES.items() if task == "classification"])
def test_class_logits_agree_before_the_softmax(shared: Callable[..., Path], case: str) -> None:
    """A softmax hides an offset common to all logits."""
    import tensorflow as tf

    from mobilebert_lite.graph.encoder import encode
    from mobilebert_lite.graph.heads import classification_logits

    folder = shared("checkpoints", "hf", *case.split("/"))
    weights = huggingface.load(folder)
    with np.load(folder / "expected.npz") as expected:
        hidden = encode(weights.tensors, weights.config, *(
            tf.constant(expected[name]) for name in ("input_ids", "attention_mask", "token_type_ids")))
        logits = classification_logits(weights.tensors, hidden).numpy()
        assert_close(logits, expected["out_logits"], expected["attention_mask"])


@pytest.mark.parametrize("case", ALL)
def test_every_tensor_comes_back_under_its_name(shared: Callable[..., Path], tmp_path: Path, case: str) -> None:
    """Load, save: what transformers wrote, to the byte."""
    folder = shared("checkpoints", "hf", *case.split("/"))
    huggingface.save(huggingface.load(folder), tmp_path)
    before, after = (load_file(place / huggingface.SAFETENSORS) for place in (folder, tmp_path))
    assert set(after) == set(before)
    different = [name for name in before if before[name].dtype != after[name].dtype
                 or before[name].shape != after[name].shape or before[name].tobytes() != after[name].tobytes()]
    assert different == []
    assert huggingface.load(tmp_path).config == huggingface.load(folder).config
