"""What is in the files that ``pipeline.convert`` makes."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import LENGTHS
from graphs import dense_layers

from mobilebert_lite import __version__
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.conversion.verify import load_threshold
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.flatbuffer import read_model, schema
from mobilebert_lite.tflite.op_versions import operator_name, type_name

Converted = Callable[[str, str], Path]
Inputs = dict[int, list[dict[str, np.ndarray]]]

# int4 has blocks of 32, which the widths of the tiny models are no multiples of (test_old_runtimes.py).
MODES = ("none", "fp16", "dynamic", "int8", "int8-full", "int16x8")
INTEGER = ("int8-full", "int16x8")
OUTPUTS = {"qa": ("end_logits", "start_logits"), "classification": ("probability",)}


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    """Every ``--quantize`` mode."""
    return str(request.param)


@pytest.fixture(params=list(OUTPUTS))
def task(request: pytest.FixtureRequest) -> str:
    """The tasks with a tiny checkpoint."""
    return str(request.param)


@pytest.fixture
def model(converted: Converted, task: str, mode: str) -> Any:
    """The file's object form."""
    return read_model(converted(task, mode).read_bytes())


# What clients read

def test_contract_by_position(model: Any, task: str) -> None:
    """Clients without metadata read by position: ids, mask, segment_ids; end before start. Longest first."""
    assert [subgraph.name.decode() for subgraph in model.subgraphs] == [f"{task}_48", f"{task}_32"]
    for subgraph, length in zip(model.subgraphs, (48, 32), strict=True):
        suffix = "" if length == 48 else "_32"  # tensor names are unique over the file
        inputs = [subgraph.tensors[index] for index in subgraph.inputs]
        outputs = [subgraph.tensors[index] for index in subgraph.outputs]
        assert [tensor.name.decode() for tensor in inputs] == [
            f"{name}{suffix}" for name in ("ids", "mask", "segment_ids")]
        assert [(type_name(tensor), list(tensor.shape)) for tensor in inputs] == [("INT32", [1, length])] * 3
        assert [tensor.name.decode() for tensor in outputs] == [f"{name}{suffix}" for name in OUTPUTS[task]]
        width = length if task == "qa" else 4
        assert [(type_name(tensor), list(tensor.shape)) for tensor in outputs] == (
            [("FLOAT32", [1, width])] * len(outputs))


def test_signatures(model: Any, task: str) -> None:
    """By name, in the same order, and the longest once more as serving_default."""
    found = {definition.signatureKey.decode(): definition for definition in model.signatureDefs}
    assert list(found) == [f"{task}_48", f"{task}_32", "serving_default"]
    for name, index in ((f"{task}_48", 0), (f"{task}_32", 1), ("serving_default", 0)):
        definition, subgraph = found[name], model.subgraphs[index]
        assert definition.subgraphIndex == index
        assert [entry.name.decode() for entry in definition.inputs] == ["ids", "mask", "segment_ids"]
        assert [entry.name.decode() for entry in definition.outputs] == list(OUTPUTS[task])
        assert [entry.tensorIndex for entry in definition.inputs] == list(subgraph.inputs)
        assert [entry.tensorIndex for entry in definition.outputs] == list(subgraph.outputs)


def test_positions_hold_what_their_names_say(converted: Converted, tiny_inputs: Inputs, tiny_qa: Path) -> None:
    """Read by position, without any name, the outputs are those of the float graph."""
    from ai_edge_litert.interpreter import Interpreter

    weights = huggingface.load(tiny_qa)
    inputs = tiny_inputs[48][1]
    [expected] = Network(weights.config, weights.tensors, find_task("qa")).run([inputs])
    interpreter = Interpreter(model_path=str(converted("qa", "none")))
    interpreter.allocate_tensors()
    for detail, name in zip(interpreter.get_input_details(), ("ids", "mask", "segment_ids"), strict=True):
        interpreter.set_tensor(detail["index"], inputs[name])
    interpreter.invoke()
    end, start = (interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details())
    used = int(inputs["mask"].sum())
    assert np.allclose(end[0, :used], expected["end_logits"][0, :used], atol=1e-5)  # float32 sums in another order
    assert np.allclose(start[0, :used], expected["start_logits"][0, :used], atol=1e-5)


def test_lengths_share_their_weights(model: Any, mode: str) -> None:
    """Every constant of 512 bytes or more is stored once; the positions of the shorter length are a slice.

    Files for GPUs, which reject slices of constants, hold the beginning of the positions a second time.
    """
    seen: set[bytes] = set()
    for buffer in model.buffers:
        if buffer.data is not None and len(buffer.data) >= 512:
            content = bytes(buffer.data)
            assert content not in seen
            seen.add(content)

    used = [{int(tensor.buffer): tensor for tensor in subgraph.tensors
             if model.buffers[tensor.buffer].data is not None and len(model.buffers[tensor.buffer].data) >= 512}
            for subgraph in model.subgraphs]
    alone = [list(used[1][index].shape) for index in used[1].keys() - used[0].keys()]
    assert alone == ([] if mode == "int8" else [[32, 64]])


def test_lengths_share_scales_and_biases(converted: Converted) -> None:
    """The same activation has one scale at every length, so biases, which are in its units, are shared too."""
    model = read_model(converted("qa", "int8").read_bytes())
    first, second = model.subgraphs
    scales = [[None if tensor.quantization is None or tensor.quantization.scale is None
               else tuple(tensor.quantization.scale) for tensor in subgraph.tensors] for subgraph in (first, second)]
    # The shorter one has the three operands of its slice of the positions behind them.
    assert scales[1] == [*scales[0], None, None, None]
    biases = [[tensor.buffer for tensor in subgraph.tensors if type_name(tensor) == "INT32" and len(tensor.shape) == 1
               and tensor.quantization is not None and tensor.quantization.scale is not None]
              for subgraph in (first, second)]
    assert len(biases[0]) >= 10
    assert biases[0] == biases[1]


def test_zero_points_are_stored_once(converted: Converted) -> None:
    """One for every channel of every dense layer, all zero: a tenth of a small file, were each stored."""
    model = schema().Model.GetRootAs(converted("qa", "int8").read_bytes(), 0)
    places: dict[int, set[int]] = {}
    for subgraph in map(model.Subgraphs, range(model.SubgraphsLength())):
        for tensor in map(subgraph.Tensors, range(subgraph.TensorsLength())):
            quantization = tensor.Quantization()
            if quantization is not None and quantization.ZeroPointLength() > 1:
                table = quantization._tab
                where = table.Vector(table.Offset(10))  # schema.fbs: zero_point is the fourth field
                places.setdefault(quantization.ZeroPointLength(), set()).add(where)
    assert {length: len(where) for length, where in places.items()} == {16: 1, 32: 1, 48: 1, 64: 1}


def test_carried_files(converted: Converted, task: str, mode: str, tiny_vocabulary: Sequence[str]) -> None:
    """Listed by any zip tool."""
    with zipfile.ZipFile(converted(task, mode)) as archive:
        assert archive.namelist() == (["vocab.txt"] if task == "qa" else ["vocab.txt", "labels.txt"])
        assert archive.read("vocab.txt").decode().splitlines() == list(tiny_vocabulary)
        if task == "classification":
            assert archive.read("labels.txt").decode() == "music\nweather\nalarm\nnone of these\n"


def test_provenance(converted: Converted, task: str, mode: str, tiny_qa: Path, tiny_classifier: Path,
                    tiny_questions: Path) -> None:
    content = converted(task, mode).read_bytes()
    folder = {"qa": tiny_qa, "classification": tiny_classifier}[task]
    weights = huggingface.load(folder)
    found = metadata.read_provenance(content)
    assert (found["toolkit"], found["task"], found["lengths"]) == (f"mobilebert-lite {__version__}", task, [48, 32])
    assert found["source"] == {
        "format": "huggingface", "name": folder.name, "parameters": weights.parameters,
        "sha256": hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()}
    assert found["recipe"]["name"] == mode
    assert found["mask"] == {"form": "additive", "constant": -1000.0 if mode in INTEGER else -16384.0}
    assert found["calibration"] == {
        "qa": {"texts": "questions.jsonl", "sha256": hashlib.sha256(tiny_questions.read_bytes()).hexdigest()},
        "classification": {"texts": "built in", "sha256": None}}[task]
    assert found["config"]["vocab_size"] == weights.config.vocab_size
    assert set(found["verification"]) == {f"{task}_48", f"{task}_32"}
    threshold = load_threshold(mode)
    assert all(result["error"] <= threshold.error and result["agreement"] >= threshold.agreement
               for result in found["verification"].values())
    assert str(folder.parent).encode() not in content  # names of the maker's folders are nobody's business


def test_minimum_runtime(converted: Converted, task: str, mode: str) -> None:
    """In the metadata entry where TFLite's tools look, 16 bytes as they write it, and in the provenance."""
    content = converted(task, mode).read_bytes()
    entry = metadata.read_entry(content, "min_runtime_version")
    assert entry is not None
    assert len(entry) == 16
    version = entry.rstrip(b"\0").decode()
    assert version == metadata.read_provenance(content)["min_runtime_version"]
    # Dense layers whose int8 weights have a scale per channel exist since 2.17 for float and int16 activations.
    new = {("FLOAT32", "INT8", "FLOAT32"), ("INT16", "INT8", "INT16")}
    assert (version == "2.17.0") == bool(new & set(dense_layers(read_model(content))))


# What runtimes make of them

def test_xnnpack_takes_each_signature_whole(converted: Converted, task: str) -> None:
    """One partition: whatever stands between two of them costs a copy and a synchronization at every block."""
    for signature in inspect(converted(task, "int8")).signatures:
        assert signature.delegation is not None
        assert signature.delegation.partitions == 1
        outside = {name for _, name in signature.delegation.outside}
        assert outside.isdisjoint({"FULLY_CONNECTED", "BATCH_MATMUL", "SOFTMAX", "ADD", "MUL"})


def test_int8_holds_int8(converted: Converted, task: str) -> None:
    """Most dense layers read, hold and write int8; of the large constants only the positions are float."""
    path = converted(task, "int8")
    layers = dense_layers(read_model(path.read_bytes()))
    assert layers.count(("INT8",) * 3) > len(layers) / 2
    large = [(kind, shape) for _, kind, shape, size in inspect(path).largest if size > 2000]
    assert {shape for kind, shape in large if kind != "INT8" and shape != (64, 64)} == {(48, 64)}


def test_no_dense_layer_is_forgotten(converted: Converted, task: str) -> None:
    """In the modes whose recipe is one rule for all."""
    assert set(dense_layers(read_model(converted(task, "none").read_bytes()))) == {("FLOAT32",) * 3}
    assert set(dense_layers(read_model(converted(task, "dynamic").read_bytes()))) == {("FLOAT32", "INT8", "FLOAT32")}


def test_numbers_stay_near_the_checkpoint(converted: Converted, tiny_inputs: Inputs, tiny_qa: Path, mode: str) -> None:
    """Mean error over the largest logit, on inputs that neither calibration nor verification has seen.

    Measured, and two to three times of it allowed: 4e-7 for float32 rounding; 4e-4 for float16, whose step at 1 is
    1e-3; 0.012 for int8 weights with activations of either kind, whose step is 0.008 of the largest value; with
    attention in int8 too 0.03, with int16 activations 0.012 once more: the weights decide.
    """
    weights = huggingface.load(tiny_qa)
    session = Session(converted("qa", mode).read_bytes())
    network = Network(weights.config, weights.tensors, find_task("qa"))
    allowed = {"none": 1e-6, "fp16": 1e-3, "dynamic": 0.03, "int8": 0.03, "int8-full": 0.07, "int16x8": 0.03}[mode]
    errors = []
    for length, rows in tiny_inputs.items():
        for row, expected in zip(rows, network.run(rows), strict=True):
            actual, kept = session.run(f"qa_{length}", row), row["mask"].astype(bool)
            errors += [np.abs(actual[name] - expected[name])[kept].max() / np.abs(expected[name][kept]).max()
                       for name in OUTPUTS["qa"]]
    print(f"{mode}: {np.mean(errors):.4f}")
    assert np.mean(errors) <= allowed


@pytest.mark.parametrize(("mode", "activations"), [("int8-full", "INT8"), ("int16x8", "INT16")])
def test_integers_only(converted: Converted, task: str, mode: str, activations: str) -> None:
    """No operator touches float but the widening of the outputs, which the file names; dense weights have no offset."""
    content = converted(task, mode).read_bytes()
    model = read_model(content)
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            name = operator_name(model.operatorCodes[operator.opcodeIndex])
            kinds = {type_name(subgraph.tensors[index])
                     for index in (*operator.inputs, *operator.outputs) if index >= 0}
            if name == "DEQUANTIZE":
                assert set(operator.outputs) <= set(subgraph.outputs)
            else:
                assert kinds <= {activations, "INT8", "INT32", "INT64"}
                assert activations in kinds or kinds == {"INT32"}
            if name == "FULLY_CONNECTED":
                assert not np.any(subgraph.tensors[operator.inputs[1]].quantization.zeroPoint)
    assert not any(code.customCode for code in model.operatorCodes)
    assert sorted(metadata.read_provenance(content)["float_operators"]) == [
        f"DEQUANTIZE {name}" for name in OUTPUTS[task]]


def test_scores_have_a_range_of_their_own(converted: Converted) -> None:
    """The mask's constant is not in it, and adding the mask rounds nothing: both sides have one scale."""
    model = read_model(converted("qa", "int8-full").read_bytes())
    subgraph = model.subgraphs[0]
    made_by = {int(operator.outputs[0]): operator for operator in subgraph.operators}
    softmaxes = [operator for operator in subgraph.operators
                 if operator_name(model.operatorCodes[operator.opcodeIndex]) == "SOFTMAX"]
    assert len(softmaxes) == 2
    for operator in softmaxes:
        masked = int(operator.inputs[0])
        scores, mask = made_by[masked].inputs
        scales = [float(subgraph.tensors[index].quantization.scale[0]) for index in (masked, scores, mask)]
        assert scales[0] == scales[1] < 100 / 255
        assert scales[2] == pytest.approx(1000 / 255)


@pytest.mark.parametrize("mode", ["none", "int8"])
def test_a_length_answers_as_in_a_file_of_its_own(converted: Converted, tiny_inputs: Inputs, tiny_qa: Path,
                                                  tiny_questions: Path, tmp_path: Path, mode: str) -> None:
    """To the bit; in int8 for the longest, whose ranges the others share."""
    together = Session(converted("qa", mode).read_bytes())
    for length in LENGTHS if mode == "none" else LENGTHS[-1:]:
        alone = tmp_path / f"{length}.tflite"
        convert(ConvertRequest(alone, str(tiny_qa), lengths=(length,), quantize=mode, calibration=tiny_questions))
        session = Session(alone.read_bytes())
        for inputs in tiny_inputs[length]:
            expected, actual = (one.run(f"qa_{length}", inputs) for one in (session, together))
            for name, value in expected.items():
                np.testing.assert_array_equal(actual[name], value)


def test_names_stay_in_the_first_signature_alone(model: Any) -> None:
    first, second = model.subgraphs
    assert sum(bool(tensor.name) for tensor in first.tensors) > 0.9 * len(first.tensors)
    named = {index for index, tensor in enumerate(second.tensors) if tensor.name}
    assert named == {*second.inputs, *second.outputs}
