"""The few steps that the rules are made of; they change a dict of tensors in place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Tensors = dict[str, np.ndarray]


def cast(tensors: Mapping[str, np.ndarray], dtype: type) -> Tensors:
    """A copy in another precision. The rules work in float64, so that a chain of them rounds once."""
    return {name: value.astype(dtype) for name, value in tensors.items()}


def absorb(tensors: Tensors, dense: str, gain: np.ndarray, shift: np.ndarray | None = None) -> None:
    """``dense`` reads s where it read gain⊙s + shift: W ← diag(gain)·W, b ← b + shift·W (the old W)."""
    kernel = tensors[f"{dense}.kernel"]
    if shift is not None and np.any(shift):
        tensors[f"{dense}.bias"] = tensors.get(f"{dense}.bias", np.zeros(())) + shift @ kernel
    tensors[f"{dense}.kernel"] = gain[:, None] * kernel


def rescale_output(tensors: Tensors, dense: str, gain: np.ndarray, shift: np.ndarray | None = None) -> None:
    """``dense`` gives gain⊙y + shift where it gave y."""
    tensors[f"{dense}.kernel"] = tensors[f"{dense}.kernel"] * gain
    bias = tensors.get(f"{dense}.bias")
    if bias is not None or shift is not None:
        scaled = np.zeros_like(gain) if bias is None else bias * gain
        tensors[f"{dense}.bias"] = scaled if shift is None else scaled + shift


def take_norm(tensors: Tensors, scope: str) -> tuple[np.ndarray, np.ndarray]:
    """Remove the NoNorm at ``scope`` and return its gamma and beta."""
    return tensors.pop(f"{scope}.gamma"), tensors.pop(f"{scope}.beta")
