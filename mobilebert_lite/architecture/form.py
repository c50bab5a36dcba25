"""How a file gives its outputs, where a task leaves a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mobilebert_lite.architecture.pooling import ACTIVATIONS as DENSE_ACTIVATIONS
from mobilebert_lite.architecture.pooling import POOLINGS
from mobilebert_lite.errors import ModelFileError, RequestError

# In the order of the file.
INPUTS = ("ids", "mask", "segment_ids")

SINGLE_LABEL, MULTI_LABEL, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
# What turns logits into the output, by the kind of problem; names as in the configurations of transformers.
ACTIVATIONS = {SINGLE_LABEL: "softmax", MULTI_LABEL: "sigmoid", REGRESSION: ""}
# What `--problem` calls them.
PROBLEMS = {"single": SINGLE_LABEL, "multi": MULTI_LABEL, "regression": REGRESSION}
# Formats of checkpoints (converters.formats.FORMATS) whose configuration cannot say which problem it is.
_SILENT = ("tf1", "model_garden", "saved_model", "tf1_hub")

# Of choices, or of positions.
_MOST = 4096


@dataclass(frozen=True)
class Form:
    """The shapes of a file's inputs, and what its class outputs are.

    problem_type: one of ACTIVATIONS' keys: one class, several at once, or numbers.
    logits: raw logits in place of probabilities.
    choices: alternatives of a multiple-choice question; 0 for all other tasks.
    positions: masked LM: logits at this many given positions alone; 0: at every token.
    pooling: embeddings: one of pooling.POOLINGS; empty for all other tasks.
    normalize: embeddings: whether vectors have length 1.
    dense: embeddings: one of pooling.ACTIVATIONS, behind a dense layer on the pooled vector; empty without one.
    """

    problem_type: str = SINGLE_LABEL
    logits: bool = False
    choices: int = 0
    positions: int = 0
    pooling: str = ""
    normalize: bool = False
    dense: str = ""

    def __post_init__(self) -> None:
        if self.problem_type not in ACTIVATIONS:
            raise RequestError(f"problem_type is {self.problem_type!r}; known are {', '.join(ACTIVATIONS)}")
        for name, known in (("pooling", POOLINGS), ("dense", DENSE_ACTIVATIONS)):
            if getattr(self, name) not in ("", *known):
                raise RequestError(f"{name} is {getattr(self, name)!r}; known are {', '.join(known)}")

    @property
    def activation(self) -> str:
        """softmax, sigmoid, or nothing: what stands between the class logits and the output."""
        return "" if self.logits else ACTIVATIONS[self.problem_type]

    def inputs(self, length: int, batch: int | None = 1) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the int32 inputs by name, in the order of the file."""
        shape = (batch, self.choices, length) if self.choices else (batch, length)
        shapes: dict[str, tuple[int | None, ...]] = dict.fromkeys(INPUTS, shape)
        return {**shapes, "positions": (batch, self.positions)} if self.positions else shapes

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Form:
        """The form that a file's provenance records; older files record none. Raises ModelFileError for nonsense."""
        found = {field.name: raw[field.name] for field in fields(cls) if field.name in raw}
        for name, value in found.items():
            wanted = type(getattr(cls, name))
            if type(value) is not wanted or (wanted is int and not 0 <= value <= _MOST):
                raise ModelFileError(f"the model's own description is damaged: form.{name} is {str(value)[:40]!r}")
        return cls(**found)


def problem_of(said: str, outputs: int, source: str) -> str:
    """What a sequence classifier of ``outputs`` was trained for: ``said``, or else what its kind of ``source`` means.

    One class alone has a sigmoid, never a softmax, which would give 1 for every text. Where nothing is said, several
    outputs are classes; one is the logit of a class, as in transformers' text-classification pipeline, but a number in
    checkpoints of TensorFlow, whose configuration has no place to say so (the Model Garden trains it as one).
    """
    if outputs > 1:
        return said or SINGLE_LABEL
    if not said and source in _SILENT:
        return REGRESSION
    return MULTI_LABEL if said in ("", SINGLE_LABEL) else said
