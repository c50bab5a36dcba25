"""Quantized files as functions that gradients pass through, and what training makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from click.testing import CliRunner

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import Form
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.cli import cli
from mobilebert_lite.conversion.building import Design, draw, finish_quantized
from mobilebert_lite.conversion.kernels import KernelPlace
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.samples import Most, samples
from mobilebert_lite.errors import CheckpointError, ConversionError, DataError, VerificationError
from mobilebert_lite.fusion.unfuse import unfuse
from mobilebert_lite.quantization import probes, trained
from mobilebert_lite.quantization.recipe import load_recipe
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import QuestionExample, TextExample
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.tflite.graph import Graphs
from mobilebert_lite.training.simulation import RANGE, Simulation, TrainedScales, find_parts, group_of

LENGTHS = (48, 32)
RECIPES = ("int8-full", "int8", "int16x8")


class Made:
    """One block for questions in the formats of a recipe, and its simulation."""

    def __init__(self, weights: Weights, vocabulary: tuple[str, ...], mode: str) -> None:
        self.mode, self.weights, self.task, self.recipe = mode, weights, find_task("qa"), load_recipe(mode)
        self.masking = self.recipe.masking(Masking())
        examples = [QuestionExample(str(i), "Who sat?", f"The cat {i} sat on the mat.") for i in range(12)]
        self.texts = samples(Tokenizer(vocabulary), self.task, examples, LENGTHS, Most(1024, 64))
        self.design = Design(self.task, LENGTHS, self.recipe, self.masking, threads=1)
        self.drawn = draw(weights, self.design, self.texts, stretches=False)

    @cached_property
    def content(self) -> bytes:
        return finish_quantized(self.drawn.content, self.design, self.texts)

    @cached_property
    def graphs(self) -> Graphs:
        return Graphs.read(self.content)

    @cached_property
    def ranges(self) -> TrainedScales:
        return TrainedScales(self.graphs)

    @cached_property
    def parts(self) -> dict[str, KernelPlace]:
        return find_parts(Graphs.read(self.drawn.content), self.drawn.fused.tensors)

    @cached_property
    def tensors(self) -> dict[str, np.ndarray]:
        return {**self.drawn.fused.tensors, **self.ranges.factors()}

    def simulation(self, name: str) -> Simulation:
        return Simulation(self.graphs.entry(name), self.parts, self.ranges)

    def simulate(self, name: str, inputs: Any, tensors: Any = None) -> Any:
        return self.simulation(name)(tensors or self.tensors, inputs)


@pytest.fixture(scope="module")
def one_block(tiny_config: MobileBertConfig) -> Weights:
    return random_weights(replace(tiny_config, num_hidden_layers=1), {"qa": 2}, seed=3)


@pytest.fixture(scope="module", params=RECIPES)
def made(request: pytest.FixtureRequest, one_block: Weights, tiny_vocabulary: tuple[str, ...]) -> Made:
    return Made(one_block, tiny_vocabulary, request.param)


def test_every_operator_is_followed(made: Made) -> None:
    """Given what the file's own kernels read, each operator gives what they give, but for ties of rounding."""
    name, length = f"qa_{LENGTHS[0]}", LENGTHS[0]
    simulation = made.simulation(name)
    interpreter = Interpreter(model_content=made.content, experimental_preserve_all_tensors=True,
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    inputs = made.texts[name][0].inputs()
    interpreter.get_signature_runner(name)(**inputs)
    values = {tensor.index: inputs[key] for key, tensor in simulation.entry.inputs.items()}
    assert inputs["ids"].shape == (1, length)
    rounded = 0
    for operator in simulation.subgraph.operators:
        output = operator.output.index
        group = group_of(operator.output)
        value = simulation.execute(operator, values, made.tensors).numpy()
        real = interpreter._interpreter.GetTensor(output, simulation.subgraph.index).reshape(value.shape)
        if group:
            _, scale, zero = group
            real = ((real.astype(np.float64) - zero) * scale).astype(np.float32)
            # int16 softmax looks its exponential up in a table.
            most = 1.01 if group[0] == "INT8" else 40
            assert np.abs(value - real).max() <= most * scale
            assert np.mean(np.abs(value - real) > 0.5 * scale) <= (0.03 if group[0] == "INT8" else 1)
            rounded += 1
        elif value.dtype == np.float32 and made.mode != "int8":  # these kernels round its activations otherwise
            np.testing.assert_allclose(value, real, rtol=1e-4, atol=1e-5 * np.abs(real).max() + 1e-12)
        values[output] = tf.constant(real)
    assert rounded > (10 if made.mode == "int8" else 20)


def test_biases_are_the_file_s(made: Made) -> None:
    """Whole steps of input times weight, however coarse these are."""
    simulation, seen = made.simulation(f"qa_{LENGTHS[0]}"), 0
    for operator in simulation.subgraph.operators:
        if len(operator.operands) != 3:
            continue
        source, weight, stored = operator.operands
        part = made.parts.get(weight.name)
        if part and group_of(source):
            scale = stored.scales
            steps = simulation._bias(stored, part, source, made.tensors).numpy() / scale
            np.testing.assert_allclose(steps, np.round(steps), rtol=1e-6, atol=1e-3)
            wanted = simulation._constants[stored.index] / scale
            np.testing.assert_allclose(steps, wanted, rtol=1e-5, atol=1.01)
            seen += 1
    assert seen or made.mode == "int8"


@pytest.mark.parametrize("length", LENGTHS)
def test_it_computes_what_the_file_computes(made: Made, length: int) -> None:
    """A batch at once, where the file takes one text after the other; nearer to the file than float is."""
    name = f"qa_{length}"
    rows = [one.inputs() for one in made.texts[name][:6]]
    simulated = made.simulate(name, {key: np.concatenate([row[key] for row in rows]) for key in rows[0]})
    # XNNPACK rounds integer layers otherwise than TFLite's kernels, and float activations as the simulation does.
    kernels = OpResolverType.AUTO if made.mode == "int8" else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    file, float_file = (Interpreter(model_content=content, experimental_op_resolver_type=kernels)
                        .get_signature_runner(name) for content in (made.content, made.drawn.content))
    read = np.concatenate([row["mask"] for row in rows]) == 1
    for key, value in simulated.items():
        expected, unrounded = (np.concatenate([run(**row)[key].copy() for row in rows])[read]
                               for run in (file, float_file))
        rounding = np.sqrt(np.mean((unrounded - expected) ** 2))
        # int16 steps are so fine that float32 itself counts.
        assert np.sqrt(np.mean((value.numpy()[read] - expected) ** 2)) <= max(0.6 * rounding, 2e-4 * np.ptp(expected))


def test_every_weight_is_known(made: Made) -> None:
    dense = {operator.operand(1).name for operator in made.graphs.subgraphs[0].operators
             if operator.name == "FULLY_CONNECTED"}
    assert dense
    assert dense <= set(made.parts)
    assert {part.column for part in made.parts.values() if part.layer == "qa"} == {0, 1}


def test_gradients_reach_weights_and_ranges(made: Made) -> None:
    rows = [one.inputs() for one in made.texts["qa_32"][:4]]
    inputs = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    tensors = {name: tf.constant(value) for name, value in made.tensors.items()}
    watched = [name for name in tensors if name.endswith(".kernel")]
    ends = [name for name in tensors if name.startswith(RANGE)]
    with tf.GradientTape() as tape:
        tape.watch(list(tensors.values()))
        loss = sum(tf.reduce_sum(tf.square(value)) for value in made.simulate("qa_32", inputs, tensors).values())
    found = dict(zip([*watched, *ends], tape.gradient(loss, [tensors[name] for name in (*watched, *ends)]),
                     strict=True))
    assert all(found[name] is not None and float(tf.norm(found[name])) > 0 for name in watched)
    assert any(found[name] is not None and float(tf.norm(found[name])) > 0 for name in ends)


def test_ranges_that_were_trained_are_the_file_s(made: Made) -> None:
    """A factor of 1/2 on every range halves every scale that the recipe computes from one."""
    halved = {name: np.full(2, np.log(0.5), np.float32) for name in made.ranges.factors()}
    known, ends_of = trained.places(Graphs.read(made.drawn.content)), made.ranges.trained({**made.tensors, **halved})
    assert set(ends_of) <= set(known)
    ranges = trained.TrainedRanges(made.mode, {known[name]: ends for name, ends in ends_of.items()}, ())
    content = finish_quantized(made.drawn.content, replace(made.design, trained=ranges), made.texts)
    before, after = (scales(Graphs.read(one)) for one in (made.content, content))
    assert before.keys() == after.keys()
    ratios = [after[name] / before[name] for name in before if group_of_name(made, name) not in made.ranges.fixed]
    assert ratios
    np.testing.assert_allclose(ratios, 0.5, rtol=1e-3)


def scales(graphs: Graphs) -> dict[str, float]:
    """Name of each activation of the first signature → its scale."""
    return {tensor.name: group[1] for operator in graphs.subgraphs[0].operators for tensor in operator.outputs
            if (group := group_of(tensor))}


def group_of_name(made: Made, name: str) -> Any:
    return next(group_of(tensor) for tensor in made.graphs.subgraphs[0].tensors if tensor.name == name)


@pytest.mark.parametrize("mode", RECIPES)
def test_a_fused_network_is_a_checkpoint_again(tiny_qa: Path, tiny_vocabulary: tuple[str, ...], mode: str) -> None:
    """The same function, and fusing it once more gives the same tensors."""
    made = Made(huggingface.load(tiny_qa), tiny_vocabulary, mode)
    again = unfuse(made.drawn.fused, made.weights)
    assert all(np.all(value == 1) for name, value in again.tensors.items() if name.endswith(".gamma"))
    drawn = draw(again, replace(made.design, without=("equalize",)), made.texts)
    for name, value in made.drawn.fused.tensors.items():
        np.testing.assert_allclose(drawn.fused.tensors[name], value, rtol=1e-5, atol=1e-6 * np.abs(value).max())


def test_what_a_checkpoint_cannot_hold(one_block: Weights, tiny_vocabulary: tuple[str, ...]) -> None:
    fused = Made(one_block, tiny_vocabulary, "int8").drawn.fused
    left = fused.with_tensors({**fused.tensors, "layers.0.output.norm.rescale": np.ones(64, np.float32)})
    with pytest.raises(ConversionError, match="rescale"):
        unfuse(left, one_block)


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "questions.jsonl"
    path.write_text("".join(json.dumps({"question": "who sat?", "context": f"the {animal} sat on the mat {i}.",
                                        "answers": {"text": [animal], "answer_start": [4]}}) + "\n"
                            for i in range(8) for animal in ("cat", "dog", "cow", "bee")), encoding="utf-8")
    return path


@pytest.mark.slow
def test_from_training_to_the_file(one_block: Weights, tiny_vocabulary: tuple[str, ...], questions: Path,
                                   tmp_path: Path) -> None:
    """What is trained for int8-full converts to it with the ranges of the training, and to others without them."""
    def run(*arguments: object) -> str:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    huggingface.save(one_block, tmp_path / "begun", vocabulary=tiny_vocabulary)
    run("train", "--task", "qa", "--weights", tmp_path / "begun", "--data", questions, "--eval", questions, "--output",
        tmp_path / "trained", "--quantize", "int8-full", "--seq-len", 32, "--epochs", 1, "--learning-rate", 1e-3)
    ranges = trained.read(tmp_path / "trained")
    assert ranges is not None
    assert ranges.recipe == "int8-full"
    output = run("convert", "--weights", tmp_path / "trained", "--quantize", "int8-full", "--seq-len", 32,
                 "--calibration", questions, "-o", tmp_path / "full.tflite")
    assert "ranges that were trained for int8-full" in output
    assert "leaving out" not in output
    assert "same answer as quantization-aware training on" in output
    steps = [(high - low) / 255 for low, high in ranges.ranges.values()]
    assert len(steps) > 30
    assert np.mean([near(scales(Graphs.read((tmp_path / "full.tflite").read_bytes())), step) for step in steps]) == 1
    refuse_other_answers(tmp_path / "trained", tmp_path / "refused.tflite")
    (tmp_path / "trained" / trained.FILE).rename(tmp_path / trained.FILE)
    run("convert", "--weights", tmp_path / "trained", "--quantize", "int8-full", "--seq-len", 32,
        "--calibration", questions, "-o", tmp_path / "measured.tflite")
    measured = scales(Graphs.read((tmp_path / "measured.tflite").read_bytes()))
    assert np.mean([near(measured, step) for step in steps]) < 0.7
    (tmp_path / trained.FILE).rename(tmp_path / "trained" / trained.FILE)
    assert "leaving out the ranges" in run("convert", "--weights", tmp_path / "trained", "--quantize", "dynamic",
                                           "--seq-len", 32, "-o", tmp_path / "dynamic.tflite")


def refuse_other_answers(checkpoint: Path, output: Path) -> None:
    """Files are held to what the training computed, whatever the float network says."""
    path = checkpoint / trained.FILE
    kept = path.read_text(encoding="utf-8")
    raw = json.loads(kept)
    for probe in raw["probes"]:
        probe["logits"] = {name: [-x for x in values] for name, values in probe["logits"].items()}
    path.write_text(json.dumps(raw), encoding="utf-8")
    command = ["convert", "--weights", str(checkpoint), "--quantize", "int8-full", "--seq-len", "32", "-o", str(output)]
    assert isinstance(CliRunner().invoke(cli, command).exception, VerificationError)
    assert not output.exists()
    raw["probes"] = [probe for probe in raw["probes"] if len(probe["ids"]) > 8]
    path.write_text(json.dumps(raw), encoding="utf-8")
    short = CliRunner().invoke(cli, [*command, "--seq-len", "8"])
    assert isinstance(short.exception, ConversionError)
    assert "too short to verify" in str(short.exception)
    path.write_text(kept, encoding="utf-8")


def test_a_probe_in_a_signature(tiny_qa: Path, tiny_vocabulary: tuple[str, ...]) -> None:
    """Padded to any length it is the text as the task makes it, with the answers in their places."""
    task, tokenizer = find_task("qa"), Tokenizer(tiny_vocabulary)
    [text] = task.features(tokenizer, QuestionExample("1", "Who sat?", "The cat sat on the mat."), 48)
    used = text.length_used
    logits = {name: np.linspace(-3, 1, used, dtype=np.float32) ** 3 for name in task.outputs}
    probe = probes.Probe(text.trimmed(used), logits)
    again = probes.read(json.loads(json.dumps(probe.to_json())))
    [(padded, outputs)] = probes.fitting([again], task, 48, tokenizer.pad_id)
    for name in ("ids", "mask", "segment_ids", "offsets", "max_context"):
        np.testing.assert_array_equal(getattr(padded, name), getattr(text, name))
        assert getattr(padded, name).dtype == getattr(text, name).dtype
    assert set(outputs) == set(logits)
    for name, value in outputs.items():
        assert value.shape == (1, 48)
        np.testing.assert_allclose(value[0, :used], logits[name], rtol=1e-5)
        assert (value[0, used:] == value[0, :used].min()).all()
    with pytest.raises(ConversionError, match=f"has {used} tokens"):
        probes.fitting([again], task, used, tokenizer.pad_id)


def test_a_probe_of_classes(tiny_vocabulary: tuple[str, ...]) -> None:
    """A file of probabilities is held to the softmax of the logits, one of logits to themselves."""
    task, tokenizer = find_task("classification"), Tokenizer(tiny_vocabulary)
    [text] = task.features(tokenizer, TextExample("The cat sat."), 16)
    probe = probes.Probe(text.trimmed(text.length_used), {"logits": np.log(np.float32([1, 2, 5]))})
    [(_, outputs)] = probes.fitting([probe], task, 16, tokenizer.pad_id)
    np.testing.assert_allclose(outputs["probability"], [[0.125, 0.25, 0.625]], rtol=1e-6)
    [(_, outputs)] = probes.fitting([probe], task.with_form(Form(logits=True)), 16, tokenizer.pad_id)
    np.testing.assert_array_equal(outputs["logits"], probe.logits["logits"][None])


def near(found: dict[str, float], step: float) -> bool:
    return bool(np.isclose(list(found.values()), step, rtol=1e-3).any())


def test_ranges_of_another_network(made: Made) -> None:
    other = trained.TrainedRanges(made.mode, {"7 CONV_2D": (-1.0, 1.0)}, ())
    with pytest.raises(ConversionError, match="7 CONV_2D is not in this one"):
        other.of(Graphs.read(made.drawn.content))


def test_what_cannot_be_trained(tiny_qa: Path, questions: Path, tmp_path: Path) -> None:
    from mobilebert_lite.training.options import TrainOptions
    from mobilebert_lite.training.run import train

    with pytest.raises(DataError, match="no ranges of activations"):
        train(TrainOptions("qa", questions, tmp_path / "out", questions, str(tiny_qa), seq_len=32, quantize="dynamic"))


PROBE = {"ids": [2, 3], "segment_ids": [0, 0], "offsets": [[-1, -1], [-1, -1]], "max_context": [0, 0],
         "logits": {"logits": [1.0, 2.0]}}
PROBE_TEXT, SHORT = json.dumps(PROBE), json.dumps({**PROBE, "ids": [2]})


@pytest.mark.parametrize(("content", "reason"), [
    ("{", "no file of trained ranges"), ('{"recipe": "int8"}', "no file of trained ranges"),
    ('{"recipe": "int8", "ranges": {"x": [-1, 1]}, "probes": []}', "no probes"),
    ('{"recipe": "int8", "ranges": {"x": [-1, 1]}, "probes": [{"ids": [-1]}]}', "no file of trained ranges"),
    (f'{{"recipe": "int8", "ranges": {{}}, "probes": [{SHORT}]}}', "do not fit each other"),
    (f'{{"recipe": "int8", "ranges": {{"x": [0.5, 1]}}, "probes": [{PROBE_TEXT}]}}', "must be finite and hold 0"),
    (f'{{"recipe": "int8", "ranges": {{"x": [-1, NaN]}}, "probes": [{PROBE_TEXT}]}}', "must be finite and hold 0")])
def test_damaged_ranges(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / trained.FILE).write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=reason):
        trained.read(tmp_path)
