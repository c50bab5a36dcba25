"""What fusion tells the graph, and what a rule tells the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.heads import EncoderTask
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.shape import Block


@dataclass(frozen=True)
class FusionPlan:
    """What the graph must draw differently. All else follows from which tensors are there."""

    # The query projection already holds 1/√d.
    query_scaled: bool = False
    # The last block computes only the row of [CLS] once keys and values are there.
    cls_only: bool = False
    # Mask and segments are looked up in tables, so that no operator computes with them: for integer-only files.
    tabulated: bool = False
    # Activations are [rows, channels] with no batch, and the heads of the attention are rows too: for NPUs.
    rows: bool = False


@dataclass(frozen=True)
class RuleNote:
    """What one rule did, or why it did nothing."""

    rule: str
    applied: bool
    message: str


@dataclass(frozen=True)
class Fused:
    """Weights on their way through the rules."""

    config: MobileBertConfig
    # It decides what reads the last hidden states.
    task: EncoderTask
    tensors: Mapping[str, np.ndarray]
    plan: FusionPlan = field(default_factory=FusionPlan)
    notes: tuple[RuleNote, ...] = ()
    # How padding will be masked; not every rule holds for every form.
    masking: Masking = field(default_factory=Masking)
    # Largest absolute value of each channel that was scaled freely, before and after, by the name of the activation:
    # two [channels].
    channels: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def changed(self, rule: str, message: str, tensors: Mapping[str, np.ndarray] | None = None,
                plan: FusionPlan | None = None) -> Fused:
        """After ``rule``: new tensors or a new plan, and what was done."""
        return replace(self, tensors=self.tensors if tensors is None else dict(tensors), plan=plan or self.plan,
                       notes=(*self.notes, RuleNote(rule, True, message)))

    def with_tensors(self, tensors: Mapping[str, np.ndarray]) -> Fused:
        """The same with other values."""
        return replace(self, tensors=dict(tensors))

    def refused(self, rule: str, reason: str) -> Fused:
        """Unchanged, with the reason."""
        return replace(self, notes=(*self.notes, RuleNote(rule, False, reason)))

    def tabulated(self, wanted: bool) -> Fused:
        """With mask and segments drawn as tables where ``wanted``."""
        return replace(self, plan=replace(self.plan, tabulated=wanted))

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Each block of the network."""
        return self.config.blocks

    @property
    def layers(self) -> list[str]:
        """``layers.0``, ``layers.1``, …"""
        return [block.name for block in self.blocks]

    @property
    def attentive(self) -> list[str]:
        """The ``layers`` that have attention."""
        return [block.name for block in self.blocks if block.heads]

    @property
    def normalizes(self) -> bool:
        """Whether a residual stream still passes through a normalization."""
        return any(name.endswith("norm.gamma") for name in self.tensors)
