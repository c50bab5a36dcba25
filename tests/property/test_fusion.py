"""Fusion is exact: fused and unfused networks compute the same, for any configuration and hostile weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import tensorflow as tf
from conftest import examples
from hypothesis import assume, given
from hypothesis import strategies as st

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.shape import BlockShape
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.errors import RequestError
from mobilebert_lite.fusion import center, center_keys, channel_ranges, equalize, merge_projections
from mobilebert_lite.fusion.channels import stretches
from mobilebert_lite.fusion.pipeline import LAST_RULES, NAMES, RULES, fuse, fuse_last
from mobilebert_lite.fusion.plan import Fused
from mobilebert_lite.fusion.stream import scale_embedding
from mobilebert_lite.graph.encoder import encode
from mobilebert_lite.graph.signatures import UNSCALED
from mobilebert_lite.tasks import find_task

LENGTH = 10
HEADS = {"qa": {"qa": 2}, "classification": {"classifier": 3}, "features": {},
         "token-classification": {"classifier": 3}, "pretraining": {"mlm": 0, "nsp": 2}}
# With such gammas a network amplifies rounding a millionfold, so the algebra is judged in float64; float32 is judged
# on networks that are less hostile.
TOLERANCE = 1e-4


@st.composite
def configs(draw: st.DrawFn, **fixed: object) -> MobileBertConfig:
    """Small networks of every variant."""
    width = draw(st.sampled_from([8, 16]))
    values: dict[str, object] = {
        "vocab_size": 20, "hidden_size": draw(st.sampled_from([width, 24])),
        "embedding_size": draw(st.sampled_from([6, 24])),
        "intra_bottleneck_size": width, "intermediate_size": 12,
        "num_attention_heads": draw(st.sampled_from([1, 2, 4])),
        "num_hidden_layers": draw(st.integers(1, 4)), "num_feedforward_networks": draw(st.integers(1, 4)),
        "max_position_embeddings": 16, "use_bottleneck": draw(st.booleans()),
        "use_bottleneck_attention": draw(st.booleans()), "key_query_shared_bottleneck": draw(st.booleans()),
        "trigram_input": draw(st.booleans()), "hidden_act": draw(st.sampled_from(["relu", "relu6", "gelu"])),
        "normalization_type": draw(st.sampled_from(["no_norm"] * 3 + ["layer_norm"])), **fixed}
    even = MobileBertConfig(**values)  # type: ignore[arg-type]
    if "shapes" in fixed or not draw(st.booleans()):
        return even
    units = st.lists(st.integers(1, even.intermediate_size), max_size=even.num_feedforward_networks).map(tuple)
    rows = st.builds(BlockShape, st.integers(0, even.num_attention_heads), units)
    return replace(even, shapes=tuple(draw(rows) for _ in range(even.num_hidden_layers)))


@st.composite
def networks(draw: st.DrawFn, **fixed: object) -> tuple[MobileBertConfig, str, bool, int]:
    """A configuration, a task, whether there is a pooler, and the seed of the weights."""
    task = draw(st.sampled_from(sorted(HEADS)))
    config = draw(configs(**fixed))
    # The masked LM head lays the word vectors beside others, to the width of the stream.
    assume(task != "pretraining" or config.embedding_size <= config.hidden_size)
    return config, task, task != "qa" and draw(st.booleans()), draw(st.integers(0, 2**31))


def hostile_weights(config: MobileBertConfig, task: str, pooler: bool, seed: int) -> Weights:
    """Weights with gammas from 1e-3 to 12 of either sign, some zero, and key biases of ±14."""
    weights = random_weights(config, HEADS[task], pooler, seed)
    rng = np.random.default_rng(seed)
    tensors = dict(weights.tensors)
    for name, tensor in tensors.items():
        if name.endswith(".gamma") and config.normalization_type == "no_norm":
            size = np.exp(rng.uniform(np.log(1e-3), np.log(12), tensor.shape)) * rng.choice([-1, 1], tensor.shape)
            tensors[name] = np.where(rng.random(tensor.shape) < 0.02, 0, size).astype(np.float32)
        if name.endswith("key.bias"):
            tensors[name] = rng.uniform(-14, 14, tensor.shape).astype(np.float32)
    return weights.with_tensors(tensors)


Network = tuple[MobileBertConfig, str, bool, int]


def inputs(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = (np.arange(LENGTH) < rng.integers(2, LENGTH + 1)).astype(np.int32)[None]
    return (rng.integers(0, 20, (1, LENGTH)).astype(np.int32), mask,
            (np.arange(LENGTH) >= rng.integers(1, LENGTH)).astype(np.int32)[None])


def run(fused: Fused, seed: int = 0) -> dict[str, np.ndarray]:
    """Outputs before any softmax, which would hide differences."""
    ids, mask, segments = inputs(seed)
    tensors = {name: tf.constant(value, tf.float64) for name, value in fused.tensors.items()}
    hidden = encode(tensors, fused.config, *map(tf.constant, (ids, mask, segments)), masking=fused.masking,
                    plan=fused.plan)
    task = find_task(fused.task.name, Form(logits=True))
    outputs = task.draw(tensors, fused.config, hidden)
    # What stands at padding is never read.
    read = mask[0].astype(bool)
    return {name: value.numpy()[:, read] if value.shape[1] == LENGTH else value.numpy()
            for name, value in outputs.items()}


def assert_same(weights: Weights, task: str, fused: Fused, seed: int = 0) -> None:
    expected = run(Fused(weights.config, find_task(task), weights.tensors, masking=fused.masking), seed)
    actual = run(fused, seed)
    for name, value in expected.items():
        largest = np.abs(value).max()
        error = np.abs(actual[name] - value).max()
        assert error <= TOLERANCE * max(largest, 1e-3), f"{name}: {error} of {largest}"


@examples(100)
@given(networks(), st.integers(0, 2**31))
def test_all_rules_together_change_nothing(network: Network, seed: int) -> None:
    weights, task = hostile_weights(*network), network[1]
    assert_same(weights, task, fuse_last(fuse(weights, find_task(task), dtype=np.float64)), seed)


@examples(40)
@given(networks(), st.integers(0, 2**31))
def test_all_rules_where_the_mask_multiplies(network: Network, seed: int) -> None:
    """Padding keeps a weight there, and the key's bias matters."""
    weights, task = hostile_weights(*network), network[1]
    fused = fuse(weights, find_task(task), dtype=np.float64, masking=Masking("multiplicative", -6.0))
    assert_same(weights, task, fuse_last(fused), seed)


@examples(60)
@given(networks(), st.booleans(), st.integers(0, 2**31))
def test_the_form_for_npus_changes_nothing(network: Network, multiplies: bool, seed: int) -> None:
    """Keys fold only where their bias is gone, and where they read what the queries read."""
    weights, task = hostile_weights(*network), network[1]
    masking = Masking("multiplicative", -6.0) if multiplies else Masking()
    fused = fuse(weights, find_task(task), dtype=np.float64, masking=masking)
    drawn = fuse_last(fused, for_npu=True)
    assert_same(weights, task, drawn, seed)
    for block in weights.config.blocks:
        shared = {"attention.query", "attention.key"} <= set(block.bottleneck_readers)
        folds = shared and block.attention_size == block.width and not multiplies
        assert (f"{block.name}.attention.key.kernel" in drawn.tensors) == (block.heads > 0 and not folds)


@pytest.mark.parametrize("rule", [*RULES, *LAST_RULES])
@examples(15)
@given(networks(), st.integers(0, 2**31))
def test_each_rule_alone_changes_nothing(rule: str, network: Network, seed: int) -> None:
    weights, task = hostile_weights(*network), network[1]
    others = [other for other in NAMES if other != rule]
    assert_same(weights, task, fuse_last(fuse(weights, find_task(task), others, np.float64), others), seed)


@pytest.mark.parametrize("activation", ["relu", "relu6"])
@examples(20)
@given(network=networks(normalization_type="no_norm"), seed=st.integers(0, 2**31))
def test_equalizing_changes_nothing(activation: str, network: Network, seed: int) -> None:
    network = (replace(network[0], hidden_act=activation), *network[1:])
    weights, task = hostile_weights(*network), network[1]
    fused = fuse(weights, find_task(task), dtype=np.float64)
    assert_same(weights, task, fuse_last(equalize.apply(fused, ranges(fused, seed))), seed)


@examples(40)
@given(networks(normalization_type="no_norm"), st.integers(0, 2**31))
def test_centring_changes_no_bit(network: Network, seed: int) -> None:
    weights, task = hostile_weights(*network), network[1]
    fused = fuse(weights, find_task(task), dtype=np.float64)
    expected, actual = run(fused, seed), run(center.apply(fused, ranges(fused, seed)), seed)
    for name, value in expected.items():
        assert np.array_equal(actual[name], value), name


@examples(40)
@given(networks(), st.integers(0, 2**31))
def test_centring_keys_changes_nothing(network: Network, seed: int) -> None:
    """Queries a million times as large take every score that is not zero beyond float16."""
    fused = fuse(hostile_weights(*network), find_task(network[1]), dtype=np.float64)
    loud = fused.with_tensors({name: value * (1e6 if "attention.query" in name else 1)
                               for name, value in fused.tensors.items()})
    centered = center_keys.apply(loud, ranges(loud, seed))
    expected, actual = run(loud, seed), run(centered, seed)
    for name, value in expected.items():
        assert np.abs(actual[name] - value).max() <= TOLERANCE * max(np.abs(value).max(), 1e-3), name
    if centered.notes[-1].applied and "layers.0.attention.key.bias" in centered.tensors:
        low, high = ranges(centered, seed)["layers.0.attention.key"]
        np.testing.assert_allclose(low, -high, atol=1e-9 * np.abs(high).max())


def test_keys_are_centerd_only_where_scores_are_large() -> None:
    """16 of 16 channels in 4 heads; the bound is that of the loudest head."""
    query, key = np.array([np.zeros(16), np.arange(16)]), np.array([-np.ones(16), np.full(16, 3.0)])
    assert center_keys.score_bound(query, key, 4) == 3 * (12 + 13 + 14 + 15)
    assert center_keys.score_bound(query, key, 1) == 3 * 120
    fused = fuse(random_weights(PLAIN, {"qa": 2}), find_task("qa"))
    quiet = center_keys.apply(fused, ranges(fused))
    assert not quiet.notes[-1].applied
    assert quiet.tensors is fused.tensors
    found = ranges(fused)
    found["layers.1.attention.query"] = found["layers.1.attention.query"] * 1e6
    loud = center_keys.apply(fused, found)
    assert [name for name in loud.tensors if name not in fused.tensors] == ["layers.1.attention.key.bias"]


def test_centerd_channels_lie_around_two() -> None:
    """Whatever the units of a checkpoint: values, hidden and shared inputs exactly, streams as near as one vector for
    all blocks can be."""
    weights = hostile_weights(PLAIN, "qa", False, 5)
    fused = fuse(weights, find_task("qa"), dtype=np.float64)
    found = ranges(center.apply(fused, ranges(fused)))
    for name, (low, high) in found.items():
        loudest = np.maximum(-low, high).max()
        if name.endswith(("value", "hidden", "bottleneck.attention")):
            assert 2 ** 0.5 <= loudest <= 2 ** 1.5, name
        elif name.endswith(("stream", "inner")):
            assert loudest <= 2 ** (1.5 + center.MOST_BITS), name
    assert max(np.abs(ends).max() for name, ends in ranges(fused).items() if "stream" in name) > 2 ** 9


def ranges(fused: Fused, seed: int = 0) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}

    def tap(name: str, x: tf.Tensor) -> tf.Tensor:
        found[name] = np.stack([x.numpy().min(axis=(0, 1)), x.numpy().max(axis=(0, 1))])
        return x

    tensors = {name: tf.constant(value, tf.float64) for name, value in fused.tensors.items()}
    encode(tensors, fused.config, *map(tf.constant, inputs(seed)), plan=fused.plan, tap=tap)
    return found


PLAIN = MobileBertConfig(vocab_size=20, hidden_size=24, embedding_size=6, intra_bottleneck_size=16,
                         intermediate_size=12, num_hidden_layers=3, max_position_embeddings=16)


def test_no_normalization_is_left() -> None:
    fused = fuse(random_weights(PLAIN, {"qa": 2}), find_task("qa"))
    gone = (".gamma", ".beta", ".rescale", "key.bias", "value.bias")
    assert not [name for name in fused.tensors if name.endswith(gone)]
    assert all(note.applied for note in fused.notes if note.rule not in ("cls-only", "shrink-hidden"))


def test_gamma_of_zero_keeps_one_multiplication() -> None:
    weights = random_weights(PLAIN, {"qa": 2})
    tensors = dict(weights.tensors)
    tensors["layers.1.output.norm.gamma"] = tensors["layers.1.output.norm.gamma"] * np.eye(24)[0].astype(np.float32)
    fused = fuse(weights.with_tensors(tensors), find_task("qa"))
    assert [name for name in fused.tensors if name.endswith(".rescale")] == ["layers.1.output.norm.rescale"]
    assert_same(weights.with_tensors(tensors), "qa", fused)


def test_layer_norm_is_refused_with_the_reason() -> None:
    config = MobileBertConfig(**{**vars(PLAIN), "normalization_type": "layer_norm"})
    fused = fuse(random_weights(config, {"qa": 2}), find_task("qa"))
    notes = {note.rule: note for note in fused.notes}
    assert not notes["eliminate-no-norm"].applied
    assert "layer_norm" in notes["eliminate-no-norm"].message
    assert "layers.0.ffn.0.norm.gamma" in fused.tensors


def kernels(fused: Fused, layer: str = "layers.0.") -> set[str]:
    """The dense layers of a block, but those of the feed-forward networks."""
    return {name.removeprefix(layer).removesuffix(".kernel") for name in fused.tensors
            if name.startswith(layer) and name.endswith(".kernel") and ".ffn." not in name}


@pytest.mark.parametrize(("changes", "expected"), [
    ({}, {"bottleneck.attention-attention.value-bottleneck.input", "attention.query-attention.key"}),
    ({"use_bottleneck_attention": True}, {"bottleneck.input", "attention.query-attention.key-attention.value"}),
    ({"key_query_shared_bottleneck": False},
     {"attention.query-attention.key-attention.value-bottleneck.input"}),
    # A normalization follows the bottlenecks, so only query and key can be merged.
    ({"normalization_type": "layer_norm"},
     {"bottleneck.attention", "attention.value", "bottleneck.input", "attention.query-attention.key"})])
def test_layers_that_read_the_same_are_merged(changes: dict[str, object], expected: set[str]) -> None:
    config = MobileBertConfig(**{**vars(PLAIN), **changes})
    fused = fuse_last(fuse(random_weights(config, {"qa": 2}), find_task("qa")))
    assert kernels(fused) == expected | {"attention.output", "output"}
    assert merge_projections.NAME in {note.rule for note in fused.notes}


def test_a_shared_bias_is_left_where_a_normalization_follows() -> None:
    weights = random_weights(PLAIN, {"qa": 2})
    assert "layers.0.bottleneck.attention.bias" not in fuse(weights, find_task("qa")).tensors
    kept = fuse(weights, find_task("qa"), ["eliminate-no-norm"])
    assert "layers.0.bottleneck.attention.bias" in kept.tensors
    assert "normalization" in next(note.message for note in kept.notes if note.rule == "fold-shared-bias")


def test_a_rule_can_be_switched_off() -> None:
    weights = random_weights(PLAIN, {"qa": 2})
    assert "layers.0.attention.key.bias" in fuse(weights, find_task("qa"), ["drop-key-bias"]).tensors
    assert set(fuse(weights, find_task("qa"), ["all"]).tensors) == set(weights.tensors)
    with pytest.raises(RequestError, match="unknown fusion rule nonsense"):
        fuse(weights, find_task("qa"), ["nonsense"])


def test_classification_computes_one_row_in_the_last_block() -> None:
    fused = fuse(random_weights(PLAIN, {"classifier": 3}), find_task("classification"))
    tensors = {name: tf.constant(value, tf.float64) for name, value in fused.tensors.items()}
    hidden = encode(tensors, fused.config, *map(tf.constant, inputs(0)), plan=fused.plan)
    assert hidden.shape == (1, 1, 24)


def test_rewritten_checkpoints_balance_to_the_same_network() -> None:
    """Scaling a residual stream by any vector leaves the function, and after balancing also the weights, unchanged."""
    fused = fuse(random_weights(PLAIN, {"qa": 2}, seed=3), find_task("qa"))
    scale = np.exp(np.random.default_rng(1).normal(0, 1, 24))
    moved = {name: value.astype(np.float64) for name, value in fused.tensors.items()}
    scale_embedding(moved, scale, PLAIN)
    for layer in fused.layers:
        for part in PLAIN.blocks[0].stream_readers:
            moved[f"{layer}.{part}.kernel"] /= scale[:, None]
        for part in ("kernel", "bias"):
            moved[f"{layer}.output.{part}"] *= scale
    moved["qa.kernel"] /= scale[:, None]
    rewritten = Fused(fused.config, find_task("qa"),
                      {name: value.astype(np.float32) for name, value in moved.items()}, fused.plan)
    once, twice = (equalize.apply(one, ranges(one)).tensors for one in (fused, rewritten))
    for name, value in once.items():
        np.testing.assert_allclose(twice[name], value, rtol=1e-3, atol=1e-4 * np.abs(value).max(), err_msg=name)


def test_one_stretch_where_channels_keep_their_shape_and_more_where_they_do_not() -> None:
    shape = np.array([1.0, 2, 4, 8])
    def serves(places: Sequence[np.ndarray]) -> bool:
        return equalize.bits_lost(places) <= equalize.MOST_BITS

    assert stretches([shape, shape * 3, shape * 100], serves) == [(0, 3)]
    assert stretches([shape, shape, shape[::-1] ** 4, shape[::-1] ** 4], serves) == [(0, 2), (2, 4)]


@pytest.mark.parametrize("rule", [equalize, center])
@pytest.mark.parametrize("changes", [{}, {"use_bottleneck_attention": True, "key_query_shared_bottleneck": False}])
def test_channels_are_what_the_rule_says_they_became(rule: ModuleType, changes: dict[str, bool]) -> None:
    """What was before is measured and what comes after is computed: measuring again must find the same."""
    weights = hostile_weights(replace(PLAIN, **changes), "qa", False, 7)
    fused = fuse(weights, find_task("qa"), dtype=np.float64)
    scaled = rule.apply(fused, ranges(fused))
    before, after = ranges(fused), ranges(scaled)
    # The last hidden states follow the last block's stream and are no place of their own; what training looks at
    # besides is not scaled.
    looked_at = {name for name in before if name.endswith(UNSCALED)}
    assert scaled.channels.keys() == before.keys() - {"final.stream"} - looked_at
    for name, (was, became) in scaled.channels.items():
        np.testing.assert_array_equal(was, np.abs(before[name]).max(axis=0))
        np.testing.assert_allclose(became, np.abs(after[name]).max(axis=0), rtol=1e-9)
    assert fused.channels == {}


def test_summary_of_channels() -> None:
    """Percentiles of the right places, block by block; hidden layers of a block together."""
    ramp = np.arange(1.0, 12.0)
    channels = {f"layers.{layer}.{place}": (ramp * 10 ** layer, np.full(11, 2.0))
                for layer in range(2) for place in ("stream", "ffn.0.hidden", "ffn.1.hidden", "ffn.0.inner")}
    channels["layers.1.ffn.1.hidden"] = (np.full(11, 1234.6), np.full(11, 2.0))
    found = channel_ranges.summarize(channels, 2)
    assert list(found) == ["residual stream", "residual stream inside blocks", "hidden layers"]
    assert found["residual stream"] == {"before": [[2.0, 6.0, 11.0], [20.0, 60.0, 110.0]], "after": [[2.0] * 3] * 2}
    # 22 channels: the ramp to 110 and eleven of 1234.6.
    assert found["hidden layers"]["before"][1] == [31.0, 672.0, 1230.0]


@examples(30)
@given(networks(), st.integers(0, 2**31))
def test_hidden_units_that_say_nothing_go_at_no_loss(network: Network, seed: int) -> None:
    """In every network: units 0 and 1 are twins, 2 is constant, nothing reads 3, and 4 is three times 5."""
    weights, task = random_weights(network[0], HEADS[network[1]], *network[2:]), network[1]
    assume(all(units >= 6 for block in weights.config.blocks for units in block.feed_forward))
    tensors = {name: tensor.copy() for name, tensor in weights.tensors.items()}
    for block in weights.config.blocks:
        for scope in block.networks:
            for kind in ("kernel", "bias"):
                inside = tensors[f"{scope}.intermediate.{kind}"]
                inside[..., 1], inside[..., 4] = inside[..., 0], 3 * inside[..., 5]
            tensors[f"{scope}.intermediate.kernel"][:, 2] = 0
            tensors[f"{scope}.output.kernel"][3] = 0
    weights = weights.with_tensors(tensors)
    fused = fuse(weights, find_task(task), dtype=np.float64)
    assert_same(weights, task, fuse_last(fused), seed)
    gone = 4 if weights.config.hidden_act == "relu" else 3
    assert [block.feed_forward for block in fused.blocks] == [
        tuple(units - gone for units in block.feed_forward) for block in weights.config.blocks]
    kept = fuse(weights, find_task(task), ["shrink-hidden"])
    assert kept.config == weights.config


def test_units_that_all_say_nothing_leave_one() -> None:
    weights = random_weights(PLAIN, {"qa": 2}, seed=3)
    weights = weights.with_tensors({name: np.zeros_like(tensor) if name == "layers.1.ffn.0.output.kernel" else tensor
                                    for name, tensor in weights.tensors.items()})
    fused = fuse(weights, find_task("qa"), dtype=np.float64)
    assert fused.blocks[1].feed_forward[0] == 1
    assert "11 of" in next(note.message for note in fused.notes if note.rule == "shrink-hidden")
    assert_same(weights, "qa", fused)
