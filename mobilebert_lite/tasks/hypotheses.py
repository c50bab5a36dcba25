"""How a model of natural-language inference is asked about classes that it was not trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.errors import RequestError

# That of the pipeline.
TEMPLATE = "This example is {}."
_PLACE = "{}"


@dataclass(frozen=True)
class ZeroShot:
    """How classes are asked for.

    labels: the classes, as they stand in the hypotheses.
    template: the hypothesis, with {} in place of a class.
    multi_label: each class by itself; else one class is right, and their probabilities are together 1.
    entailment: name or number of the model's class that says "follows"; None: the one whose name begins with "entail".
    contradiction: the same for "cannot be"; None: the one whose name begins with "contra", or the other one of two.
    """

    labels: tuple[str, ...] = ()
    template: str = TEMPLATE
    multi_label: bool = False
    entailment: str | None = None
    contradiction: str | None = None

    def __post_init__(self) -> None:
        if _PLACE not in self.template:
            raise RequestError(f"the hypothesis {self.template!r} has no place for the class; put {{}} where it goes, "
                               f"as in {TEMPLATE!r} (--hypothesis)")
        if empty := [label for label in self.labels if not label.strip()]:
            raise RequestError(f"the label {empty[0]!r} is empty; give every class a name (--label)")
        if len(set(self.labels)) != len(self.labels):
            again = next(label for i, label in enumerate(self.labels) if label in self.labels[:i])
            raise RequestError(f"the label {again!r} is given twice (--label)")

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> ZeroShot:
        """From the options of a command, None where one is not given. Raises RequestError as the fields need it."""
        return cls(tuple(asked["labels"]), asked["hypothesis"] or TEMPLATE, bool(asked["multi_label"]),
                   asked["entailment"], asked["contradiction"])

    def hypothesis(self, label: str) -> str:
        """What the model is asked about ``label``."""
        return self.template.replace(_PLACE, label)

    @property
    def by_itself(self) -> bool:
        """Whether each class is judged without the others; one alone always is."""
        return self.multi_label or len(self.labels) == 1
