"""What ``pipeline.convert`` chooses where nothing is asked for, and when it writes no file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.masking import Masking
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.conversion.answers import FloatAnswers
from mobilebert_lite.conversion.pipeline import ConvertRequest, check, convert
from mobilebert_lite.conversion.plan import choose_lengths, resolve
from mobilebert_lite.conversion.verify import Threshold, load_threshold, require
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.samples import split_examples
from mobilebert_lite.errors import ConversionError, DataError, RequestError, VerificationError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tasks.choose import choose_task
from mobilebert_lite.text.features import pack
from mobilebert_lite.text.tokenization import Tokenizer

Converted = Callable[[str, str], Path]


def with_tensor(folder: Path, source: Path, vocabulary: Sequence[str], name: str, value: float) -> Path:
    """The checkpoint in ``source`` with the first number of one tensor replaced."""
    weights = huggingface.load(source)
    tensor = weights.tensors[name].copy()
    tensor.flat[0] = value
    huggingface.save(weights.with_tensors({**weights.tensors, name: tensor}), folder, vocabulary=vocabulary)
    return folder


def test_a_wrong_conversion_is_not_written(tiny_qa: Path, tiny_vocabulary: Sequence[str], tiny_questions: Path,
                                           tmp_path: Path) -> None:
    """A million is beyond float16: the file would hold an infinity, and the logits with it."""
    folder = with_tensor(tmp_path / "large", tiny_qa, tiny_vocabulary, "qa.kernel", 1e6)
    output = tmp_path / "model.tflite"
    output.write_bytes(b"before")
    before = output.stat()
    with pytest.raises(VerificationError, match=r"qa_32 on \d+ texts: agreement 0\.000.*error inf.*no file was"):
        convert(ConvertRequest(output, str(folder), lengths=(32,), quantize="fp16", calibration=tiny_questions))
    assert output.read_bytes() == b"before"
    assert (output.stat().st_mtime_ns, output.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large", "model.tflite"]


def test_verification_sees_one_wrong_tensor(converted: Converted, tiny_qa: Path,
                                            tiny_vocabulary: Sequence[str]) -> None:
    """File and checkpoint differ by 0.1 in one bias, of logits around 1; the answers may all stay the same."""
    weights, tokenizer, task = huggingface.load(tiny_qa), Tokenizer(tiny_vocabulary), find_task("qa")
    content = converted("qa", "none").read_bytes()
    texts = [pack(tokenizer, "how many", "four hundred cycles", 32)]
    expected = FloatAnswers(weights, task, Masking()).answers({"qa_32": texts})
    require(check(content, task, expected, 1), load_threshold("none"))

    other = {**weights.tensors, "qa.bias": weights.tensors["qa.bias"] + np.array([0.1, 0], np.float32)}
    expected = FloatAnswers(replace(weights, tensors=other), task, Masking()).answers({"qa_32": texts})
    results = check(content, task, expected, threads=1)
    assert 0.01 < results[0].error < 0.2
    with pytest.raises(VerificationError, match="mean relative error"):
        require(results, Threshold(agreement=0.0, error=0.01))
    with pytest.raises(VerificationError, match=r"agreement 0\.500"):
        require([replace(results[0], agreement=0.5)], Threshold(agreement=0.6, error=1.0))


def test_damaged_ranges_are_named(tiny_qa: Path, tiny_vocabulary: Sequence[str], tiny_questions: Path,
                                  tmp_path: Path) -> None:
    """A checkpoint that overflows float32 cannot be calibrated; the error says which activation it is."""
    folder = with_tensor(tmp_path / "large", tiny_qa, tiny_vocabulary, "embeddings.projection.bias", 3e38)
    with pytest.raises(ConversionError, match=r"calibration: activation \S+ is not finite"):
        convert(ConvertRequest(tmp_path / "model.tflite", str(folder), lengths=(32,), quantize="int8",
                        calibration=tiny_questions))
    assert not (tmp_path / "model.tflite").exists()


def test_layers_of_zeros(tiny_qa: Path, tiny_vocabulary: Sequence[str], tiny_questions: Path, tmp_path: Path) -> None:
    """Equal bytes in two shapes, as where a network grew by layers that do nothing yet."""
    weights = huggingface.load(tiny_qa)
    kernels = {name: weights.tensors[name] for name in ("layers.1.ffn.0.intermediate.kernel",
                                                        "layers.1.ffn.0.output.kernel")}
    assert [kernel.shape for kernel in kernels.values()] == [(16, 64), (64, 16)]
    zeros = {name: np.zeros_like(kernel) for name, kernel in kernels.items()}
    huggingface.save(weights.with_tensors({**weights.tensors, **zeros}), tmp_path / "zeros", vocabulary=tiny_vocabulary)
    convert(ConvertRequest(tmp_path / "model.tflite", str(tmp_path / "zeros"), lengths=(32,), quantize="dynamic",
                    calibration=tiny_questions))


def test_task_and_head(tiny_config: MobileBertConfig) -> None:
    encoder, qa = random_weights(tiny_config), random_weights(tiny_config, {"qa": 2})
    classifier = random_weights(tiny_config, {"classifier": 3})
    assert [choose_task(weights, None).name for weights in (encoder, qa, classifier)] == [
        "features", "qa", "classification"]
    assert choose_task(qa, "question-answering").name == "qa"
    assert choose_task(qa, "features").name == "features"
    with pytest.raises(ConversionError, match=r"no head for classes; .* are: question answering; train it first: mbl"):
        choose_task(qa, "classification")
    with pytest.raises(ConversionError, match=r"none \(it is an encoder alone\)"):
        choose_task(encoder, "qa")


def test_lengths(tiny_config: MobileBertConfig) -> None:
    weights, qa = random_weights(tiny_config), find_task("qa")
    assert choose_lengths(weights, qa, (16, 64, 16, 32)) == (64, 32, 16)
    assert choose_lengths(weights, qa, ()) == (64,)  # 384 is more than the model has positions
    with pytest.raises(RequestError, match="65 is above max_position_embeddings, 64"):
        choose_lengths(weights, qa, (32, 65))
    with pytest.raises(RequestError, match="7 is too short: qa needs 8"):
        choose_lengths(weights, qa, (7,))


def test_held_aside_examples_do_not_calibrate() -> None:
    calibration, held_aside = split_examples(list(range(9)))  # type: ignore[arg-type]
    assert (calibration, held_aside) == ([0, 1, 2, 4, 5, 6, 8], [3, 7])
    assert split_examples([1]) == ([1], [1])  # type: ignore[list-item]
    assert split_examples([1, 2, 3]) == ([1, 2], [3])  # type: ignore[list-item]


def test_labels_must_fit(tiny_classifier: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("yes\nno\n")
    with pytest.raises(DataError, match=r"labels\.txt names 2 labels, but the classifier has 4 outputs"):
        convert(ConvertRequest(tmp_path / "model.tflite", str(tiny_classifier), labels=labels))
    assert list(tmp_path.iterdir()) == [labels]


def test_a_plan_is_the_same_conversion_in_every_mode(tiny_qa: Path, tiny_questions: Path, tmp_path: Path) -> None:
    """What is read once serves all modes; what depends on the mode follows it."""
    request = ConvertRequest(tmp_path / "a.tflite", str(tiny_qa), lengths=(32, 48), calibration=tiny_questions)
    plan = resolve(request)
    other = plan.with_mode("int8-full")
    assert (plan.lengths, plan.recipe.name, plan.mode) == ((48, 32), "int8", "int8")
    assert (other.recipe.name, other.mode) == ("int8-full", "int8-full")
    assert other.checkpoint is plan.checkpoint
    assert other.design.masking.constant == other.recipe.mask_constant != plan.design.masking.constant
    fixed = resolve(replace(request, mask="additive:-50")).with_mode("int8-full")
    assert fixed.design.masking.constant == -50
    assert not list(tmp_path.glob("*.tflite"))
