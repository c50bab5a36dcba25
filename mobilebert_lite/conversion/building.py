"""From weights to a quantized ``.tflite``, not verified yet: fusion, calibration, conversion, quantization."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from types import ModuleType
from typing import Any

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.conversion.lowering import convert_network, rewrite
from mobilebert_lite.datasets.samples import MOST_MAGNITUDE_TOKENS
from mobilebert_lite.fusion import center, center_keys, equalize
from mobilebert_lite.fusion.pipeline import CALIBRATED, fuse, fuse_last
from mobilebert_lite.fusion.plan import Fused
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization import head_room
from mobilebert_lite.quantization.calibrate import measure_ranges, tie
from mobilebert_lite.quantization.embedding import dequantize_rows, quantize_rows
from mobilebert_lite.quantization.recipe import Recipe, apply_recipe, keep_output_names
from mobilebert_lite.quantization.score_ranges import fit_scores
from mobilebert_lite.quantization.trained import TrainedRanges
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.features import Features
from mobilebert_lite.tflite import op_versions
from mobilebert_lite.tflite.graph import Graphs
from mobilebert_lite.tflite.slim import slim

Texts = Mapping[str, Sequence[Features]]


@dataclass(frozen=True)
class Design:
    """What is to be built of some weights."""

    task: Task
    # Of the signatures, the longest first.
    lengths: Sequence[int]
    recipe: Recipe
    masking: Masking
    _: KW_ONLY
    # Fusion rules to leave out.
    without: Collection[str] = ()
    threads: int = 2
    # Ranges that quantization-aware training left, in place of measured ones.
    trained: TrainedRanges | None = None
    # Whether the graph is drawn with few operators, for NPUs (fusion.pipeline.NPU_RULES).
    for_npu: bool = False


@dataclass(frozen=True)
class Built:
    """A file's content, and what was done on the way."""

    content: bytes
    fused: Fused
    # None where the recipe is not for computing in float16.
    head_room: head_room.HeadRoom | None
    # How many texts the ranges of channels are of (fused.channels), and how long they are.
    channel_texts: int
    channel_length: int


def build(weights: Weights, design: Design, texts: Texts,
          progress: Callable[[str], None] = lambda message: None) -> Built:
    """``weights`` as a file with one signature per length, in the number formats of the recipe.

    ``texts`` calibrate: signature name → sequences, the longest signature first. Raises ConversionError.
    """
    recipe = design.recipe
    if design.trained is not None:  # channels are balanced already
        design = replace(design, without=(*design.without, *CALIBRATED))
    drawn = draw(weights, design, texts)
    if recipe.rules:
        progress(f"quantizing ({recipe.name})")
    content = finish_quantized(drawn.content, design, texts)
    return replace(drawn, content=rewrite(content, lambda model: slim(model, slices=not recipe.float16)))


def draw(weights: Weights, design: Design, texts: Texts, stretches: bool = True) -> Built:
    """``weights`` fused, balanced and converted, all in float.

    Without ``stretches`` the stream between blocks is balanced as one, so that ``fusion.unfuse`` can take it apart.
    """
    task, recipe = design.task, design.recipe
    without = (*design.without, *recipe.without)
    fused = fuse(weights, task, without, masking=design.masking).tabulated(recipe.integer)
    longest, some = _spread(texts)
    balancing = texts[longest] if recipe.equalize else some
    if recipe.float16:
        fused = _calibrated(fused, [center_keys] if recipe.equalize else [center_keys, center], without, some)
    if recipe.equalize:
        balance = equalize.apply if stretches else partial(equalize.apply, most_bits=math.inf)
        fused = _calibrated(fused, [equalize], without, balancing, {equalize.NAME: balance})
    fused = fuse_last(fused, without, design.for_npu)
    tensors = fused.tensors
    if recipe.word_table != "float32":
        tensors = quantize_rows(tensors, recipe.word_table)
    network = Network(fused.config, tensors, task, design.masking, fused.plan)
    content = convert_network(network, design.lengths)
    room = None
    if recipe.float16:
        room = head_room.measure(content, {longest: [one.inputs() for one in some]}, design.threads)
    return Built(content, fused, room, len(balancing), design.lengths[0])


def finish_quantized(content: bytes, design: Design, texts: Texts) -> bytes:
    """The float file ``content`` in the number formats of the recipe."""
    recipe = design.recipe
    if recipe.rules:
        content = quantize(content, recipe, texts, design.threads, design.trained)
    return rewrite(content, dequantize_rows) if recipe.word_table != "float32" else content


def _spread(texts: Texts) -> tuple[str, Sequence[Features]]:
    """The longest signature, and of its texts as many as it takes to see the magnitudes, evenly chosen."""
    name, features = next(iter(texts.items()))
    most = max(8, MOST_MAGNITUDE_TOKENS // features[0].ids.size)
    return name, features[::-(-len(features) // most)]


def _calibrated(fused: Fused, rules: Sequence[ModuleType], without: Collection[str], texts: Sequence[Features],
                variants: Mapping[str, Callable[..., Fused]] | None = None) -> Fused:
    """``fused`` after ``rules``, some of fusion.pipeline.CALIBRATED or their ``variants``, with ranges of ``texts``."""
    ranges: Mapping[str, Any] | None = None
    for rule in rules:
        if rule.NAME in without or "all" in without:
            fused = fused.refused(rule.NAME, "switched off")
            continue
        if ranges is None:
            network = Network(fused.config, fused.tensors, fused.task, fused.masking, fused.plan)
            ranges = network.channel_ranges([one.inputs() for one in texts], rule.PADDING)
        changed: Fused = (variants or {}).get(rule.NAME, rule.apply)(fused, ranges)
        if changed.tensors is not fused.tensors:
            ranges = None
        fused = changed
    return fused


def quantize(content: bytes, recipe: Recipe, texts: Texts, threads: int,
             trained: TrainedRanges | None = None) -> bytes:
    """``content`` after ``recipe``, with ranges measured on ``texts`` where it needs them and none were ``trained``."""
    ranges = {}
    if recipe.needs_calibration:
        inputs = {name: [one.inputs() for one in features] for name, features in texts.items()}
        ranges = measure_ranges(content, inputs, threads)
        if recipe.integer:
            ranges = fit_scores(content, inputs, ranges, recipe.activation_bits, threads)
        if trained:
            graphs = Graphs.read(content)
            ranges |= trained.of(graphs)
            tie(graphs, ranges)

    def mend(model: Any) -> None:
        keep_output_names(model)
        op_versions.stamp_versions(model)

    return rewrite(apply_recipe(content, recipe, ranges), mend)
