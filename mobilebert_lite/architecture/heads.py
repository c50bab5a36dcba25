"""Heads: the tensors that stand on the encoder, and what fusion and graph know of the task that reads them.

A task (``tasks/``) stands above fusion and graph. They get it as an object and see the part of it that ``EncoderTask``
lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mobilebert_lite.architecture.config import MobileBertConfig
    from mobilebert_lite.architecture.form import Form


@dataclass(frozen=True)
class Head:
    """A head by its tensors: the dense layer ``name`` from the hidden width to the outputs."""

    name: str
    # For messages.
    title: str
    # Whether it reads what the pooler makes of [CLS], where there is a pooler; a task may say otherwise.
    pooled: bool
    # The dense layer in the classes of transformers.
    huggingface: str
    # By whose kernel the head is known; the masked LM head is more than one dense layer.
    dense: str = ""

    @property
    def scope(self) -> str:
        """Canonical name of the dense layer that tells that the head is there."""
        return self.dense or self.name

    @property
    def kernel(self) -> str:
        """The kernel of that layer, ``qa.kernel``."""
        return f"{self.scope}.kernel"


# Those of the published checkpoints, which several tasks share. A task with a head of its own adds it
# (tasks.Task.own_heads), so that checkpoints with it can be read, checked and written.
PUBLISHED = ("qa", "classifier", "mlm", "nsp")
HEADS: dict[str, Head] = {head.name: head for head in (
    Head("qa", "question answering", False, "qa_outputs"),
    Head("classifier", "classes", True, "classifier"),
    Head("mlm", "masked words (pre-training)", False, "cls.predictions.transform.dense", dense="mlm.transform"),
    Head("nsp", "next sentence (pre-training)", True, "cls.seq_relationship"))}


def own_heads() -> list[Head]:
    """The heads that tasks have added."""
    return [head for name, head in HEADS.items() if name not in PUBLISHED]


def heads_in(tensors: Mapping[str, object]) -> tuple[str, ...]:
    """Heads whose output kernel is among ``tensors``, in the order of ``HEADS``."""
    return tuple(name for name, head in HEADS.items() if head.kernel in tensors)


class EncoderTask(Protocol):
    """What fusion and graph know of a task."""

    @property
    def name(self) -> str:
        """For messages, and before the length in the names of signatures."""

    @property
    def form(self) -> Form:
        """Shapes of the inputs and kind of the outputs."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Outputs in the order of the file."""

    @property
    def cls_only(self) -> bool:
        """Whether the head reads position 0 of the last hidden states alone."""

    @property
    def shows_hidden(self) -> bool:
        """Whether the last hidden states are themselves an output."""

    @property
    def scale_free(self) -> bool:
        """Whether the outputs are the same whatever positive number the last hidden states are multiplied by."""

    def pools(self, head: str) -> bool:
        """Whether ``head`` reads the pooler's output, where there is a pooler, and not the hidden states."""

    def draw(self, tensors: Mapping[str, Any], config: MobileBertConfig, x: Any, positions: Any = None
             ) -> dict[str, Any]:
        """The head on the last hidden states ``x``: outputs by name.

        *Shape:* (batch · choices, seq or 1, hidden), int32 (batch, P) or None
        """
