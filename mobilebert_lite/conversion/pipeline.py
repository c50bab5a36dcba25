"""From a checkpoint to a verified ``.tflite``, readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.form import REGRESSION
from mobilebert_lite.architecture.masking import default_masking, parse_masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.files import check_output, replacing, write_json
from mobilebert_lite.conversion import dependence, rounding, verify
from mobilebert_lite.conversion.building import build
from mobilebert_lite.conversion.lengths import choose
from mobilebert_lite.conversion.packaging import carried_files, class_names, describe, finish, float_operators
from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
from mobilebert_lite.datasets.reading import Example
from mobilebert_lite.datasets.samples import (
    MOST_CALIBRATION_TOKENS,
    MOST_VERIFICATION_TOKENS,
    narrowed,
    read_or_builtin,
    samples,
    split_examples,
    tokens_used,
)
from mobilebert_lite.doctor.own import require_readable
from mobilebert_lite.errors import ConversionError, shorten
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.quantization.probes import fitting
from mobilebert_lite.quantization.recipe import load_recipe
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.tasks.choose import choose_form, choose_task
from mobilebert_lite.tasks.labels import default_names
from mobilebert_lite.text.features import Features
from mobilebert_lite.tflite import op_versions
from mobilebert_lite.tflite.flatbuffer import read_model

# Length for a task when none is asked for; never beyond what the checkpoint has positions for.
DEFAULT_LENGTHS = {"qa": 384}
DEFAULT_LENGTH = 128

PHONE_CLIENTS = "Task Library and MediaPipe"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ConvertRequest:
    """What `mbl convert` is asked for."""

    output: Path
    # Checkpoint folder or hub id; None for the bundled demonstration checkpoint.
    weights: str | None = None
    revision: str | None = None
    # What kind of checkpoint it is (converters.formats.FORMATS); None: what its files look like.
    format: str | None = None
    # In place of the configuration beside the weights.
    config: Path | None = None
    # None: what the checkpoint's head says.
    task: str | None = None
    lengths: tuple[int, ...] = ()
    # Choose this many lengths for the calibration texts, up to the one in ``lengths`` or the default; 0: as given.
    auto_lengths: int = 0
    # Raw logits in place of probabilities.
    logits: bool = False
    # fill-mask: logits at this many given positions alone; 0: at every token.
    positions: int = 0
    # multiple-choice: how many choices; None: as many as the calibration examples have.
    choices: int | None = None
    # classification: one of form.PROBLEMS, in place of what the checkpoint says.
    problem: str | None = None
    quantize: str = "int8"
    recipe: Path | None = None
    calibration: Path | None = None
    vocabulary: Path | None = None
    labels: Path | None = None
    report: Path | None = None
    # Fusion rules switched off; see fusion.pipeline.RULES.
    without: tuple[str, ...] = ()
    # The oldest TFLite that the file must run in, such as 2.14.0; None: the current one.
    runtime: str | None = None
    # additive[:constant], multiplicative[:constant] or minimum; None: the convention of the checkpoint's source.
    mask: str | None = None
    # Add signatures that take texts; they need tensorflow-text's operators (text_input).
    text_input: bool = False
    threads: int = 2


@dataclass(frozen=True)
class ConvertReport:
    """What was made, and how well it does."""

    output: str
    bytes: int
    seconds: float
    task: str
    verification: tuple[verify.Verification, ...]
    # What the file says about itself.
    provenance: Mapping[str, Any] = field(default_factory=dict)
    # How it scored on labeled examples, when it had to; see gate.
    evaluation: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For ``--report`` and ``--json``."""
        return {"output": self.output, "bytes": self.bytes, "seconds": round(self.seconds, 1), "task": self.task,
                "verification": [result.to_json() for result in self.verification],
                "provenance": dict(self.provenance),
                **({"evaluation": dict(self.evaluation)} if self.evaluation else {})}


def convert(request: ConvertRequest, progress: Progress = lambda message: None) -> ConvertReport:
    """Do what ``request`` says; the file appears only when it has been verified.

    Raises a subclass of MblError, and leaves nothing behind, when anything is wrong.
    """
    started = time.monotonic()
    recipe = load_recipe(request.quantize, request.recipe, request.runtime)
    asked = parse_masking(request.mask) if request.mask else None
    check_output(request.output)
    checkpoint = load_checkpoint(request.weights, request.task, request.revision, request.vocabulary, request.labels,
                                 request.format, request.config, progress)
    weights = checkpoint.weights
    masking = asked or default_masking(weights.source.format, weights.source.masking)
    task = choose_task(weights, request.task, request.weights)
    if request.text_input:
        from mobilebert_lite.conversion.text_input import attach

        attach.check(task, checkpoint.tokenizer.settings)
    if differences := checkpoint.tokenizer.settings.phone_differences():
        progress(f"{PHONE_CLIENTS} read texts otherwise than this checkpoint: {'; '.join(differences)}. Their answers "
                 "differ; the Kotlin core and `mbl run` read them as the checkpoint does")
    lengths = choose_lengths(weights, task, request.lengths)
    examples = read_or_builtin(request.calibration, task)
    task = task.with_form(choose_form(weights, task, examples, request.logits, request.positions, request.choices,
                                      request.problem))
    examples = narrowed(examples, task.form.choices)
    for assumed in assumptions(request, checkpoint, task):
        progress(assumed)
    if request.auto_lengths:
        used = tokens_used(checkpoint.tokenizer, task, examples, lengths[0])
        lengths = choose(used, request.auto_lengths, lengths[0], task.min_length)
    trained = checkpoint.trained if checkpoint.trained and checkpoint.trained.recipe == recipe.name else None
    if checkpoint.trained:
        progress(f"taking the ranges that were trained for {recipe.name}" if trained else "leaving out the ranges that "
                 f"were trained for {checkpoint.trained.recipe}: this is {recipe.name}")
    calibration, held_aside = split_examples(examples)
    texts_to_calibrate = samples(checkpoint.tokenizer, task, calibration, lengths, MOST_CALIBRATION_TOKENS)

    progress(f"building {task.name} at {', '.join(map(str, lengths))} tokens")
    reference = Network(weights.config, weights.tensors, task.name, masking, form=task.form)
    dependence.require_in_network(reference, task, next(iter(texts_to_calibrate.values())),
                                  len(checkpoint.tokenizer.vocabulary))
    built = build(weights, task, lengths, recipe, texts_to_calibrate, asked or recipe.masking(masking),
                  request.without, request.threads, progress, trained)

    progress("verifying")
    if trained:
        pad_id = checkpoint.tokenizer.pad_id
        expected = {signature_name(task.name, length): fitting(trained.probes, task, length, pad_id)
                    for length in lengths}
    else:
        texts = samples(checkpoint.tokenizer, task, held_aside, lengths, MOST_VERIFICATION_TOKENS)
        expected = {name: answers(reference, features) for name, features in texts.items()}
    results = check(built.content, task, expected, request.threads)
    threshold = verify.load_threshold(request.quantize if request.recipe is None else "custom")
    if recipe.word_table == "float32" and not recipe.rules:
        threshold = rounding.allow(threshold, reference, task, expected, results)
    verify.require(results, threshold)

    content = built.content
    provenance = describe(request, checkpoint, task, lengths, recipe, built, results)
    provenance["verified_against"] = "quantization-aware training" if trained else "the float network"
    if recipe.integer:
        provenance["float_operators"] = float_operators(read_model(content))
    if request.text_input:
        content = with_text_input(content, checkpoint, task, lengths, held_aside, provenance, request.threads)
    content = finish(content, provenance, carried_files(checkpoint, task))
    _check_runtime(provenance["min_runtime_version"], request.runtime)
    require_readable(content, checkpoint.tokenizer.vocabulary, class_names(checkpoint, task), lengths)
    progress("writing")
    with replacing(request.output) as temporary:
        temporary.write_bytes(content)
    report = ConvertReport(str(request.output), len(content), time.monotonic() - started, task.name, tuple(results),
                    provenance)
    if request.report is not None:
        write_json(request.report, report.to_json())
    return report


def choose_lengths(weights: Weights, task: Task, asked: Sequence[int]) -> tuple[int, ...]:
    """Sequence lengths, the longest first. Raises ConversionError for one that the model cannot have."""
    most = weights.config.max_position_embeddings
    for length in asked:
        if length > most:
            raise ConversionError(f"--seq-len {length} is above max_position_embeddings, {most}; "
                                  "the checkpoint has no positions beyond it")
        if length < task.min_length:
            raise ConversionError(f"--seq-len {length} is too short: {task.name} needs {task.min_length} or more")
    wanted = asked or (min(DEFAULT_LENGTHS.get(task.name, DEFAULT_LENGTH), most),)
    return tuple(sorted(set(wanted), reverse=True))


def assumptions(request: ConvertRequest, checkpoint: Checkpoint, task: Task) -> Iterator[str]:
    """What is taken for granted where the checkpoint says nothing."""
    names = class_names(checkpoint, task)
    if names and names == default_names(len(names)):
        yield f"the classes have no names: the file calls them {shorten(list(names))} (--labels FILE gives names)"
    if task.name == "classification" and len(names) == 1 and not (checkpoint.weights.config.problem_type
                                                                 or request.problem):
        what = "a number" if task.form.problem_type == REGRESSION else "the logit of one class (a sigmoid)"
        yield f"the checkpoint does not say what its one output is: it is taken as {what} (--problem says otherwise)"


def answers(reference: Network, features: Sequence[Features]) -> list[tuple[Features, Outputs]]:
    """What the float graph computes for each of ``features``."""
    return list(zip(features, reference.run([one.inputs() for one in features]), strict=True))


def check(content: bytes, task: Task, expected: Mapping[str, Sequence[tuple[Features, Outputs]]],
          threads: int) -> list[verify.Verification]:
    """The file against what its signatures should give."""
    session = Session(content, threads)
    results = []
    for name, pairs in expected.items():
        features, outputs = zip(*pairs, strict=True)
        actual = [session.run(name, one.inputs()) for one in features]
        dependence.require_in_file(task, name, features, outputs, actual)
        results.append(verify.compare(task, name, features, outputs, actual))
    return results


def with_text_input(content: bytes, checkpoint: Checkpoint, task: Task, lengths: Sequence[int],
                    examples: Sequence[Example], provenance: dict[str, Any], threads: int) -> bytes:
    """``content`` with verified signatures that take texts; ``provenance`` is told of them."""
    from mobilebert_lite.conversion.text_input import attach

    content = attach.attach(content, checkpoint.tokenizer, task, lengths)
    found = attach.verify(content, checkpoint.tokenizer, task, lengths, examples, threads)
    provenance["text_input"] = asdict(found)
    return content


def _check_runtime(needed: str, asked: str | None) -> None:
    if asked is not None and op_versions.as_tuple(needed) > op_versions.as_tuple(asked):
        raise ConversionError(f"the file needs TFLite {needed}, but --min-runtime asks for {asked}; "
                              "choose another --quantize mode or a later runtime")
