"""From a checkpoint to a verified ``.tflite``, readable from top to bottom."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from mobilebert_lite import verify
from mobilebert_lite.converters import op_versions
from mobilebert_lite.converters.checkpoints import load_checkpoint
from mobilebert_lite.converters.flatbuffer import read_model
from mobilebert_lite.converters.slim import slim
from mobilebert_lite.converters.tflite import convert_network, rewrite
from mobilebert_lite.errors import ConversionError
from mobilebert_lite.files import replacing, write_atomically
from mobilebert_lite.fusion import centre, centre_keys, equalise
from mobilebert_lite.fusion.pipeline import fuse, fuse_last
from mobilebert_lite.fusion.plan import Fused
from mobilebert_lite.graph.signatures import Network
from mobilebert_lite.lengths import choose
from mobilebert_lite.packaging import carried_files, describe, finish, float_operators
from mobilebert_lite.quantization import head_room
from mobilebert_lite.quantization.calibrate import measure_ranges
from mobilebert_lite.quantization.embedding import dequantise_rows, quantise_rows
from mobilebert_lite.quantization.recipe import Recipe, apply_recipe, keep_output_names, load_recipe
from mobilebert_lite.quantization.score_ranges import fit_scores
from mobilebert_lite.runtime import Session
from mobilebert_lite.samples import (
    MOST_CALIBRATION_TOKENS,
    MOST_MAGNITUDE_TOKENS,
    MOST_VERIFICATION_TOKENS,
    read_or_builtin,
    samples,
    split_examples,
    tokens_used,
)
from mobilebert_lite.tasks import Task, find_task
from mobilebert_lite.tasks.features import Features
from mobilebert_lite.weights import HEADS, Weights

# Length for a task when none is asked for; never beyond what the checkpoint has positions for.
DEFAULT_LENGTHS = {"qa": 384}
DEFAULT_LENGTH = 128

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What `mbl convert` is asked for."""

    output: Path
    # Checkpoint folder or hub id; None for the bundled demonstration checkpoint.
    weights: str | None = None
    revision: str | None = None
    # None: what the checkpoint's head says.
    task: str | None = None
    lengths: tuple[int, ...] = ()
    # Choose this many lengths for the calibration texts, up to the one in ``lengths`` or the default; 0: as given.
    auto_lengths: int = 0
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
    # Added to the scores of padding positions; None: the recipe's.
    mask_constant: float | None = None
    threads: int = 2


@dataclass(frozen=True)
class Report:
    """What was made, and how well it does."""

    output: str
    bytes: int
    seconds: float
    task: str
    verification: tuple[verify.Verification, ...]
    # What the file says about itself.
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """For ``--report`` and ``--json``."""
        return {"output": self.output, "bytes": self.bytes, "seconds": round(self.seconds, 1), "task": self.task,
                "verification": [result.to_json() for result in self.verification],
                "provenance": dict(self.provenance)}


def convert(request: Request, progress: Progress = lambda message: None) -> Report:
    """Do what ``request`` says; the file appears only when it has been verified.

    Raises a subclass of MblError, and leaves nothing behind, when anything is wrong.
    """
    started = time.monotonic()
    recipe = load_recipe(request.quantize, request.recipe, request.runtime)
    mask_constant = recipe.mask_constant if request.mask_constant is None else request.mask_constant
    _check_writable(request.output)
    progress("reading the checkpoint")
    checkpoint = load_checkpoint(request.weights, request.task, request.revision, request.vocabulary, request.labels)
    weights = checkpoint.weights
    task = choose_task(weights, request.task)
    lengths = choose_lengths(weights, task, request.lengths)
    examples = read_or_builtin(request.calibration, task)
    if request.auto_lengths:
        used = tokens_used(checkpoint.tokenizer, task, examples, lengths[0])
        lengths = choose(used, request.auto_lengths, lengths[0], task.min_length)
    calibration, held_aside = split_examples(examples)
    texts_to_calibrate = samples(checkpoint.tokenizer, task, calibration, lengths, MOST_CALIBRATION_TOKENS)

    progress(f"building {task.name} at {', '.join(map(str, lengths))} tokens")
    reference = Network(weights.config, weights.tensors, task.name)
    without = (*request.without, *recipe.without)
    fused = fuse(weights, task.name, without).tabulated(recipe.integer)
    longest, some = spread(texts_to_calibrate)
    if recipe.float16:
        fused = calibrated(fused, [centre_keys] if recipe.equalise else [centre_keys, centre], request.without,
                           mask_constant, some)
    if recipe.equalise:
        fused = calibrated(fused, [equalise], request.without, mask_constant, texts_to_calibrate[longest])
    fused = fuse_last(fused, without)
    narrow = recipe.word_table != "float32"
    tensors = quantise_rows(fused.tensors, recipe.word_table) if narrow else fused.tensors
    content = convert_network(Network(weights.config, tensors, task.name, mask_constant, fused.plan), lengths)
    room = None
    if recipe.float16:
        room = head_room.measure(content, {longest: [one.inputs() for one in some]}, request.threads)
    if recipe.rules:
        progress(f"quantising ({recipe.name})")
        content = quantise(content, recipe, texts_to_calibrate, request.threads)
    if narrow:
        content = rewrite(content, dequantise_rows)
    content = rewrite(content, lambda model: slim(model, slices=not recipe.float16))

    progress("verifying")
    texts = samples(checkpoint.tokenizer, task, held_aside, lengths, MOST_VERIFICATION_TOKENS)
    results = check(reference, content, task, texts, request.threads)
    verify.require(results, verify.load_threshold(request.quantize if request.recipe is None else "custom"))

    provenance = describe(request, checkpoint, task, lengths, recipe, fused, results, room, mask_constant)
    if recipe.integer:
        provenance["float_operators"] = float_operators(read_model(content))
    content = finish(content, provenance, carried_files(checkpoint, task))
    _check_runtime(provenance["min_runtime_version"], request.runtime)
    with replacing(request.output) as temporary:
        temporary.write_bytes(content)
    report = Report(str(request.output), len(content), time.monotonic() - started, task.name, tuple(results),
                    provenance)
    if request.report is not None:
        write_atomically(request.report, (json.dumps(report.to_json(), indent=2) + "\n").encode())
    return report


def choose_task(weights: Weights, name: str | None) -> Task:
    """The task asked for, or the one that the checkpoint has a head for. Raises ConversionError without that head."""
    if name is None:
        known = {"qa": "qa", "classifier": "classification"}
        return find_task(next((known[head] for head in weights.heads if head in known), "features"))
    task = find_task(name)
    if task.head is not None and task.head not in weights.heads:
        raise ConversionError(f"the checkpoint has no {HEADS[task.head]}, which task {task.name} needs; "
                              f"its heads are: {', '.join(weights.heads) or 'none (an encoder alone)'}")
    return task


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


def spread(texts: Mapping[str, Sequence[Features]]) -> tuple[str, Sequence[Features]]:
    """The longest signature, and of its texts as many as it takes to see the magnitudes, evenly chosen."""
    name, features = next(iter(texts.items()))
    most = max(8, MOST_MAGNITUDE_TOKENS // len(features[0].ids))
    return name, features[::-(-len(features) // most)]


def calibrated(fused: Fused, rules: Sequence[ModuleType], without: Sequence[str], mask_constant: float,
               texts: Sequence[Features]) -> Fused:
    """``fused`` after ``rules``, some of fusion.pipeline.CALIBRATED, with the ranges of ``texts``."""
    ranges: Mapping[str, Any] | None = None
    for rule in rules:
        if rule.NAME in without or "all" in without:
            fused = fused.refused(rule.NAME, "switched off")
            continue
        if ranges is None:
            network = Network(fused.config, fused.tensors, fused.task, mask_constant, fused.plan)
            ranges = network.channel_ranges([one.inputs() for one in texts], rule.PADDING)
        changed: Fused = rule.apply(fused, ranges)
        if changed.tensors is not fused.tensors:
            ranges = None
        fused = changed
    return fused


def quantise(content: bytes, recipe: Recipe, texts: Mapping[str, Sequence[Features]], threads: int) -> bytes:
    """``content`` after ``recipe``, with ranges measured on ``texts`` where it needs them."""
    ranges = {}
    if recipe.needs_calibration:
        inputs = {name: [one.inputs() for one in features] for name, features in texts.items()}
        ranges = measure_ranges(content, inputs, threads)
        if recipe.integer:
            ranges = fit_scores(content, inputs, ranges, recipe.activation_bits, threads)

    def mend(model: Any) -> None:
        keep_output_names(model)
        op_versions.stamp_versions(model)

    return rewrite(apply_recipe(content, recipe, ranges), mend)


def check(reference: Network, content: bytes, task: Task, texts: Mapping[str, Sequence[Features]],
          threads: int) -> list[verify.Verification]:
    """The file against the float graph, signature by signature."""
    session = Session(content, threads)
    results = []
    for name, features in texts.items():
        inputs = [one.inputs() for one in features]
        expected = reference.run(inputs)
        actual = [session.run(name, one) for one in inputs]
        results.append(verify.compare(task, name, features, expected, actual))
    return results


def _check_writable(output: Path) -> None:
    """Fail now rather than after minutes of work."""
    if output.is_dir():
        raise ConversionError(f"cannot write {output}: it is a folder; give a file name")
    if not output.parent.is_dir():
        raise ConversionError(f"cannot write {output}: there is no folder {output.parent}")
    try:
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as error:
        raise ConversionError(f"cannot write {output}: {error.strerror or error}") from None


def _check_runtime(needed: str, asked: str | None) -> None:
    if asked is not None and op_versions.as_tuple(needed) > op_versions.as_tuple(asked):
        raise ConversionError(f"the file needs TFLite {needed}, but --runtime asks for {asked}; "
                              "choose another --quantize mode or a later runtime")
