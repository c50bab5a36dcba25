"""AdamW over one vector, and the learning rate of each step.

Source: Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2, with the bias correction of Kingma and Ba 2015.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mobilebert_lite.common.tf import tf

EPSILON = 1e-8


@dataclass(frozen=True)
class AdamW:
    """Settings that stay the same for all steps."""

    # Decay of the running means of gradient and squared gradient.
    beta1: float = 0.9
    beta2: float = 0.98
    # Largest norm of the whole gradient; 0: no limit.
    clip: float = 1.0

    def update(self, gradient: tf.Tensor, values: tf.Tensor, mean: tf.Tensor, square: tf.Tensor, decay: tf.Tensor,
               *, step: tf.Tensor, rate: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """New values, mean and square, float [size] each, and the norm of the gradient before clipping.

        ``decay`` is each element's weight decay, ``step`` counts from 1.
        """
        norm = tf.norm(gradient)
        if self.clip:
            gradient *= tf.minimum(1.0, self.clip / (norm + 1e-6))
        mean = self.beta1 * mean + (1 - self.beta1) * gradient
        square = self.beta2 * square + (1 - self.beta2) * tf.square(gradient)
        count = tf.cast(step, tf.float32)
        direction = (mean / (1 - self.beta1 ** count)) / (tf.sqrt(square / (1 - self.beta2 ** count)) + EPSILON)
        return values - rate * (direction + decay * values), mean, square, norm


def rate_at(step: int, steps: int, peak: float, warmup: float) -> float:
    """The learning rate of ``step`` (from 0) of ``steps``: up to ``peak`` over the share ``warmup``, then down to 0.

    Both linearly, as in optimization.py of google-research/bert, except that the first step's rate is not 0.
    """
    rising = max(1, math.ceil(warmup * steps))
    if step < rising:
        return peak * (step + 1) / rising
    return peak * (steps - step) / max(1, steps - rising)
