"""What a file must be before it appears, and that right ones are let through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import mbl

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.form import MULTI_LABEL, SINGLE_LABEL, Form
from mobilebert_lite.architecture.weights import Weights, random_weights
from mobilebert_lite.conversion import dependence, rounding
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.conversion.verify import Threshold, Verification
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.samples import narrowed
from mobilebert_lite.doctor.own import require_readable
from mobilebert_lite.errors import VerificationError
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import ChoiceExample, TextExample
from mobilebert_lite.text.features import pack
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.tflite import container as metadata

Converted = Callable[[str, str], Path]
TEXTS = ("the battery should last", "four hundred cycles", "it is cold today, and how", "who")


@pytest.fixture
def narrow(tiny_config: MobileBertConfig) -> MobileBertConfig:
    """One block, no pooler."""
    return replace(tiny_config, num_hidden_layers=1, classifier_activation=False)


def save(weights: Weights, folder: Path, vocabulary: Sequence[str], **tensors: np.ndarray) -> Path:
    """``weights`` with other ``tensors`` (``__`` for a dot) as a checkpoint."""
    changed = {name.replace("__", "."): value.astype(np.float32) for name, value in tensors.items()}
    huggingface.save(weights.with_tensors({**weights.tensors, **changed}), folder, vocabulary=vocabulary)
    return folder


# Files that read back

def test_what_is_written_is_what_is_read(converted: Converted, tiny_vocabulary: Sequence[str]) -> None:
    content = converted("classification", "none").read_bytes()
    files = metadata.read_files(content)
    network = content[:content.index(b"PK\x03\x04")]
    words, names = tuple(tiny_vocabulary), tuple(files["labels.txt"].decode().split("\n")[:-1])
    require_readable(content, words, names, (48, 32))
    for other, message in (
            ({"labels.txt": b"a\nb\nc\n"}, r"carries 3 labels \(labels.txt\) for 4 outputs"),
            ({"labels.txt": b"a\nb\nc\nd\n"}, "its names of classes do not read back as they are"),
            ({"vocab.txt": b"a\n" + files["vocab.txt"]}, "more|its words do not read back.*the word table 270 rows"),
            ({"vocab.txt": files["vocab.txt"].replace(b"[SEP]", b"sep")}, r"\[SEP\]"),
            ({"vocab.txt": b"\xff\n"}, "not UTF-8")):
        with pytest.raises(VerificationError, match=f"refused by whoever opens it: .*({message}).*; no file was"):
            require_readable(metadata.append_files(network, {**files, **other}), words, names, (48, 32))
    with pytest.raises(VerificationError, match="carries no vocabulary"):
        require_readable(network, words, names, (48, 32))
    with pytest.raises(VerificationError, match="its lengths do not read back"):
        require_readable(content, words, names, (48,))
    with pytest.raises(VerificationError, match=r"damaged|offset|lies outside"):
        require_readable(content[:200], words, names, (48, 32))


# Outputs that depend on the text

@pytest.mark.parametrize("broken", ["classifier.kernel", "embeddings.word"])
@pytest.mark.parametrize("task", ["classification", "token-classification"])
def test_a_checkpoint_that_answers_every_text_alike(narrow: MobileBertConfig, tiny_vocabulary: Sequence[str],
                                                    tmp_path: Path, task: str, broken: str) -> None:
    """Without words the logits still depend on positions and on how many tokens there are."""
    weights = random_weights(replace(narrow, task=task), {"classifier": 3})
    zeros = np.zeros_like(weights.tensors[broken])
    folder = save(weights, tmp_path / "broken", tiny_vocabulary, **{broken.replace(".", "__"): zeros})
    with pytest.raises(VerificationError, match="the outputs of the checkpoint do not depend on the text"):
        convert(ConvertRequest(tmp_path / "out.tflite", str(folder), lengths=(32,)))
    assert not (tmp_path / "out.tflite").exists()


def test_sure_answers_are_no_constants(narrow: MobileBertConfig, tiny_vocabulary: Sequence[str]) -> None:
    """Probabilities of 0 and 1 to the last digit for every text tried; the logits differ."""
    weights = random_weights(narrow, {"classifier": 2})
    tensors = {**weights.tensors, "classifier.bias": np.array([900, -900], np.float32)}
    task, tokenizer = find_task("classification"), Tokenizer(tiny_vocabulary)
    features = [pack(tokenizer, text, None, 32) for text in TEXTS]
    network = Network(weights.config, tensors, task)
    assert all(output["probability"].tolist() == [[1, 0]] for output in network.run([one.inputs() for one in features]))
    dependence.require_in_network(network, task, features, len(tiny_vocabulary))
    # One text is enough to tell.
    dependence.require_in_network(network, task, features[:1], len(tiny_vocabulary))
    constant = Network(weights.config, {**tensors, "classifier.kernel": 0 * tensors["classifier.kernel"]}, task)
    with pytest.raises(VerificationError, match="do not depend on the text"):
        dependence.require_in_network(constant, task, features[:1], len(tiny_vocabulary))


def test_a_file_that_answers_every_text_alike(tiny_vocabulary: Sequence[str]) -> None:
    task, tokenizer = find_task("classification"), Tokenizer(tiny_vocabulary)
    features = [pack(tokenizer, text, None, 16) for text in TEXTS]
    varied = [{"probability": np.array([[0.6 + i / 50, 0.4 - i / 50]], np.float32)} for i in range(len(TEXTS))]
    same, near = [varied[0]] * len(TEXTS), [{"probability": np.array([[1 - i / 1e3, i / 1e3]])} for i in range(4)]
    dependence.require_in_file(task, "classification_16", features, varied, varied)
    # As close to constant as the file itself: nothing is lost. One text says nothing.
    dependence.require_in_file(task, "classification_16", features, near, [near[0]] * 4)
    dependence.require_in_file(task, "classification_16", features[:1], varied[:1], same[:1])
    with pytest.raises(VerificationError, match=r"classification_16: its outputs are the same for all 4 texts.*0.1"):
        dependence.require_in_file(task, "classification_16", features, varied, same)


def test_outputs_of_tokens_are_compared_where_both_texts_have_one(tiny_vocabulary: Sequence[str]) -> None:
    task, tokenizer = find_task("qa"), Tokenizer(tiny_vocabulary)
    features = [pack(tokenizer, "who", text, 16) for text in TEXTS]
    padded = [{name: np.where(one.mask == 1, 0.5, i)[None] for name in ("end_logits", "start_logits")}
              for i, one in enumerate(features)]
    assert dependence.spread(task, features, padded) == 0


# What float32 can reach

def test_float32_is_held_to_what_it_can_reach(narrow: MobileBertConfig, tiny_vocabulary: Sequence[str],
                                              tmp_path: Path) -> None:
    """A channel of 10,000 that the bias takes away again: logits of order 1 keep three digits of float32's seven."""
    weights = random_weights(replace(narrow, task="token-classification"), {"classifier": 3}, seed=1)
    beta, kernel, bias = (weights.tensors[name].copy() for name in (
        "layers.0.output.norm.beta", "classifier.kernel", "classifier.bias"))
    beta[0], kernel[0] = 10000, [1.3, -0.7, 0.9]
    folder = save(weights, tmp_path / "large", tiny_vocabulary, layers__0__output__norm__beta=beta,
                  classifier__kernel=kernel, classifier__bias=bias - 10000 * kernel[0])
    report = convert(ConvertRequest(tmp_path / "out.tflite", str(folder), lengths=(32,), quantize="none"))
    assert report.verification[0].error < 0.02

    # The same network is held to the same bound, which an error in one weight misses.
    task = find_task("token-classification")
    network = Network(weights.config, huggingface.load(folder).tensors, task)
    features = task.features(Tokenizer(tiny_vocabulary), TextExample(" ".join(TEXTS)), 32)
    pairs = list(zip(features, network.run([one.inputs() for one in features]), strict=True))
    allowed = rounding.reachable(network, task, pairs)
    assert 1e-4 < allowed < 0.05
    result = Verification("token-classification_32", 1, 1.0, 0.5 * allowed, 0.5 * allowed)
    strict = Threshold(1.0, allowed / 10)
    assert rounding.allow(strict, network, task, {result.signature: pairs}, [result]).error == pytest.approx(allowed)
    # Where a file is as true as was asked for, nothing is computed, and no more is allowed.
    assert rounding.allow(strict, network, task, {}, [replace(result, error=allowed / 20)]) == strict


def test_ordinary_networks_get_no_more_room(narrow: MobileBertConfig, tiny_vocabulary: Sequence[str]) -> None:
    """Their float32 is true to six digits, so that what is allowed stays the mode's own 1e-4."""
    weights, task = random_weights(narrow, {"classifier": 3}), find_task("classification")
    network = Network(weights.config, weights.tensors, task)
    features = [pack(Tokenizer(tiny_vocabulary), text, None, 32) for text in TEXTS]
    outputs = network.run([one.inputs() for one in features])
    assert 0 < rounding.reachable(network, task, list(zip(features, outputs, strict=True))) < 1e-4
    infinite = [{"probability": np.full((1, 3), np.inf)}] * len(features)
    assert rounding.reachable(network, task, list(zip(features, infinite, strict=True))) == 0


def test_a_numbered_vocabulary(shared: Callable[..., Path], tmp_path: Path) -> None:
    """Every word of a text is unknown, and that word's vector makes float32 lose what the mode's own bound allows."""
    checkpoint = shared("checkpoints", "hf", "uncased", "token_classification")
    words = ["[PAD]", *(f"word{i}" for i in range(507)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    (tmp_path / "vocab.txt").write_text("".join(f"{word}\n" for word in words))
    convert(ConvertRequest(tmp_path / "out.tflite", str(checkpoint), vocabulary=tmp_path / "vocab.txt",
                           quantize="none"))


# One class alone

def test_one_logit_has_a_sigmoid(narrow: MobileBertConfig, tiny_vocabulary: Sequence[str], tmp_path: Path) -> None:
    """As in transformers' text-classification pipeline; a softmax over one value would be 1 for every text."""
    weights = random_weights(replace(narrow, task="classification", problem_type=SINGLE_LABEL), {"classifier": 1})
    output, data = tmp_path / "out.tflite", tmp_path / "texts.tsv"
    done = mbl("convert", "--weights", save(weights, tmp_path / "one", tiny_vocabulary), "--quantize", "none",
               "--seq-len", 32, "-o", output)
    assert done.returncode == 0, done.stderr
    model = Model(output)
    assert metadata.read_provenance(output.read_bytes())["form"] == vars(Form(MULTI_LABEL))
    logits = Network(weights.config, weights.tensors, find_task("classification", Form(MULTI_LABEL, logits=True))).run(
        [pack(model.tokenizer, text, None, 32).inputs() for text in TEXTS])
    expected = [1 / (1 + np.exp(-float(one["logits"][0, 0]))) for one in logits]
    found = [label for text in TEXTS for label in model.classify(text)]
    assert [label.name for label in found] == ["LABEL_0"] * len(TEXTS)
    assert [label.probability for label in found] == pytest.approx(expected, rel=1e-4)
    # Scored as two classes, of which 1 says that it holds.
    rows = [f"{text}\t{int(label.probability >= 0.5)}\n" for text, label in zip(TEXTS, found, strict=True)]
    data.write_text("text\tlabel\n" + "".join(rows))
    scored = mbl("eval", output, "--data", data)
    assert scored.returncode == 0, scored.stderr
    assert "accuracy 100.00" in scored.stdout
    data.write_text("text\tlabel\nfour hundred cycles\t2\n")
    assert "label '2'; it must be 1 or 'LABEL_0'" in mbl("eval", output, "--data", data).stderr


def test_one_output_of_which_nothing_is_said(narrow: MobileBertConfig, tiny_vocabulary: Sequence[str],
                                             tmp_path: Path) -> None:
    weights = random_weights(replace(narrow, task="classification"), {"classifier": 1})
    folder, said = save(weights, tmp_path / "one", tiny_vocabulary), list[str]()
    report = convert(ConvertRequest(tmp_path / "out.tflite", str(folder), lengths=(16,), quantize="none",
                             problem="regression"), said.append)
    assert report.provenance["form"]["problem_type"] == "regression"
    assert not [line for line in said if "one output" in line]
    convert(ConvertRequest(tmp_path / "out.tflite", str(folder), lengths=(16,), quantize="none"), said.append)
    assert [line for line in said if "one output is: it is taken as the logit of one class (a sigmoid)" in line]


# Choices

@pytest.mark.parametrize("choices", [2, 3])
def test_fewer_choices_than_the_built_in_texts_have(narrow: MobileBertConfig, tiny_vocabulary: Sequence[str],
                                                    tmp_path: Path, choices: int) -> None:
    weights = random_weights(replace(narrow, task="multiple-choice"), {"classifier": 1})
    folder, output = save(weights, tmp_path / "choices", tiny_vocabulary), tmp_path / "out.tflite"
    report = convert(ConvertRequest(output, str(folder), lengths=(32,), quantize="none", choices=choices))
    assert report.verification[0].texts >= 8
    found = Model(output).choose("how was the day", ("cold", "long", "light")[:choices])
    assert sum(choice.probability for choice in found) == pytest.approx(1)


def test_the_right_choice_stays() -> None:
    examples = [ChoiceExample("p", ("a", "b", "c", "d"), label) for label in (0, 1, 3, None)]
    assert [(one.choices, one.label) for one in narrowed(examples, 2)] == [
        (("a", "b"), 0), (("a", "b"), 1), (("a", "d"), 1), (("a", "b"), None)]
    assert [one.choices for one in narrowed(examples, 6)] == [("a", "b", "c", "d")] * 4
    assert narrowed(examples, 0) == examples
