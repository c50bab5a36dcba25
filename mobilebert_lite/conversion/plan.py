"""Everything that a conversion decides before it builds anything: ``resolve`` makes the plan, all below it obeys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.form import REGRESSION, Form
from mobilebert_lite.architecture.masking import Masking, default_masking, parse_masking
from mobilebert_lite.architecture.pooling import Pooling
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.conversion.answers import FloatAnswers
from mobilebert_lite.conversion.building import Design
from mobilebert_lite.conversion.lengths import advice, choose
from mobilebert_lite.conversion.request import ConvertRequest, Progress
from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
from mobilebert_lite.datasets.reading import Example
from mobilebert_lite.datasets.samples import (
    calibration_texts,
    lengths_of,
    narrowed,
    read_or_builtin,
    split_examples,
    tokens_used,
    verification_texts,
)
from mobilebert_lite.errors import RequestError, shorten
from mobilebert_lite.npu import toolchain
from mobilebert_lite.npu.socs import Soc, find_soc
from mobilebert_lite.quantization.recipe import Recipe, load_recipe
from mobilebert_lite.quantization.trained import TrainedRanges
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.choose import choose_form, choose_task
from mobilebert_lite.tasks.labels import default_names
from mobilebert_lite.text.features import Features

PHONE_CLIENTS = "Task Library and MediaPipe"
# The name of a recipe of one's own among modes (quantization/thresholds.json).
CUSTOM = "custom"


@dataclass(frozen=True)
class Plan:
    """A conversion, decided. ``with_mode`` is the same conversion in another mode, with nothing read again.

    checkpoint: weights, tokenizer and labels.
    task: in the form that its files have.
    lengths: sequence lengths in tokens, the longest first.
    mode: a name in quantization/recipes, or CUSTOM.
    recipe: what the mode does.
    masking: the convention of the checkpoint's source, or the one that was asked for.
    masking_fixed: whether the masking was asked for; the recipe may not change its constant then.
    calibration: sequences by signature.
    calibration_file: where their texts are from; None: built in.
    held_aside: examples that verify and do not calibrate.
    reference: the float network and its answers, which all modes are held to.
    without: fusion rules to leave out.
    runtime: the oldest TFLite that must load the file; None: the current one.
    text_input: whether signatures that take texts are added.
    threads: for calibration and verification.
    npu: processors that the file is compiled for besides.
    allow_partial: whether a compiled file may leave operators to the CPU.
    """

    checkpoint: Checkpoint
    task: Task
    lengths: tuple[int, ...]
    mode: str
    recipe: Recipe
    masking: Masking
    masking_fixed: bool
    calibration: Mapping[str, Sequence[Features]]
    calibration_file: Path | None
    held_aside: tuple[Example, ...]
    reference: FloatAnswers
    without: tuple[str, ...] = ()
    runtime: str | None = None
    text_input: bool = False
    threads: int = 2
    npu: tuple[Soc, ...] = ()
    allow_partial: bool = False

    @property
    def trained(self) -> TrainedRanges | None:
        """Ranges that quantization-aware training left for this mode."""
        trained = self.checkpoint.trained
        return trained if trained and trained.recipe == self.recipe.name else None

    @property
    def design(self) -> Design:
        """What ``building.build`` makes of the weights."""
        masking = self.masking if self.masking_fixed else self.recipe.masking(self.masking)
        return Design(self.task, self.lengths, self.recipe, masking, without=self.without, threads=self.threads,
                      trained=self.trained)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of the outputs; () where there are none."""
        return self.checkpoint.class_names(self.task)

    def verification_texts(self) -> dict[str, list[Features]]:
        """Sequences of the examples held aside, by signature. Raises DataError when none fits a length."""
        return verification_texts(self.checkpoint.tokenizer, self.task, self.held_aside, self.lengths)

    def with_mode(self, mode: str) -> Plan:
        """In a ``--quantize`` mode. Raises ConversionError when the runtime asked for has none such."""
        return replace(self, mode=mode, recipe=load_recipe(mode, None, self.runtime))

    def to_json(self) -> dict[str, Any]:
        """For ``--dry-run``."""
        weights = self.checkpoint.weights
        return {"checkpoint": {"path": weights.source.path, "format": weights.source.format,
                               "sha256": weights.source.sha256, "parameters": weights.parameters,
                               "heads": list(weights.heads)},
                "config": weights.config.facts(),
                "task": self.task.name, "form": vars(self.task.form), "labels": list(self.class_names),
                "lengths": list(self.lengths), "mode": self.mode, "recipe": self.recipe.name,
                "ranges": "trained" if self.trained else "measured" if self.recipe.needs_calibration else "none needed",
                "mask": vars(self.design.masking), "without": list(self.without),
                "tokenizer": {"words": len(self.checkpoint.tokenizer.vocabulary),
                              **self.checkpoint.tokenizer.settings.to_json()},
                "calibration": {"texts": str(self.calibration_file or "built in"),
                                "sequences": {name: len(found) for name, found in self.calibration.items()},
                                "held_aside": len(self.held_aside)},
                "runtime": self.runtime or "current", "text_input": self.text_input,
                "npu": [str(soc) for soc in self.npu]}


def resolve(request: ConvertRequest, progress: Progress = lambda message: None) -> Plan:
    """Read what ``request`` names and decide what it leaves open. Builds and writes nothing.

    Raises a subclass of MblError when anything cannot be read, or does not fit together.
    """
    recipe = load_recipe(request.quantize, request.recipe, request.runtime)
    npu = find_npus(request)
    asked = parse_masking(request.mask) if request.mask else None
    checkpoint = load_checkpoint(request.weights, request.task, revision=request.revision,
                                 vocabulary=request.vocabulary, labels=request.labels, format=request.format,
                                 config=request.config, progress=progress)
    weights, tokenizer = checkpoint.weights, checkpoint.tokenizer
    task = choose_task(weights, request.task, request.weights)
    if request.text_input:
        from mobilebert_lite.conversion.text_input import attach

        attach.check(task, tokenizer.settings)
    lengths = choose_lengths(weights, task, request.lengths)
    found = read_or_builtin(request.calibration, task, request.reading)
    if found.skipped:
        progress(found.told())
    examples = found.examples
    task = task.with_form(choose_form(weights, task, examples, logits=request.logits, positions=request.positions,
                                      choices=request.choices, problem=request.problem, pooling=request.pooling,
                                      normalize=request.normalize))
    examples = narrowed(examples, task.form.choices)
    for line in assumptions(request, checkpoint, task):
        progress(line)
    if request.auto_lengths:
        used = tokens_used(tokenizer, task, examples, lengths[0])
        lengths = choose(used, request.auto_lengths, lengths[0], task.min_length)
    elif request.calibration is not None:
        limit = weights.config.max_position_embeddings
        told = advice(lengths_of(tokenizer, task, examples, limit), lengths[0], limit)
        if told is not None:
            progress(told)
    calibration, held_aside = split_examples(examples)
    masking = asked or default_masking(weights.source.format, weights.source.masking)
    return Plan(checkpoint, task, lengths, CUSTOM if request.recipe else request.quantize, recipe,
                masking=masking, masking_fixed=asked is not None,
                calibration=calibration_texts(tokenizer, task, calibration, lengths),
                calibration_file=request.calibration, held_aside=tuple(held_aside),
                reference=FloatAnswers(weights, task, masking), without=request.without, runtime=request.runtime,
                text_input=request.text_input, threads=request.threads, npu=npu, allow_partial=request.allow_partial)


def find_npus(request: ConvertRequest) -> tuple[Soc, ...]:
    """The processors to compile for. Raises RequestError for unknown ones, DependencyError without their compiler."""
    if request.npu and request.text_input:
        raise RequestError("no NPU takes texts: leave out --text-input or --npu")
    if request.npu:
        toolchain.find()
    return tuple(dict.fromkeys(find_soc(name) for name in request.npu))


def choose_lengths(weights: Weights, task: Task, asked: Sequence[int]) -> tuple[int, ...]:
    """Sequence lengths, the longest first. Raises RequestError for one that the model cannot have."""
    most = weights.config.max_position_embeddings
    for length in asked:
        if length > most:
            raise RequestError(f"--seq-len {length} is above max_position_embeddings, {most}; "
                                  "the checkpoint has no positions beyond it")
        if length < task.min_length:
            raise RequestError(f"--seq-len {length} is too short: {task.name} needs {task.min_length} or more")
    wanted = asked or (min(task.usual_length(weights), most),)
    return tuple(sorted(set(wanted), reverse=True))


def assumptions(request: ConvertRequest, checkpoint: Checkpoint, task: Task) -> Iterator[str]:
    """What a user should know: where clients differ, and what is assumed where the checkpoint says nothing."""
    if differences := checkpoint.tokenizer.settings.phone_differences():
        yield (f"{PHONE_CLIENTS} tokenize texts otherwise than this checkpoint: {'; '.join(differences)}. Their "
               "answers differ; the Kotlin core and `mbl run` tokenize as the checkpoint does")
    names = checkpoint.class_names(task)
    if names and names == default_names(len(names)):
        yield f"the classes have no names: the file calls them {shorten(list(names))} (--labels FILE gives names)"
    if "pooling" in task.form_options:
        yield from pooling_assumed(checkpoint.weights.pooling, task.form)
    if "problem" in task.form_options and len(names) == 1 and not (checkpoint.weights.config.problem_type
                                                                   or request.problem):
        what = "a number" if task.form.problem_type == REGRESSION else "the logit of one class (a sigmoid)"
        yield f"the checkpoint does not say what its one output is: it is taken as {what} (--problem says otherwise)"


def pooling_assumed(said: Pooling | None, form: Form) -> Iterator[str]:
    """What a vector is made of, and where that is not what the checkpoint, or its absent modules, ``said``."""
    made = Pooling(form.pooling, form.normalize, form.dense)
    if said is None:
        yield (f"no modules.json says how to make one vector of a text: taking {made}"
               f"{'' if made.normalize else ', not normalized'} (--pooling, --normalize)")
    elif str(made) != str(said := replace(said, max_length=0)):
        yield f"the checkpoint's modules say {said}; the file has {made}, as was asked for"
