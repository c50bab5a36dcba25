"""Classification in training: one class, several at once, or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mobilebert_lite.architecture.form import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks.teaching import TEACHER, Loss, Training, in_order, number_of
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features


class ClassTraining(Training):
    """Cross-entropy, of each class by itself where several hold; squares of numbers."""

    scratch: ClassVar = {"epochs": 8.0, "learning_rate": 1e-3, "seq_len": 128}
    fine_tuned: ClassVar = {"epochs": 3.0, "learning_rate": 1e-4, "seq_len": 128}

    def target(self, example: TextExample, features: Features, numbers: Mapping[str, int],
               problem: str) -> np.ndarray:
        """The class, int32 []; 1 for each class that holds, float32 [classes]; the numbers, float32 [numbers]."""
        if example.label is None:
            raise DataError("it has no label to learn")
        if problem == REGRESSION:
            return np.array([_number(part) for part in example.label.split(",")], np.float32)
        if problem == MULTI_LABEL:
            found = {number_of(part.strip(), numbers) for part in example.label.split(",") if part.strip()}
            return np.isin(np.arange(len(numbers)), list(found)).astype(np.float32)
        return np.array(number_of(example.label, numbers), np.int32)

    def loss(self, problem: str = SINGLE_LABEL, smoothing: float = 0.0) -> Loss:
        """By the kind of problem."""
        from mobilebert_lite.tasks import losses

        if problem == MULTI_LABEL:
            return lambda outputs, batch: losses.several(outputs["logits"], batch["labels"])
        if problem == REGRESSION:
            return lambda outputs, batch: losses.squares(outputs["logits"], batch["labels"])
        return lambda outputs, batch: losses.classes(outputs["logits"], batch["labels"], smoothing)

    def distance(self, problem: str = SINGLE_LABEL, temperature: float = 1.0) -> Loss:
        """By the kind of problem."""
        from mobilebert_lite.common.tf import tf
        from mobilebert_lite.tasks import losses

        said = f"{TEACHER}logits"
        if problem == REGRESSION:
            return lambda outputs, batch: losses.squares(outputs["logits"], batch[said])
        if problem == MULTI_LABEL:
            return lambda outputs, batch: losses.several(outputs["logits"], tf.sigmoid(batch[said]))
        return lambda outputs, batch: losses.divergence(outputs["logits"], batch[said], temperature)

    def labels(self, examples: Sequence[TextExample], problem: str = SINGLE_LABEL) -> tuple[str, ...]:
        """Those of the examples; of numbers there are none."""
        if problem == REGRESSION:
            return ()
        said = [example.label for example in examples if example.label is not None]
        return in_order(part.strip() for label in said
                        for part in (label.split(",") if problem == MULTI_LABEL else [label]))

    def outputs(self, labels: Sequence[str], examples: Sequence[TextExample], problem: str) -> int:
        """As many as classes, or as the first example has numbers."""
        if problem == REGRESSION and examples[0].label:
            return len(examples[0].label.split(","))
        return super().outputs(labels, examples, problem)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"label {text!r} is no number, which regression needs") from None


TRAINING = ClassTraining()
