"""Reversible tables between canonical tensor names and those of other ecosystems.

A row is (canonical pattern, their pattern, transposed). ``{i}`` and ``{j}`` stand for block and feed-forward
numbers. Verified against checkpoints that each ecosystem's own code wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mobilebert_lite.config import MobileBertConfig


@dataclass(frozen=True)
class Row:
    """One renaming; ``transposed`` when their matrix is [out, in]."""

    ours: str
    theirs: str
    transposed: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches their name and captures the numbers in it."""
        escaped = re.escape(self.theirs).replace(r"\{i\}", r"(?P<i>\d+)").replace(r"\{j\}", r"(?P<j>\d+)")
        return re.compile(escaped + r"\Z")

    def read(self, name: str) -> str | None:
        """Our name for their ``name``, or None when this row is about another tensor."""
        match = self.pattern.match(name)
        return self.ours.format(**match.groupdict()) if match else None


def dense(ours: str, theirs: str) -> Iterator[Row]:
    """A torch Linear: weight [out, in] and bias."""
    yield Row(f"{ours}.kernel", f"{theirs}.weight", transposed=True)
    yield Row(f"{ours}.bias", f"{theirs}.bias")


def norm(ours: str, theirs: str) -> Iterator[Row]:
    """A torch NoNorm or LayerNorm: weight and bias."""
    yield Row(f"{ours}.gamma", f"{theirs}.weight")
    yield Row(f"{ours}.beta", f"{theirs}.bias")


def huggingface_rows(config: MobileBertConfig) -> list[Row]:
    """The names of transformers' MobileBert models for ``config``."""
    return list(_huggingface_rows(config.num_feedforward_networks - 1))


def _huggingface_rows(last_ffn: int) -> Iterable[Row]:
    embeddings, layer = "mobilebert.embeddings", "mobilebert.encoder.layer.{i}"
    yield Row("embeddings.word", f"{embeddings}.word_embeddings.weight")
    yield Row("embeddings.position", f"{embeddings}.position_embeddings.weight")
    yield Row("embeddings.token_type", f"{embeddings}.token_type_embeddings.weight")
    yield from dense("embeddings.projection", f"{embeddings}.embedding_transformation")
    yield from norm("embeddings.norm", f"{embeddings}.LayerNorm")
    for part in ("input", "attention"):
        yield from dense(f"layers.{{i}}.bottleneck.{part}", f"{layer}.bottleneck.{part}.dense")
        yield from norm(f"layers.{{i}}.bottleneck.{part}.norm", f"{layer}.bottleneck.{part}.LayerNorm")
    for part in ("query", "key", "value"):
        yield from dense(f"layers.{{i}}.attention.{part}", f"{layer}.attention.self.{part}")
    yield from dense("layers.{i}.attention.output", f"{layer}.attention.output.dense")
    yield from norm("layers.{i}.attention.norm", f"{layer}.attention.output.LayerNorm")
    yield from dense("layers.{i}.ffn.{j}.intermediate", f"{layer}.ffn.{{j}}.intermediate.dense")
    yield from dense("layers.{i}.ffn.{j}.output", f"{layer}.ffn.{{j}}.output.dense")
    yield from norm("layers.{i}.ffn.{j}.norm", f"{layer}.ffn.{{j}}.output.LayerNorm")
    # The last feed-forward network has names of its own.
    yield from dense(f"layers.{{i}}.ffn.{last_ffn}.intermediate", f"{layer}.intermediate.dense")
    yield from dense(f"layers.{{i}}.ffn.{last_ffn}.output", f"{layer}.output.dense")
    yield from norm(f"layers.{{i}}.ffn.{last_ffn}.norm", f"{layer}.output.LayerNorm")
    yield from dense("layers.{i}.output", f"{layer}.output.bottleneck.dense")
    yield from norm("layers.{i}.output.norm", f"{layer}.output.bottleneck.LayerNorm")
    yield from dense("pooler", "mobilebert.pooler.dense")
    yield from dense("qa", "qa_outputs")
    yield from dense("classifier", "classifier")
    yield from dense("nsp", "cls.seq_relationship")
    yield from dense("mlm.transform", "cls.predictions.transform.dense")
    yield from norm("mlm.norm", "cls.predictions.transform.LayerNorm")
    yield Row("mlm.extra", "cls.predictions.dense.weight", transposed=True)
    yield Row("mlm.bias", "cls.predictions.bias")


def read_tensors(rows: Iterable[Row], theirs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Their tensors under our names. A name that no row knows is kept, so that the strict check reports it."""
    rows = list(rows)
    ours = {}
    for name, tensor in theirs.items():
        row, canonical = _find(rows, name)
        ours[canonical] = tensor.T if row and row.transposed else tensor
    return ours


def write_tensors(rows: Iterable[Row], ours: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Our tensors under their names, the reverse of ``read_tensors``."""
    backwards = [Row(row.theirs, row.ours, row.transposed) for row in rows]
    # Two rows can lead from one of our names (a numbered network and the last one): the later, special row wins.
    return read_tensors(backwards[::-1], ours)


def _find(rows: list[Row], name: str) -> tuple[Row | None, str]:
    for row in rows:
        if (canonical := row.read(name)) is not None:
            return row, canonical
    return None, name
