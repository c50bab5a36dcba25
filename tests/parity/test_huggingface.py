"""Against the outputs of transformers itself, for checkpoints that it wrote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from conftest import EXHAUSTIVE
from safetensors.numpy import load_file

from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.conversion.lowering import convert_network
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.fusion.pipeline import fuse
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.choose import choose_task

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
    "uncased/mlm": ("fill-mask", {"logits": "out_logits"}),
    "uncased/pretraining": ("pretraining", {"prediction_logits": "out_prediction_logits",
                                            "seq_relationship_logits": "out_seq_relationship_logits"}),
    "uncased/nsp": ("next-sentence", {"probability": "out_logits"}),
    "uncased/multiple_choice": ("multiple-choice", {"probability": "out_logits"}),
    "uncased/token_classification": ("token-classification", {"logits": "out_logits"}),
}
# Tolerance of probabilities, as a share of the largest: logits of 60 are off by more than 1e-4 of a probability.
PROBABILITY = 3e-4
# Those whose converted files are compared too; see FILES in test_tensorflow_formats.py.
FILES = ("uncased/sequence_classification", "nopool/sequence_classification", "layernorm/question_answering")
# Tasks with a softmax at their end.
CLASSES = ("classification", "next-sentence", "multiple-choice")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def assert_close(actual: np.ndarray, expected: np.ndarray, mask: np.ndarray, tolerance: float = 1e-4) -> None:
    """Within ``tolerance`` of the largest expected value, 1e-4: about 800 float32 steps; padding left out.
    """
    assert actual.shape == expected.shape
    if expected.ndim > 1 and expected.shape[:2] == mask.shape:
        kept = mask.astype(bool)
        actual, expected = actual[kept], expected[kept]
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def rows_of(expected: Arrays) -> list[dict[str, np.ndarray]]:
    """The rows as batches of one."""
    names = {"ids": "input_ids", "mask": "attention_mask", "segment_ids": "token_type_ids"}
    return [{ours: expected[theirs][i:i + 1] for ours, theirs in names.items()}
            for i in range(len(expected["input_ids"]))]


def load(folder: Path, task: str, logits: bool = False) -> tuple[Weights, Form, Arrays]:
    """The checkpoint, the form of its file and what transformers computed."""
    with np.load(folder / "expected.npz") as stored:
        expected = dict(stored)
    form = Form(logits=logits, choices=expected["input_ids"].shape[1] if task == "multiple-choice" else 0)
    return huggingface.load(folder), form, expected


@pytest.mark.parametrize("case", CASES)
def test_graph_and_file_agree_with_transformers(shared: Callable[..., Path], case: str) -> None:
    """The graph as it is, and the float file after every fusion rule, of FILES."""
    task, outputs = CASES[case]
    weights, form, expected = load(shared("checkpoints", "hf", *case.split("/")), task)
    assert (expected["attention_mask"] == 0).any()  # or the mask would go untested
    purpose = find_task(task, form)
    network = Network(weights.config, weights.tensors, purpose)
    rows = rows_of(expected)
    answers = [network.run(rows)]
    if EXHAUSTIVE or case in FILES:
        fused = fuse(weights, purpose)
        file = Session(convert_network(Network(weights.config, fused.tensors, purpose, plan=fused.plan), [LENGTH]))
        answers.append([file.run(f"{task}_{LENGTH}", row) for row in rows])

    for ours, theirs in outputs.items():
        wanted, tolerance = (softmax(expected[theirs]), PROBABILITY) if ours == "probability" else (
            expected[theirs], 1e-4)
        for actual in answers:
            assert_close(np.concatenate([row[ours] for row in actual]), wanted, expected["attention_mask"], tolerance)


@pytest.mark.parametrize("case", [case for case, (task, _) in CASES.items() if task in CLASSES])
def test_class_logits_agree_before_the_softmax(shared: Callable[..., Path], case: str) -> None:
    """A softmax hides an offset common to all logits."""
    task = CASES[case][0]
    weights, form, expected = load(shared("checkpoints", "hf", *case.split("/")), task, logits=True)
    actual = Network(weights.config, weights.tensors, find_task(task, form)).run(rows_of(expected))
    assert_close(np.concatenate([row["logits"] for row in actual]), expected["out_logits"], np.zeros((0, 0)))


def test_logits_at_positions(shared: Callable[..., Path]) -> None:
    """Those of transformers at the same tokens, in the graph and in the file; a position can come twice."""
    weights, _, expected = load(shared("checkpoints", "hf", "uncased", "mlm"), "fill-mask")
    form, positions = Form(positions=4), np.array([[7, 1, 3, 1]], np.int32)
    fused = fuse(weights, find_task("fill-mask"))
    task = find_task("fill-mask", form)
    file = Session(convert_network(Network(weights.config, fused.tensors, task, plan=fused.plan), [LENGTH]))
    rows = [{**row, "positions": positions} for row in rows_of(expected)]
    graph = Network(weights.config, weights.tensors, find_task("fill-mask", form)).run(rows)
    for actual in (graph, [file.run(f"fill-mask_{LENGTH}", row) for row in rows]):
        assert_close(np.concatenate([row["logits"] for row in actual]), expected["out_logits"][:, positions[0]],
                     np.zeros((0, 0)))


@pytest.mark.parametrize("case", CASES)
def test_the_task_follows_from_the_checkpoint(shared: Callable[..., Path], case: str) -> None:
    assert choose_task(huggingface.load(shared("checkpoints", "hf", *case.split("/"))), None).name == CASES[case][0]


@pytest.mark.parametrize("case", CASES)
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
