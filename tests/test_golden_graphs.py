"""The graphs that fusion and recipes make, as text that a person can read in a difference.

``MBL_UPDATE_GOLDEN=1 python -m pytest tests/test_golden_graphs.py`` writes the files in tests/golden anew; look at what
changed before it is committed.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.conversion.building import Design, build
from mobilebert_lite.conversion.lowering import convert_network
from mobilebert_lite.datasets.samples import Most, samples
from mobilebert_lite.fusion.pipeline import CALIBRATED, LAST_RULES, RULES, fuse, fuse_last
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization.recipe import MODES, load_recipe
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.tflite.dump import dump
from mobilebert_lite.tflite.graph import Graphs

GOLDEN = Path(__file__).parent / "golden"
LENGTH = 16
ORDER = (*RULES, *LAST_RULES)


@pytest.fixture(scope="module")
def weights(tiny_config: MobileBertConfig) -> Weights:
    # Blocks of 32 inputs, as int4 has them, must divide what layers read.
    config = replace(tiny_config, intra_bottleneck_size=32, embedding_size=32).with_labels(["a", "b", "c"])
    return random_weights(config, {"classifier": 3}, pooler=True, seed=1)


def same_as_kept(name: str, content: bytes) -> None:
    made, path = dump(Graphs.read(content)), GOLDEN / f"{name}.txt"
    if os.environ.get("MBL_UPDATE_GOLDEN", "0") != "0":
        path.write_text(made, encoding="utf-8")
    kept = path.read_text(encoding="utf-8")
    changes = difflib.unified_diff(kept.splitlines(), made.splitlines(), f"kept {path.name}", "made", lineterm="")
    assert kept == made, "the graph is another one; if it should be, see this file's first lines\n" + "\n".join(changes)


@pytest.mark.parametrize("count", range(len(ORDER) + 1))
def test_graph_after_each_rule(weights: Weights, count: int) -> None:
    """The first so many of the rules, so that two neighbors are the graph before and after one."""
    without = (*ORDER[count:], *CALIBRATED)
    fused = fuse_last(fuse(weights, find_task("classification"), without), without)
    content = convert_network(Network(fused.config, fused.tensors, fused.task, plan=fused.plan), [LENGTH])
    same_as_kept(f"rules-{count}-{ORDER[count - 1] if count else 'none'}", content)


@pytest.mark.parametrize("mode", MODES)
def test_graph_of_each_recipe(weights: Weights, tiny_vocabulary: tuple[str, ...], mode: str) -> None:
    task, recipe = find_task("classification"), load_recipe(mode)
    examples: list[Any] = [TextExample(f"the salt {i}") for i in range(4)]
    texts = samples(Tokenizer(tiny_vocabulary), task, examples, [LENGTH], Most(256, 64))
    built = build(weights, Design(task, [LENGTH], recipe, recipe.masking(Masking()), threads=1), texts)
    same_as_kept(f"recipe-{mode}", built.content)


def test_nothing_else_is_kept() -> None:
    names = {f"rules-{count}-{('none', *ORDER)[count]}.txt" for count in range(len(ORDER) + 1)}
    assert {path.name for path in GOLDEN.iterdir()} == names | {f"recipe-{mode}.txt" for mode in MODES}
