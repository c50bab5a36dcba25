"""What both writers make: the eight heads on tiny networks, and the texts that they are asked about.

Imports nothing of mobilebert-lite, and of neither framework.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

TINY: dict[str, Any] = {
    "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "embedding_size": 16,
    "intra_bottleneck_size": 32, "true_hidden_size": 32, "max_position_embeddings": 64, "num_feedforward_networks": 2,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}
TAGS = {0: "O", 1: "B-person", 2: "I-person", 3: "B-city", 4: "I-city"}


@dataclass(frozen=True)
class Head:
    """One of the eight: the end of its class's name, and what is not as in TINY."""

    suffix: str
    settings: dict[str, Any] = field(default_factory=dict)


# Variants of the architecture, each written with one head.
HEADS = {
    "base": Head("Model"),
    "pretraining": Head("ForPreTraining"),
    "masked_lm": Head("ForMaskedLM", {"hidden_act": "gelu"}),
    "next_sentence": Head("ForNextSentencePrediction", {"trigram_input": False}),
    "sequence_classification": Head("ForSequenceClassification", {
        "normalization_type": "layer_norm", "id2label": {0: "music", 1: "weather", 2: "alarm"}}),
    "multiple_choice": Head("ForMultipleChoice", {"classifier_activation": False}),
    "token_classification": Head("ForTokenClassification", {"id2label": TAGS, "use_bottleneck_attention": True}),
    "question_answering": Head("ForQuestionAnswering"),
}

LENGTH, CHOICES = 32, 4


def settings(name: str, words: int) -> dict[str, Any]:
    """The configuration of head ``name`` for a vocabulary of ``words``."""
    own = dict(HEADS[name].settings)
    if "id2label" in own:
        own["label2id"] = {label: i for i, label in own["id2label"].items()}
    return {**TINY, **own, "vocab_size": words}


def inputs(name: str, words: int) -> dict[str, np.ndarray]:
    """Six sequences in two segments, some of them padded. int64, [6, seq], or [6, choices, seq]."""
    rng = np.random.default_rng(3)
    rows = 6 * (CHOICES if name == "multiple_choice" else 1)
    used = np.resize([LENGTH, LENGTH - 1, LENGTH // 2, 9, 3, LENGTH - 5], rows)[:, None]
    places = np.arange(LENGTH)[None]
    mask = places < used
    arrays = {"input_ids": np.where(mask, rng.integers(1, words, (rows, LENGTH)), 0), "attention_mask": mask,
              "token_type_ids": mask & (places >= used // 2)}
    shape = (6, CHOICES, LENGTH) if name == "multiple_choice" else (6, LENGTH)
    return {key: value.astype(np.int64).reshape(shape) for key, value in arrays.items()}


def random_values(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """For the parameter ``name``: gains around 1 and biases around 0, none of them 1 or 0. float32."""
    values = rng.standard_normal(shape)
    if len(shape) == 2:
        embedding = "embedding" in name and "transformation" not in name
        values *= 0.5 if embedding else 0.7 / np.sqrt(max(shape))
    else:
        gain = name.endswith(("weight", "gamma")) or "/weight" in name or "/gamma" in name
        values = 1 + 0.2 * values if gain else 0.1 * values
    return values.astype(np.float32)
