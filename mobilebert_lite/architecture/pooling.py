"""How the vectors of a text's tokens become one vector: what sentence-transformers calls its modules."""

from __future__ import annotations

from dataclasses import dataclass

# The mean over the tokens, the vector of [CLS], and for each channel the greatest over the tokens. Padding is no token.
MEAN, CLS, MAX = "mean", "cls", "max"
POOLINGS = (MEAN, CLS, MAX)
# What may follow the dense layer; "linear" is nothing.
ACTIVATIONS = ("linear", "tanh", "relu", "gelu", "sigmoid")


@dataclass(frozen=True)
class Pooling:
    """What a checkpoint says about its sentence embeddings.

    mode: one of POOLINGS.
    normalize: whether the vector is divided by its length.
    dense: one of ACTIVATIONS, behind the dense layer that reads the pooled vector; empty where there is no such layer.
    max_length: tokens to which its writer cuts texts, [CLS] and [SEP] among them; 0 where it does not say.
    lower_case: whether its writer lower-cases texts before it tokenizes them.
    """

    mode: str = MEAN
    normalize: bool = False
    dense: str = ""
    max_length: int = 0
    lower_case: bool = False

    def __str__(self) -> str:
        parts = [f"{self.mode} pooling", *([f"a dense layer ({self.dense})"] if self.dense else []),
                 *(["normalized"] if self.normalize else [])]
        return ", ".join(parts)
