"""How far activations stay from the ends of float16, and that users are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.cli import convert as convert_command
from mobilebert_lite.cli.inspect import command as inspect_command
from mobilebert_lite.conversion.lowering import convert_network
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization.head_room import HeadRoom, measure
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tflite import container as metadata

INPUTS = {"ids": np.arange(5, 37, dtype=np.int32)[None], "mask": (np.arange(32) < 20).astype(np.int32)[None],
          "segment_ids": (np.arange(32) > 9).astype(np.int32)[None]}


def room_of(weights: Weights, mask_constant: float = -100.0) -> HeadRoom:
    masking = Masking(constant=mask_constant)
    return measure(convert_network(Network(weights.config, weights.tensors, find_task("qa"), masking), [32]),
                   {"qa_32": [INPUTS]})


def test_bits() -> None:
    room = HeadRoom(65504.0 / 8, "loud", 2.0 ** -14 * 32, "quiet")
    assert (room.bits_above, room.bits_below) == (3, 5)
    assert room.to_json() == {"largest": 8188.0, "largest_in": "loud", "bits_above": 3.0, "smallest_typical": 2.0 ** -9,
                              "smallest_in": "quiet", "bits_below": 5.0}
    assert HeadRoom(2 * 65504.0, "loud", 2.0 ** -15, "quiet").bits_above == -1
    assert HeadRoom(2 * 65504.0, "loud", 2.0 ** -15, "quiet").bits_below == -1


def test_the_extremes_are_found(tiny_qa: Path) -> None:
    """The head's outputs scaled up, then down: each time they are what is reported, with the right value."""
    weights = huggingface.load(tiny_qa)
    kernel, bias = weights.tensors["qa.kernel"], weights.tensors["qa.bias"]
    for scale in (1e6, 1e-7):
        changed = weights.with_tensors({**weights.tensors, "qa.kernel": kernel * np.float32(scale),
                                        "qa.bias": bias * np.float32(scale)})
        [outputs] = Network(changed.config, changed.tensors, find_task("qa")).run([INPUTS])
        room = room_of(changed)
        if scale > 1:
            assert room.largest == pytest.approx(max(np.abs(value).max() for value in outputs.values()), rel=1e-5)
            assert room.bits_above < 0
        else:
            typical = min(np.sqrt(np.square(value).mean()) for value in outputs.values())
            assert room.smallest_typical <= typical * 1.001
            assert room.smallest_typical > typical / 4  # one of them before its bias is added
            assert room.bits_below < 0


def test_padding_and_the_mask_count(tiny_qa: Path) -> None:
    """An infinity at padding would reach every answer."""
    weights = huggingface.load(tiny_qa)
    assert room_of(weights, -5000.0).largest == pytest.approx(5000, rel=0.01)
    word = weights.tensors["embeddings.word"].copy()
    word[0] = 1e4
    loud = weights.with_tensors({**weights.tensors, "embeddings.word": word})
    inputs = {**INPUTS, "ids": np.where(INPUTS["mask"], INPUTS["ids"], 0)}
    content = convert_network(Network(loud.config, loud.tensors, find_task("qa"), Masking(constant=-100.0)), [32])
    assert measure(content, {"qa_32": [inputs]}).largest > 1e4


@pytest.mark.parametrize("mode", ["none", "fp16", "dynamic", "int8"])
def test_files_for_gpus_say_it(converted: Callable[[str, str], Path], mode: str) -> None:
    path = converted("qa", mode)
    room = metadata.read_provenance(path.read_bytes()).get("float16")
    shown = CliRunner().invoke(inspect_command, [str(path), "--all"]).output
    short = CliRunner().invoke(inspect_command, [str(path)]).output
    # With two bits of head room it matters for fp16 alone, which is made for GPUs.
    assert ("bits below overflow" in short) == (mode == "fp16")
    if mode == "int8":
        assert room is None
        assert "float16:" not in shown
    else:
        assert 16384 <= room["largest"] < 16500  # the mask
        assert f"{room['bits_above']:.1f} bits below overflow" in " ".join(shown.split())


def test_an_overflow_is_said(tiny_qa: Path, tiny_vocabulary: Sequence[str], tiny_questions: Path,
                             tmp_path: Path) -> None:
    """Logits of a million belong to the function; float32 arithmetic is what is left."""
    weights = huggingface.load(tiny_qa)
    loud = weights.with_tensors({**weights.tensors, "qa.kernel": weights.tensors["qa.kernel"] * np.float32(1e6)})
    huggingface.save(loud, tmp_path / "loud", vocabulary=tiny_vocabulary)
    arguments = ["--weights", str(tmp_path / "loud"), "--quantize", "none", "--seq-len", "32", "--calibration",
                 str(tiny_questions), "-o", str(tmp_path / "m.tflite"), "--report", str(tmp_path / "report.json")]
    done = CliRunner().invoke(convert_command.command, arguments)
    assert "OVERFLOWS; let GPUs compute in float32" in done.output
    assert json.loads((tmp_path / "report.json").read_text())["provenance"]["float16"]["bits_above"] < 0
