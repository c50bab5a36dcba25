"""Counts of instructions under emulation are exact, and a file that executes more is told."""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from made import made_once

from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.cost.estimate import estimate
from mobilebert_lite.tflite.flatbuffer import read_model, write_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "suites"))
import arm_cost
from arm_counting import Counts

pytestmark = [pytest.mark.arm, pytest.mark.timeout(1200)]

LENGTH, CPU = 64, "cortex-a76"


@pytest.fixture(scope="module")
def model() -> Path:
    """The bundled checkpoint for questions: four layers."""
    return made_once(f"demo-qa-int8-{LENGTH}.tflite",
                     lambda new: convert(ConvertRequest(new, task="qa", lengths=(LENGTH,), quantize="int8")))


@pytest.fixture(scope="module")
def found(model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[arm_cost.Row]:
    """The file twice, and one to which somebody added a few hundredths."""
    slower = tmp_path_factory.mktemp("slower") / "slower.tflite"
    slower.write_bytes(with_more_work(model.read_bytes()))
    return arm_cost.rows([CPU], {("first", LENGTH): model, ("second", LENGTH): model, ("slower", LENGTH): slower})


def with_more_work(content: bytes) -> bytes:
    """The same file, in which one dense layer is computed twice."""
    model = read_model(content)
    subgraph = model.subgraphs[0]
    names = [model.operatorCodes[one.opcodeIndex].builtinCode for one in subgraph.operators]
    dense = [place for place, code in enumerate(names) if code == 9]  # FULLY_CONNECTED
    place = dense[len(dense) // 2]
    again = deepcopy(subgraph.operators[place])
    output = deepcopy(subgraph.tensors[again.outputs[0]])
    output.name, again.outputs = b"again", [len(subgraph.tensors)]
    subgraph.tensors.append(output)
    # What nobody reads is not computed.
    subgraph.outputs = [*subgraph.outputs, len(subgraph.tensors) - 1]
    subgraph.operators.insert(place + 1, again)
    return write_model(model)


def test_two_runs_count_the_same(found: list[arm_cost.Row], model: Path) -> None:
    """But for a few dozen instructions of ten million, which copies take where memory lies otherwise."""
    first, second, _ = found
    kernels: dict[str, Counts] = dict(first.kernels)
    assert first.total.kinds["sdot"] > 100_000
    assert first.total.kinds.get("smmla", 0) == 0
    [other] = arm_cost.rows([CPU], {("first", LENGTH): model})
    for one in (second, other):
        assert one.total.instructions == pytest.approx(first.total.instructions, rel=1e-5)
        assert one.total.kinds["sdot"] == first.total.kinds["sdot"]
        assert set(one.kernels) >= {name for name in kernels if "gemm" in name}


def test_a_few_hundredths_more_are_told(found: list[arm_cost.Row]) -> None:
    """The layer that is computed twice is found, in the kernels that compute it."""
    first, second, slower = found
    before: dict[Any, Any] = {(name, LENGTH, CPU): first.to_json() for name in ("first", "second", "slower")}
    more = slower.total.instructions / first.total.instructions - 1
    assert 0.005 < more < 0.05
    assert arm_cost.worse([first, second], before) == []
    [reason] = arm_cost.worse([slower], before)
    assert "slower" in reason
    assert "int8 products" in reason


def test_the_estimate_is_near_the_count(found: list[arm_cost.Row], model: Path) -> None:
    """Of a network with other widths than those that the prices were fitted to."""
    total, estimated = found[0].total, estimate(model.read_bytes(), CPU)
    assert estimated.instructions == pytest.approx(total.instructions, rel=0.15)
    assert estimated.cycles == pytest.approx(total.cycles, rel=0.15)
