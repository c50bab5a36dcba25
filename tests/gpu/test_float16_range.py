"""A checkpoint whose hidden values are millions: float16 on the GPU overflows, and our files do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from accelerator import run_on_gpu
from test_acceptance import ALLOWED, LENGTH, check, some_inputs

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.fusion.stream import head_readers
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tflite import container as metadata

pytestmark = pytest.mark.gpu


def louder(weights: Weights, seed: int = 0) -> Weights:
    """The same function with hidden values around a million, as γs and weights of published checkpoints make them.

    The stream before block l is scaled by K_l: K_0 is log-normal around 10^6, and the γs, K_(l+1)/K_l times what they
    were, take it per channel to between 10^-3 and 12 times as much at the end.
    """
    config, rng = weights.config, np.random.default_rng(seed)
    tensors = {name: tensor.astype(np.float64) for name, tensor in weights.tensors.items()}
    first = 1e6 * np.exp(rng.normal(0, 1, config.hidden_size))
    drift = np.exp(rng.uniform(np.log(1e-3), np.log(12), config.hidden_size) / config.num_hidden_layers)
    scales = [first * drift ** i for i in range(config.num_hidden_layers + 1)]
    for part in ("gamma", "beta"):
        tensors[f"embeddings.norm.{part}"] *= first
    for i, (here, after) in enumerate(pairwise(scales)):
        layer = f"layers.{i}"
        for reader in config.blocks[0].stream_readers:
            tensors[f"{layer}.{reader}.kernel"] /= here[:, None]
        tensors[f"{layer}.output.kernel"] *= here
        tensors[f"{layer}.output.bias"] *= here
        tensors[f"{layer}.output.norm.gamma"] *= after / here
        tensors[f"{layer}.output.norm.beta"] *= after
    for reader in head_readers(tensors, find_task("qa")):
        tensors[f"{reader}.kernel"] /= scales[-1][:, None]
    return weights.with_tensors({name: tensor.astype(np.float32) for name, tensor in tensors.items()})


@pytest.fixture(scope="module")
def loud(tiny_vocabulary: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = MobileBertConfig(vocab_size=len(tiny_vocabulary), num_hidden_layers=4, max_position_embeddings=64)
    folder = tmp_path_factory.mktemp("loud") / "checkpoint"
    huggingface.save(louder(random_weights(config, {"qa": 2})), folder, vocabulary=tiny_vocabulary)
    return folder


@pytest.fixture
def converted(loud: Path, tmp_path: Path) -> Callable[..., Path]:
    def make(mode: str, *without: str) -> Path:
        output = tmp_path / f"{mode}.tflite"
        convert(ConvertRequest(output, str(loud), lengths=(LENGTH,), quantize=mode, without=without))
        return output

    return make


@pytest.mark.parametrize("rule", ["center", "all"])
def test_without_the_rule_it_overflows(converted: Callable[..., Path], rule: str) -> None:
    """Folded, or as the checkpoint draws it: on the CPU the file agrees with the checkpoint, on the GPU it answers with
    NaN or infinity."""
    path = converted("none", rule)
    assert metadata.read_provenance(path.read_bytes())["float16"]["bits_above"] < 0
    [rows] = run_on_gpu(path, some_inputs(path)).outputs.values()
    assert not any(np.isfinite(value).all() for row in rows for value in row.values())


@pytest.mark.parametrize("mode", ALLOWED)
def test_with_it_the_gpu_is_right(converted: Callable[..., Path], mode: str) -> None:
    path = converted(mode)
    room = metadata.read_provenance(path.read_bytes())["float16"]
    print(f"{mode}: {room}")
    assert room["bits_above"] > 1.9  # the masked scores alone, -2^14, leave 2.0
    assert room["bits_below"] > 2
    check(path, mode)
