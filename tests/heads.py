"""Tiny checkpoints of every head, as transformers writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.pooling import Pooling
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.converters.huggingface import checkpoint as huggingface

# Of the one signature of their files.
LENGTH = 48
TAGS = ("O", "B-person", "I-person", "B-city", "I-city")


@dataclass(frozen=True)
class Tiny:
    """What makes a tiny checkpoint one of its kind."""

    task: str
    heads: dict[str, int]
    pooler: bool = False
    labels: tuple[str, ...] = ()
    problem_type: str = ""
    # Chosen so that best answers stand out from the noise of int8; weights are random.
    seed: int = 0
    # What the file is asked to be.
    logits: bool = False
    positions: int = 0
    # What the checkpoint says of its vectors.
    pooling: Pooling | None = None


HEADS = {
    "token-classification": Tiny("token-classification", {"classifier": 5}, labels=TAGS),
    "multiple-choice": Tiny("multiple-choice", {"classifier": 1}, pooler=True),
    "next-sentence": Tiny("next-sentence", {"nsp": 2}),
    "fill-mask": Tiny("fill-mask", {"mlm": 0}),
    "fill-mask at positions": Tiny("fill-mask", {"mlm": 0}, positions=3),
    "pretraining": Tiny("pretraining", {"mlm": 0, "nsp": 2}, pooler=True),
    "multi-label": Tiny("classification", {"classifier": 3}, labels=("rude", "funny", "long"),
                        problem_type="multi_label_classification"),
    "regression": Tiny("classification", {"classifier": 1}, labels=("similarity",), problem_type="regression"),
    "raw logits": Tiny("classification", {"classifier": 4}, labels=("music", "weather", "alarm", "none"), logits=True),
    "features": Tiny("features", {}, pooler=True),
    "embedding": Tiny("embedding", {"embedding": 24}, pooling=Pooling("mean", normalize=True, dense="tanh")),
}


def weights_of(name: str, config: MobileBertConfig) -> Weights:
    """Those of the checkpoint ``name`` of HEADS: one block of ``config`` before the head."""
    tiny = HEADS[name]
    config = replace(config, num_hidden_layers=1, labels=tiny.labels, problem_type=tiny.problem_type,
                     task="" if tiny.task == "features" else tiny.task, classifier_activation=tiny.pooler)
    return replace(random_weights(config, tiny.heads, pooler=tiny.pooler, seed=tiny.seed), pooling=tiny.pooling)


def save(name: str, config: MobileBertConfig, vocabulary: Sequence[str], folder: Path) -> Path:
    """The checkpoint ``name`` of HEADS in ``folder``."""
    huggingface.save(weights_of(name, config), folder / name, vocabulary=vocabulary)
    return folder / name
