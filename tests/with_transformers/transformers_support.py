"""Two versions of transformers, each in an environment of its own, and what they write, made once for all tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

_HERE = Path(__file__).resolve().parent
_ENVIRONMENTS = Path(os.environ.get("MBL_TRANSFORMERS", _HERE.parent.parent / ".venv-transformers"))
# The one has PyTorch, the other the TensorFlow classes, which transformers 5 has no more.
VERSIONS = ("tf5", "tf446")
EXHAUSTIVE = bool(os.environ.get("MBL_EXHAUSTIVE"))

HEADS = {"base": "features", "pretraining": "pretraining", "masked_lm": "fill-mask", "next_sentence": "next-sentence",
         "sequence_classification": "classification", "multiple_choice": "multiple-choice",
         "token_classification": "token-classification", "question_answering": "qa"}
KINDS = {"tf5": ("safetensors", "sharded", "bin", "legacy-bin", "sharded-bin", "float16", "bfloat16", "float16-bin",
                 "bfloat16-bin"),
         "tf446": ("h5", "sharded-h5", "tf-safetensors", "tf-sharded")}
# Head → for each of our outputs, theirs.
OUTPUTS = {
    "base": {"sequence_output": "last_hidden_state", "pooled_output": "pooler_output"},
    "pretraining": {"prediction_logits": "prediction_logits", "seq_relationship_logits": "seq_relationship_logits"},
    "question_answering": {"start_logits": "start_logits", "end_logits": "end_logits"},
}
LOGITS = {"logits": "logits"}
# Of the largest number that transformers computes: 80 steps of float32 at its size.
TOLERANCE = 1e-5


def start(version: str, child: str, arguments: Sequence[object], given: str = "") -> None:
    """Run ``child`` under ``version`` of transformers, away from every network. Fails the test where it fails."""
    python = _ENVIRONMENTS / version / "bin" / "python"
    if not python.exists():
        pytest.fail(f"no environment {python.parent.parent}: run `make test-transformers`, which makes it")
    command = [str(part) for part in (python, _HERE / "children" / child, *arguments)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=900,
                          env={**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""})
    if done.returncode:
        pytest.fail(f"{child} under {version} ended with {done.returncode}:\n{done.stderr[-3000:]}")


def expected_of(folder: Path) -> dict[str, np.ndarray]:
    """Inputs and outputs (``out_…``) of transformers for the checkpoint in ``folder``."""
    with np.load(folder / "expected.npz") as stored:
        return dict(stored)




def inputs_of(expected: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Theirs under our names, int32."""
    names = {"ids": "input_ids", "mask": "attention_mask", "segment_ids": "token_type_ids"}
    return {ours: expected[theirs].astype(np.int32) for ours, theirs in names.items()}


def largest_difference(actual: np.ndarray, wanted: np.ndarray, mask: np.ndarray) -> float:
    """Of the largest wanted value; padding positions of outputs for each token left out."""
    assert actual.shape == wanted.shape
    if wanted.ndim > 1 and wanted.shape[:2] == mask.shape:
        actual, wanted = actual[mask == 1], wanted[mask == 1]
    assert np.ptp(wanted) > 0
    return float(np.abs(actual.astype(np.float64) - wanted).max() / np.abs(wanted).max())


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, in float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))
