"""MobileBERT in plain NumPy and float64, written from the paper and the published modeling code.

It shares nothing with the library but the names of the tensors, so that both can be held against each other for
configurations of which no checkpoint was published.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import erf

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig

Array = np.ndarray


class Reference:
    """The encoder for one sequence at a time: arrays of [seq, width], no batch axis."""

    def __init__(self, config: MobileBertConfig, tensors: Mapping[str, Array]) -> None:
        self.config = config
        self.tensors = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}

    def dense(self, scope: str, x: Array) -> Array:
        return x @ self.tensors[f"{scope}.kernel"] + self.tensors[f"{scope}.bias"]

    def norm(self, scope: str, x: Array) -> Array:
        if self.config.normalization_type == "layer_norm":
            x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + self.config.layer_norm_eps)
        return x * self.tensors[f"{scope}.gamma"] + self.tensors[f"{scope}.beta"]

    def dense_norm(self, scope: str, x: Array) -> Array:
        return self.norm(f"{scope}.norm", self.dense(scope, x))

    def activate(self, x: Array) -> Array:
        if self.config.hidden_act == "gelu_new":
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))
        if self.config.hidden_act == "gelu":
            return 0.5 * x * (1 + np.vectorize(erf)(x / np.sqrt(2)))
        return np.clip(x, 0, 6 if self.config.hidden_act == "relu6" else None)

    def embed(self, ids: Array, segment_ids: Array) -> Array:
        x = self.tensors["embeddings.word"][ids]
        if self.config.trigram_input:
            zero = np.zeros((1, x.shape[1]))
            x = np.hstack([np.vstack([x[1:], zero]), x, np.vstack([zero, x[:-1]])])
        if x.shape[1] != self.config.hidden_size or self.config.trigram_input:
            x = self.dense("embeddings.projection", x)
        x = x + self.tensors["embeddings.position"][:len(ids)] + self.tensors["embeddings.token_type"][segment_ids]
        return self.norm("embeddings.norm", x)

    def attend(self, scope: str, query_input: Array, value_input: Array, mask: Array) -> Array:
        inputs = {"query": query_input, "key": query_input, "value": value_input}
        size = self.config.block_size // self.config.num_attention_heads
        query, key, value = (
            self.dense(f"{scope}.{part}", x).reshape(len(x), -1, size).swapaxes(0, 1)
            for part, x in inputs.items())
        scores = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        powers = np.exp(scores - scores.max(-1, keepdims=True)) * mask
        mixed = powers / powers.sum(-1, keepdims=True) @ value
        return self.dense(f"{scope}.output", mixed.swapaxes(0, 1).reshape(len(query_input), -1))

    def block(self, scope: str, x: Array, mask: Array) -> Array:
        config = self.config
        inner = query_input = value_input = x
        if config.use_bottleneck:
            inner = self.dense_norm(f"{scope}.bottleneck.input", x)
            if config.use_bottleneck_attention:
                query_input = value_input = inner
            elif config.key_query_shared_bottleneck and f"{scope}.bottleneck.attention.kernel" in self.tensors:
                query_input = self.dense_norm(f"{scope}.bottleneck.attention", x)
        if f"{scope}.attention.norm.gamma" in self.tensors:
            inner = self.norm(f"{scope}.attention.norm",
                              inner + self.attend(f"{scope}.attention", query_input, value_input, mask))
        for j in range(config.num_feedforward_networks):
            ffn = f"{scope}.ffn.{j}"
            if f"{ffn}.norm.gamma" not in self.tensors:
                break
            hidden = self.activate(self.dense(f"{ffn}.intermediate", inner))
            inner = self.norm(f"{ffn}.norm", inner + self.dense(f"{ffn}.output", hidden))
        if not config.use_bottleneck:
            return inner
        return self.norm(f"{scope}.output.norm", x + self.dense(f"{scope}.output", inner))

    def encode(self, ids: Array, mask: Array, segment_ids: Array) -> Array:
        """Last hidden states, float64 [seq, hidden], for int [seq] three times."""
        x = self.embed(ids, segment_ids)
        for i in range(self.config.num_hidden_layers):
            x = self.block(f"layers.{i}", x, mask)
        return x

    def pool(self, x: Array) -> Array:
        """[CLS], float64 [hidden]."""
        return np.tanh(self.dense("pooler", x[0])) if "pooler.kernel" in self.tensors else x[0]

    def masked_lm(self, x: Array) -> Array:
        """A score for every word, float64 [seq, vocabulary]."""
        x = self.activate(self.dense("mlm.transform", x))
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + self.config.layer_norm_eps)
        x = x * self.tensors["mlm.norm.gamma"] + self.tensors["mlm.norm.beta"]
        words = self.tensors.get("mlm.word", self.tensors["embeddings.word"])
        if "mlm.extra" in self.tensors:
            words = np.hstack([words, self.tensors["mlm.extra"]])
        return x @ words.T + self.tensors["mlm.bias"]
