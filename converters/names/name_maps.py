"""Reversible tables between canonical tensor names and those of other ecosystems.

A row is (canonical pattern, their pattern, what happens to the matrix). ``{i}`` and ``{j}`` stand for block and
feed-forward numbers, ``{n}`` for i + 1. Verified against checkpoints that each ecosystem's own code wrote.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.heads import HEADS, own_heads

Shape = tuple[int, ...]
# The word table of a masked LM head that does not share the embedding's.
UNTIED = "mlm.word"
# Our name and shape of a tensor -> theirs.
Naming = Callable[[str, Shape], tuple[str, Shape]]
# Our name of a normalization and where it stands -> its rows.
Norms = Callable[[str, str], Iterator["Row"]]


@dataclass(frozen=True)
class Row:
    """One renaming; ``transposed`` when their matrix is [out, in]."""

    ours: str
    theirs: str
    transposed: bool = False
    # Our shape and theirs where theirs has an axis for the attention heads; -1 stands for any length.
    shapes: tuple[Shape, Shape] | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches their name and captures the numbers in it."""
        return re.compile(re.sub(r"\\\{([ijn])\\\}", r"(?P<\1>[0-9]{1,9})", re.escape(self.theirs)) + r"\Z")

    def read(self, name: str) -> str | None:
        """Our name for their ``name``, or None when this row is about another tensor."""
        match = self.pattern.match(name)
        if match is None:
            return None
        numbers = {key: int(value) for key, value in match.groupdict().items()}
        if "n" in numbers:
            numbers["i"] = numbers["n"] - 1
        elif "i" in numbers:
            numbers["n"] = numbers["i"] + 1
        return self.ours.format(**numbers)

    def convert(self, tensor: np.ndarray) -> np.ndarray:
        """Their ``tensor`` in our shape; one of a wrong shape stays as it is, so that the strict check reports it."""
        if self.transposed:
            return tensor.T
        if self.shapes is None:
            return tensor
        ours, theirs = self.shapes
        fits = len(tensor.shape) == len(theirs) and all(
            wanted in (-1, size) for size, wanted in zip(tensor.shape, theirs, strict=True))
        return tensor.reshape(ours) if fits else tensor

    def reversed(self) -> Row:
        """From our name to theirs."""
        return Row(self.theirs, self.ours, self.transposed, self.shapes and self.shapes[::-1])


def linear(ours: str, theirs: str) -> Iterator[Row]:
    """A torch Linear: weight [out, in] and bias."""
    yield Row(f"{ours}.kernel", f"{theirs}.weight", transposed=True)
    yield Row(f"{ours}.bias", f"{theirs}.bias")


def weight_norm(ours: str, theirs: str) -> Iterator[Row]:
    """A torch NoNorm or LayerNorm: weight and bias."""
    yield Row(f"{ours}.gamma", f"{theirs}.weight")
    yield Row(f"{ours}.beta", f"{theirs}.bias")


def dense(ours: str, theirs: str) -> Iterator[Row]:
    """A TensorFlow dense layer: kernel [in, out] and bias."""
    yield Row(f"{ours}.kernel", f"{theirs}/kernel")
    yield Row(f"{ours}.bias", f"{theirs}/bias")


def norm(ours: str, theirs: str) -> Iterator[Row]:
    """A TensorFlow normalization: gamma and beta."""
    yield Row(f"{ours}.gamma", f"{theirs}/gamma")
    yield Row(f"{ours}.beta", f"{theirs}/beta")


def scale(ours: str, theirs: str) -> Iterator[Row]:
    """A NoNorm of transformers' TensorFlow classes: weight and bias."""
    yield Row(f"{ours}.gamma", f"{theirs}/weight")
    yield Row(f"{ours}.beta", f"{theirs}/bias")


def outputs(ours: str, theirs: str) -> Iterator[Row]:
    """A head of the TF1 scripts: output_weights [out, in] and output_bias."""
    yield Row(f"{ours}.kernel", f"{theirs}output_weights", transposed=True)
    yield Row(f"{ours}.bias", f"{theirs}output_bias")


def huggingface_rows(config: MobileBertConfig, tied: bool = True) -> list[Row]:
    """The names of transformers' MobileBert models for ``config``; ``tied`` to the word table, as the decoder is."""
    decoder = [] if tied else [Row(UNTIED, "cls.predictions.decoder.weight")]
    return [*_huggingface_rows(config.num_feedforward_networks - 1), *decoder]


def _huggingface_rows(last_ffn: int) -> Iterable[Row]:
    embeddings, layer = "mobilebert.embeddings", "mobilebert.encoder.layer.{i}"
    yield Row("embeddings.word", f"{embeddings}.word_embeddings.weight")
    yield Row("embeddings.position", f"{embeddings}.position_embeddings.weight")
    yield Row("embeddings.token_type", f"{embeddings}.token_type_embeddings.weight")
    yield from linear("embeddings.projection", f"{embeddings}.embedding_transformation")
    yield from weight_norm("embeddings.norm", f"{embeddings}.LayerNorm")
    for part in ("input", "attention"):
        yield from linear(f"layers.{{i}}.bottleneck.{part}", f"{layer}.bottleneck.{part}.dense")
        yield from weight_norm(f"layers.{{i}}.bottleneck.{part}.norm", f"{layer}.bottleneck.{part}.LayerNorm")
    for part in ("query", "key", "value"):
        yield from linear(f"layers.{{i}}.attention.{part}", f"{layer}.attention.self.{part}")
    yield from linear("layers.{i}.attention.output", f"{layer}.attention.output.dense")
    yield from weight_norm("layers.{i}.attention.norm", f"{layer}.attention.output.LayerNorm")
    yield from linear("layers.{i}.ffn.{j}.intermediate", f"{layer}.ffn.{{j}}.intermediate.dense")
    yield from linear("layers.{i}.ffn.{j}.output", f"{layer}.ffn.{{j}}.output.dense")
    yield from weight_norm("layers.{i}.ffn.{j}.norm", f"{layer}.ffn.{{j}}.output.LayerNorm")
    # The last feed-forward network has names of its own.
    yield from linear(f"layers.{{i}}.ffn.{last_ffn}.intermediate", f"{layer}.intermediate.dense")
    yield from linear(f"layers.{{i}}.ffn.{last_ffn}.output", f"{layer}.output.dense")
    yield from weight_norm(f"layers.{{i}}.ffn.{last_ffn}.norm", f"{layer}.output.LayerNorm")
    yield from linear("layers.{i}.output", f"{layer}.output.bottleneck.dense")
    yield from weight_norm("layers.{i}.output.norm", f"{layer}.output.bottleneck.LayerNorm")
    yield from linear("pooler", "mobilebert.pooler.dense")
    for head in HEADS.values():
        yield from linear(head.scope, head.huggingface)
    yield from weight_norm("mlm.norm", "cls.predictions.transform.LayerNorm")
    yield Row("mlm.extra", "cls.predictions.dense.weight", transposed=True)
    yield Row("mlm.bias", "cls.predictions.bias")


def _tensorflow_encoder(embeddings: str, layer: str, ffn: str, last_ffn: int, norms: Norms) -> Iterator[Row]:
    """What both TensorFlow writers call alike below ``embeddings`` and ``layer``; ``norms`` gives the rows of the
    normalization at a place."""
    yield from dense("embeddings.projection", f"{embeddings}/embedding_transformation")
    yield from norms("embeddings.norm", embeddings)
    for part in ("input", "attention"):
        yield from dense(f"layers.{{i}}.bottleneck.{part}", f"{layer}/bottleneck/{part}/dense")
        yield from norms(f"layers.{{i}}.bottleneck.{part}.norm", f"{layer}/bottleneck/{part}")
    for part in ("query", "key", "value"):
        yield from dense(f"layers.{{i}}.attention.{part}", f"{layer}/attention/self/{part}")
    yield from dense("layers.{i}.attention.output", f"{layer}/attention/output/dense")
    yield from norms("layers.{i}.attention.norm", f"{layer}/attention/output")
    # The last feed-forward network has names of its own.
    for ours, theirs in (("ffn.{j}", f"{layer}/{ffn}"), (f"ffn.{last_ffn}", layer)):
        yield from dense(f"layers.{{i}}.{ours}.intermediate", f"{theirs}/intermediate/dense")
        yield from dense(f"layers.{{i}}.{ours}.output", f"{theirs}/output/dense")
        yield from norms(f"layers.{{i}}.{ours}.norm", f"{theirs}/output")
    yield from dense("layers.{i}.output", f"{layer}/output/bottleneck/dense")
    yield from norms("layers.{i}.output.norm", f"{layer}/output/bottleneck")


def huggingface_tensorflow_rows(config: MobileBertConfig) -> list[Row]:
    """The variables of transformers' TensorFlow classes, by their paths from their layer on."""
    norms = norm if config.normalization_type == "layer_norm" else scale
    return list(_huggingface_tensorflow_rows(config.num_feedforward_networks - 1, norms))


def _huggingface_tensorflow_rows(last_ffn: int, norms: Norms) -> Iterable[Row]:
    embeddings, layer = "mobilebert/embeddings", "mobilebert/encoder/layer_._{i}"
    yield Row("embeddings.word", f"{embeddings}/word_embeddings/weight")
    yield Row("embeddings.position", f"{embeddings}/position_embeddings/embeddings")
    yield Row("embeddings.token_type", f"{embeddings}/token_type_embeddings/embeddings")
    yield from _tensorflow_encoder(embeddings, layer, "ffn.{j}", last_ffn,
                                   lambda ours, place: norms(ours, f"{place}/LayerNorm"))
    yield from dense("pooler", "mobilebert/pooler/dense")
    yield from dense("qa", "qa_outputs")
    yield from dense("classifier", "classifier")
    yield from dense("nsp", "seq_relationship___cls/seq_relationship")
    for head in own_heads():
        yield from dense(head.scope, head.huggingface.replace(".", "/"))
    predictions = "predictions___cls/predictions"
    yield from dense("mlm.transform", f"{predictions}/transform/dense")
    yield from norm("mlm.norm", f"{predictions}/transform/LayerNorm")
    yield Row("mlm.extra", f"{predictions}/dense/weight", transposed=True)
    yield Row(UNTIED, f"{predictions}/decoder/weight")
    yield Row("mlm.bias", f"{predictions}/bias")


def tensorflow1_rows(config: MobileBertConfig) -> list[Row]:
    """The variables of google-research/mobilebert, and of the TF1-Hub modules made of it."""
    return list(_tensorflow1_rows(config.num_feedforward_networks - 1,
                                  "FakeLayerNorm" if config.normalization_type == "no_norm" else "LayerNorm"))


def _tensorflow1_rows(last_ffn: int, scope: str) -> Iterable[Row]:
    embeddings, layer = "bert/embeddings", "bert/encoder/layer_{i}"
    for table in ("word", "position", "token_type"):
        yield Row(f"embeddings.{table}", f"{embeddings}/{table}_embeddings")
    yield from _tensorflow_encoder(embeddings, layer, "ffn_layer_{j}", last_ffn,
                                   lambda ours, place: norm(ours, f"{place}/{scope}"))
    yield from dense("pooler", "bert/pooler/dense")
    yield from outputs("qa", "cls/squad/")
    yield from outputs("classifier", "")
    yield from outputs("nsp", "cls/seq_relationship/")
    yield from dense("mlm.transform", "cls/predictions/transform/dense")
    yield from norm("mlm.norm", "cls/predictions/transform/LayerNorm")
    yield Row("mlm.extra", "cls/predictions/extra_output_weights")
    yield Row("mlm.bias", "cls/predictions/output_bias")


def read_tensors(rows: Iterable[Row], theirs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Their tensors under our names. A name that no row knows is kept, so that the strict check reports it.

    So is a second name for one tensor: with a wrong number of feed-forward networks the last has two.
    """
    lookup = Lookup(rows)
    ours: dict[str, np.ndarray] = {}
    for name, tensor in theirs.items():
        row, canonical = lookup.find(name)
        if row is None or canonical in ours:
            ours[name] = tensor
        else:
            ours[canonical] = row.convert(tensor)
    return ours


def our_names(rows: Iterable[Row], theirs: Iterable[str]) -> dict[str, str]:
    """Our name → theirs, for those that a row knows."""
    lookup = Lookup(rows)
    found: dict[str, str] = {}
    for name in theirs:
        row, canonical = lookup.find(name)
        if row is not None:
            found.setdefault(canonical, name)
    return found


def write_tensors(rows: Iterable[Row], ours: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Our tensors under their names, the reverse of ``read_tensors``."""
    backwards = [row.reversed() for row in rows]
    # Two rows can lead from one of our names (a numbered network and the last one): the later, special row wins.
    return read_tensors(backwards[::-1], ours)


def in_their_words(rows: Iterable[Row]) -> Naming:
    """For messages: how a checkpoint that ``rows`` read calls one of our tensors, and which shape it has there.

    A name that no row leads to is kept.
    """
    # The row of one network alone before that of any.
    backwards = Lookup(row.reversed() for row in sorted(rows, key=lambda row: row.ours.count("{")))

    def speak(ours: str, shape: Shape) -> tuple[str, Shape]:
        row, theirs = backwards.find(ours)
        return theirs, row.convert(np.broadcast_to(np.float32(0), shape)).shape if row else shape

    return speak


class Lookup:
    """The first of some rows that knows a name; those of another form are not tried: a file may hold 50,000 names."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by_form: dict[str, list[Row]] = {}
        for row in rows:
            self._by_form.setdefault(_form(re.sub(r"\{[ijn]\}", "0", row.theirs)), []).append(row)

    def find(self, name: str) -> tuple[Row | None, str]:
        """(the row, our name); (None, ``name``) where no row knows it."""
        for row in self._by_form.get(_form(name), ()):
            if (canonical := row.read(name)) is not None:
                return row, canonical
        return None, name


def _form(name: str) -> str:
    """``name`` with one sign for each number."""
    return re.sub("[0-9]+", "#", name)
