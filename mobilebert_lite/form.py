"""How a file gives its outputs, where a task leaves a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.errors import ConversionError, ModelFileError

# In the order of the file.
INPUTS = ("ids", "mask", "segment_ids")

SINGLE_LABEL, MULTI_LABEL, REGRESSION = "single_label_classification", "multi_label_classification", "regression"
# What turns logits into the output, by the kind of problem; names as in the configurations of transformers.
ACTIVATIONS = {SINGLE_LABEL: "softmax", MULTI_LABEL: "sigmoid", REGRESSION: ""}


# Of choices, or of positions.
_MOST = 4096


@dataclass(frozen=True)
class Form:
    """The shapes of a file's inputs, and what its class outputs are."""

    problem_type: str = SINGLE_LABEL
    # Raw logits in place of probabilities.
    logits: bool = False
    # Alternatives of a multiple-choice question; 0 for all other tasks.
    choices: int = 0
    # Masked LM: logits at this many given positions alone; 0: at every token.
    positions: int = 0

    def __post_init__(self) -> None:
        if self.problem_type not in ACTIVATIONS:
            raise ConversionError(f"problem_type is {self.problem_type!r}; known are {', '.join(ACTIVATIONS)}")

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


def problem_of(config: MobileBertConfig, outputs: int) -> str:
    """What a sequence classifier of ``outputs`` was trained for.

    Where the configuration is silent, one output is a number and several are classes, as in transformers.
    """
    return config.problem_type or (REGRESSION if outputs == 1 else SINGLE_LABEL)
