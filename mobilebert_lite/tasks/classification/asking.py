"""Which classes a classifier is asked about while it is scored."""

from __future__ import annotations

from dataclasses import dataclass

from mobilebert_lite.tasks.base import ReadyModel
from mobilebert_lite.tasks.classification import Label, classify
from mobilebert_lite.text.examples import TextExample


@dataclass(frozen=True)
class OwnClasses:
    """Those that the model was trained on."""

    def check(self, example: TextExample) -> None:
        """Raise DataError for an example that cannot be asked about."""

    def ready(self, model: ReadyModel) -> ReadyModel:
        """The form of ``model`` that is asked."""
        return model

    def found(self, model: ReadyModel, example: TextExample) -> list[Label]:
        """The classes with their probabilities, the most probable first where one of them is right."""
        return classify(model, example.text, example.pair)


OWN = OwnClasses()
