"""Compiled files keep their contexts where operators look for them; names of processors; what is missing is named."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from mobilebert_lite.cli.inspect import command as inspect
from mobilebert_lite.conversion.for_npu import of_lengths
from mobilebert_lite.errors import DependencyError, ModelFileError, RequestError
from mobilebert_lite.npu import compiled, cpu, toolchain
from mobilebert_lite.npu.socs import EVERYWHERE, common_mode, find_soc, socs
from mobilebert_lite.quantization.recipe import MODES
from mobilebert_lite.running.model import Model
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tflite.container import append_files, read_files, read_provenance
from mobilebert_lite.tflite.edits import add_buffer, add_signature, add_tensor, set_metadata
from mobilebert_lite.tflite.flatbuffer import read_model, schema, write_model
from mobilebert_lite.tflite.graph import Graphs

CONTEXT = bytes(range(256)) * 5


def with_contexts(*names: str) -> bytes:
    """As LiteRT's compiler writes files: one operator in each graph, and one context behind the flatbuffer."""
    model = schema().ModelT()
    model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, [], [], []
    add_buffer(model, b"")
    code = schema().OperatorCodeT()
    code.customCode, code.builtinCode, code.deprecatedBuiltinCode = compiled.DISPATCH.encode(), 32, 32
    model.operatorCodes.append(code)
    for name in names:
        subgraph = schema().SubGraphT()
        subgraph.tensors, subgraph.operators = [], []
        operator = schema().OperatorT()
        operator.opcodeIndex = 0
        operator.inputs = [add_tensor(subgraph, "INT32", [1, 4], name=f"{name}_in")]
        operator.outputs = [add_tensor(subgraph, "FLOAT32", [1, 2], name=f"{name}_out")]
        operator.customOptions = compiled._options(name, 4096, len(CONTEXT))
        subgraph.inputs, subgraph.outputs = operator.inputs, operator.outputs
        subgraph.operators.append(operator)
        model.subgraphs.append(subgraph)
        add_signature(model, name, len(model.subgraphs) - 1, [("in", 0)], [("out", 1)])
    return write_model(model).ljust(4096, b"\0") + CONTEXT


@pytest.mark.parametrize("size", [0, 10, 70_000, 17_000_000])
def test_contexts_move_with_what_is_put_before_them(size: int) -> None:
    """Also where the larger file needs wider numbers for its places."""
    before = with_contexts("first", "second")
    after = append_files(compiled.rewrite(before, lambda model: set_metadata(model, "more", b"x" * size)),
                         {"vocab.txt": b"a\n"})
    assert read_files(after) == {"vocab.txt": b"a\n"}
    model = read_model(after)
    found = [compiled.partition_of(subgraph.operators[0], after) for subgraph in model.subgraphs]
    assert [one.name for one in found] == ["first", "second"]
    assert {one.offset % 16 for one in found} == {0}
    assert {one.context(after) for one in found} == {CONTEXT}
    assert after.count(CONTEXT) == 1
    assert not compiled.left_to_cpu(Graphs(model))


def test_options_that_lead_out_of_the_file_are_refused() -> None:
    content = with_contexts("only")
    operator = read_model(content).subgraphs[0].operators[0]
    with pytest.raises(ModelFileError, match="of a file of"):
        compiled.partition_of(operator, content[:-1])
    operator.customOptions = np.frombuffer(b"\xff" * 7, np.uint8)
    with pytest.raises(ModelFileError, match="damaged"):
        compiled.partition_of(operator, content)


def test_a_part_on_the_cpu_computes_what_it_computes_in_the_whole(
        converted: Callable[[str, str], Path], tiny_inputs: dict[int, list[dict[str, np.ndarray]]]) -> None:
    content = converted("qa", "none").read_bytes()
    graphs = Graphs.read(content)
    entry = graphs.entry("qa_32")
    operators, inputs = entry.subgraph.operators, tiny_inputs[32][1]
    values = {tensor.index: inputs[name] for name, tensor in entry.inputs.items()}
    for some in (operators[:9], operators[9:40], operators[40:]):
        made, read, given = cpu.part(content, entry.subgraph, some)
        found = Session(made).run(cpu.SIGNATURE, {cpu.tensor_name(one): values[one] for one in read})
        values |= {one: found[cpu.tensor_name(one)] for one in given}
    for name, value in Session(content).run(entry.name, inputs).items():
        np.testing.assert_allclose(values[entry.outputs[name].index], value, rtol=1e-5, atol=1e-5)


def test_operators_that_stay_are_together_where_they_are_neighbors() -> None:
    operators = [SimpleNamespace(index=index) for index in range(6)]
    graphs = SimpleNamespace(subgraphs=[SimpleNamespace(operators=operators)])
    found = cpu.runs(graphs, 0, {1, 2, 4})  # type: ignore[arg-type]
    assert [[one.index for one in run] for run in found] == [[0], [1, 2], [3], [4], [5]]


@pytest.mark.parametrize(("name", "soc"), [
    ("SM8750", "sm8750"), ("galaxys25", "sm8750"), ("Galaxy S25 Ultra", "sm8750"), ("oneplus-12", "sm8650"),
    ("xiaomi17", "sm8850")])
def test_processors_and_phones(name: str, soc: str) -> None:
    assert find_soc(name).name == soc


@pytest.mark.parametrize(("name", "message"), [("pixel9", "Google Tensor"), ("mt6989", "MediaTek"),
                                               ("exynos2400", "Samsung"), ("sm1", "unknown NPU 'sm1'.*galaxys25")])
def test_other_processors_are_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        find_soc(name)


def test_one_file_for_several_has_a_mode_that_all_take() -> None:
    assert common_mode([find_soc("sm8750")]) == find_soc("galaxys25").mode
    assert common_mode(map(find_soc, ("sm8350", "sm8750"))) == EVERYWHERE
    assert {soc.mode for soc in socs().values()} <= set(MODES)


def test_several_lengths_are_told_what_they_cost() -> None:
    assert of_lengths((128,)) is None
    assert "each of the 2 lengths stores its own weights" in str(of_lengths((128, 32)))


def test_no_phone_has_two_processors() -> None:
    phones = [phone for soc in socs().values() for phone in (soc.name, *soc.phones)]
    assert len(set(phones)) == len(phones)


def test_a_compiled_file_is_not_run_on_the_cpu() -> None:
    def change(model: object) -> None:
        set_metadata(model, "mbl", b'{"task": "qa", "npu": {"soc": "sm8650"}}')

    content = compiled.rewrite(with_contexts("qa_4"), change)
    assert read_provenance(content)["npu"] == {"soc": "sm8650"}
    with pytest.raises(ModelFileError, match="--npu sm8650"):
        Model("some.tflite", content=content)


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec",
                        lambda name, *rest: None if name == "onnxruntime_qnn" else find(name, *rest))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the platform is what is named")
def test_what_is_missing_is_named_with_its_command(without_compiler: None) -> None:
    with pytest.raises(DependencyError, match=r"onnxruntime-qnn: pip install 'mobilebert-lite\[npu\]'"):
        toolchain.find()


def test_the_doctor_says_what_it_knows_without_the_compiler(without_compiler: None,
                                                            converted: Callable[[str, str], Path]) -> None:
    path = converted("qa", "none")
    taken, refused = (CliRunner().invoke(inspect, [str(path), "--client", f"npu:{name}"])
                      for name in ("galaxys25", "sm8350"))
    assert taken.exit_code == 0
    assert "npu:sm8750: fits" in taken.output
    assert "not installed" in taken.output
    assert refused.exception is not None
    assert "FULLY_CONNECTED" in refused.output
