"""Files whose subgraphs call others: right ones are looked into, each with what it calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bombs import called, encode

from mobilebert_lite.doctor import repairs
from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.errors import RepairError
from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.tflite.calls import reached
from mobilebert_lite.tflite.graph import Graphs


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two signatures: a loop whose body chooses, and one without control flow."""
    import tensorflow as tf

    class Calling(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, "x")])
        def loop(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            def body(i: tf.Tensor, value: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                return i + 1, tf.cond(tf.reduce_sum(value) > 3.0, lambda: value * 0.5, lambda: tf.tanh(value) + 1.0)

            return {"y": tf.while_loop(lambda i, value: i < 3, body, [0, x], maximum_iterations=9)[1]}

        @tf.function(input_signature=[tf.TensorSpec([1, 4], tf.float32, "x")])
        def plain(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": tf.tanh(x) * 2.0}

    module = Calling()
    saved = tmp_path_factory.mktemp("calling")
    tf.saved_model.save(module, str(saved / "model"), {"plain": module.plain, "loop": module.loop})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved / "model"), signature_keys=["plain", "loop"])
    path = saved / "calling.tflite"
    path.write_bytes(converter.convert())
    return path


def test_subgraphs_that_are_called_come_along(calling: Path) -> None:
    found = inspect(calling)
    signatures = {one.name: one for one in found.signatures}
    assert set(signatures) == {"plain", "loop"}
    # The called ones need renumbering only where the caller is not the first, so one of the two shows it.
    assert sorted(one.subgraph for one in found.signatures) == [0, 1]
    loop, plain = (signatures[name].delegation for name in ("loop", "plain"))
    assert loop is not None
    assert plain is not None
    assert "WHILE" in {name for _, name in loop.outside}
    assert plain.partitions == 1
    assert not plain.outside


def test_what_no_runtime_calls_is_shown_all_the_same(tmp_path: Path) -> None:
    """CALL is in the schema alone; subgraphs that each call the next one twice are looked at once each."""
    path = tmp_path / "call.tflite"
    path.write_bytes(encode(called(200, 2)))
    found = inspect(path)
    assert [one.name for one in found.signatures] == ["s"]
    assert found.signatures[0].delegation is None
    assert reached(Graphs.read(path.read_bytes()), 0) == list(range(201))


def test_a_subgraph_that_is_called_keeps_the_order_of_its_inputs() -> None:
    model = called(1, 1)
    model["subgraphs"] = [model["subgraphs"][1], model["subgraphs"][0]]
    model["subgraphs"][1]["operators"][0]["builtin_options"][1]["subgraph"] = 0
    facts = Facts(encode(model))
    with pytest.raises(RepairError, match="called by another"):
        repairs.order(facts.graphs.raw, facts)


def test_what_is_called_once(tmp_path: Path) -> None:
    """A variable is given its first value by a subgraph that CALL_ONCE names; the file is inspected and runs."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    class Counting(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.total = tf.Variable([[1.0, 2.0]], name="total")

        @tf.function(input_signature=[tf.TensorSpec([1, 2], tf.float32, "x")])
        def add(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": self.total.assign_add(x)}

    module = Counting()
    tf.saved_model.save(module, str(tmp_path / "model"), {"add": module.add})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "model"), signature_keys=["add"])
    converter.experimental_enable_resource_variables = True
    path = tmp_path / "counting.tflite"
    path.write_bytes(converter.convert())
    graphs = Graphs.read(path.read_bytes())
    assert "CALL_ONCE" in {operator.name for operator in graphs.subgraphs[0].operators}
    assert reached(graphs, 0) == [0, 1]
    found = inspect(path)
    assert [one.name for one in found.signatures] == ["add"]
    assert found.signatures[0].delegation is not None
    runner = Interpreter(str(path)).get_signature_runner("add")
    assert [runner(x=np.ones((1, 2), np.float32))["y"].tolist() for _ in range(2)] == [[[2, 3]], [[3, 4]]]
