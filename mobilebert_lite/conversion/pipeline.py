"""From a checkpoint to a verified ``.tflite``, readable from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.common.files import check_output, replacing, write_json
from mobilebert_lite.conversion import for_npu, rounding, verify
from mobilebert_lite.conversion.answers import Expected
from mobilebert_lite.conversion.building import build
from mobilebert_lite.conversion.checking import compared
from mobilebert_lite.conversion.for_npu import NpuFile
from mobilebert_lite.conversion.packaging import carried_files, describe, finish, float_operators
from mobilebert_lite.conversion.plan import Plan, resolve
from mobilebert_lite.conversion.request import ConvertReport, ConvertRequest, Progress
from mobilebert_lite.doctor.own import require_readable
from mobilebert_lite.errors import ConversionError
from mobilebert_lite.graph.names import signature_name
from mobilebert_lite.quantization.probes import fitting
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import Task
from mobilebert_lite.tflite import op_versions
from mobilebert_lite.tflite.flatbuffer import read_model

__all__ = ["ConvertReport", "ConvertRequest", "Made", "Progress", "convert", "make", "resolve", "write"]


@dataclass(frozen=True)
class Made:
    """A verified file that is written nowhere yet."""

    content: bytes
    provenance: Mapping[str, Any]
    verification: tuple[verify.Verification, ...]
    compiled: tuple[NpuFile, ...] = ()


@dataclass(frozen=True)
class Outputs:
    """Where files go.

    file: the file itself.
    compiled: the files for NPUs made of it, in the order of Plan.npu.
    """

    file: Path
    compiled: tuple[Path, ...] = ()


def convert(request: ConvertRequest, progress: Progress = lambda message: None) -> ConvertReport:
    """Do what ``request`` says; the file appears only when it has been verified.

    Raises a subclass of MblError, and leaves nothing behind, when anything is wrong.
    """
    check_output(request.output)
    plan = resolve(request, progress)
    with opened(plan, request.output) as outputs:
        report = write(plan, outputs, progress)
    report = named(report, request.output)
    if request.report is not None:
        write_json(request.report, report.to_json())
    return report


@contextmanager
def opened(plan: Plan, output: Path) -> Iterator[Outputs]:
    """Temporary files, which become ``output`` and the files for NPUs beside it when the block ends well."""
    with ExitStack() as stack:
        yield Outputs(stack.enter_context(replacing(output)),
                      tuple(stack.enter_context(replacing(for_npu.beside(output, soc))) for soc in plan.npu))


def write(plan: Plan, outputs: Outputs, progress: Progress) -> ConvertReport:
    """``make``, into ``outputs``."""
    started = time.monotonic()
    made = make(plan, progress)
    progress("writing")
    outputs.file.write_bytes(made.content)
    for one, path in zip(made.compiled, outputs.compiled, strict=True):
        path.write_bytes(one.content)
    return ConvertReport(str(outputs.file), len(made.content), time.monotonic() - started, plan.task.name,
                         made.verification, made.provenance, compiled=made.compiled)


def named(report: ConvertReport, output: Path) -> ConvertReport:
    """``report`` of files that have become ``output`` and those beside it."""
    return replace(report, output=str(output), compiled=tuple(
        for_npu.placed(one, for_npu.beside(output, one.compiled.soc)) for one in report.compiled))


def make(plan: Plan, progress: Progress) -> Made:
    """Build what ``plan`` says, verify it, and let it say what it is."""
    checkpoint, task = plan.checkpoint, plan.task
    progress(f"building {task.name} at {', '.join(map(str, plan.lengths))} tokens")
    if trained := checkpoint.trained:
        progress(f"taking the ranges that were trained for {trained.recipe}" if plan.trained else
                 f"leaving out the ranges that were trained for {trained.recipe}: this is {plan.recipe.name}")
    vocabulary = checkpoint.tokenizer.vocabulary
    plan.reference.require_dependence(next(iter(plan.calibration.values())), len(vocabulary))
    built = build(checkpoint.weights, plan.design, plan.calibration, progress)

    progress("verifying")
    results = verified(plan, built.content)
    provenance = describe(plan, built, results)
    content = built.content
    if plan.recipe.integer:
        provenance["float_operators"] = float_operators(read_model(content))
    if plan.text_input:
        content = with_text_input(plan, content, provenance)
    content = finish(content, provenance, carried_files(checkpoint, task))
    _check_runtime(provenance["min_runtime_version"], plan.runtime)
    require_readable(content, vocabulary, plan.class_names, plan.lengths)
    return Made(content, provenance, results, tuple(_compiled(plan, content, progress)))


def _compiled(plan: Plan, content: bytes, progress: Progress) -> Iterator[NpuFile]:
    """What is compiled for each NPU: the network of ``content``, drawn with fewer operators.

    What quantization-aware training left belongs to the operators of ``content``, which is compiled then.
    """
    if plan.npu:
        if plan.trained is None:
            progress("drawing the network for NPUs")
            content = drawn_for_npu(plan)
        if note := for_npu.of_lengths(plan.lengths):
            progress(note)
    for soc in plan.npu:
        progress(f"compiling for {soc}, and verifying in its simulator")
        yield for_npu.compile_verified(content, soc, plan.task, expectations(plan), plan.mode,
                                       allow_partial=plan.allow_partial)


def drawn_for_npu(plan: Plan) -> bytes:
    """The file that is compiled: not verified, for its answers count in the simulator alone."""
    built = build(plan.checkpoint.weights, replace(plan.design, for_npu=True), plan.calibration)
    return finish(built.content, describe(plan, built, ()), carried_files(plan.checkpoint, plan.task))


def verified(plan: Plan, content: bytes) -> tuple[verify.Verification, ...]:
    """How far ``content`` is from what it should compute. Raises VerificationError when that is too far."""
    expected = expectations(plan)
    results = check(content, plan.task, expected, plan.threads)
    threshold = verify.load_threshold(plan.mode)
    if plan.recipe.word_table == "float32" and not plan.recipe.rules:
        threshold = rounding.allow(threshold, plan.reference.network, plan.task, expected, results)
    verify.require(results, threshold)
    return tuple(results)


def expectations(plan: Plan) -> Expected:
    """What the file should compute: what training with this mode's rounding computed, or the float network."""
    if plan.trained:
        pad_id = plan.checkpoint.tokenizer.pad_id
        return {signature_name(plan.task.name, length): fitting(plan.trained.probes, plan.task, length, pad_id)
                for length in plan.lengths}
    return plan.reference.answers(plan.verification_texts())


def check(content: bytes, task: Task, expected: Expected, threads: int) -> list[verify.Verification]:
    """The file against what its signatures should give."""
    return compared(Session(content, threads), task, expected)


def with_text_input(plan: Plan, content: bytes, provenance: dict[str, Any]) -> bytes:
    """``content`` with verified signatures that take texts; ``provenance`` is told of them."""
    from mobilebert_lite.conversion.text_input import attach

    tokenizer = plan.checkpoint.tokenizer
    content = attach.attach(content, tokenizer, plan.task, plan.lengths)
    found = attach.verify(content, tokenizer, plan.task, plan.lengths, plan.held_aside, threads=plan.threads)
    provenance["text_input"] = asdict(found)
    return content


def _check_runtime(needed: str, asked: str | None) -> None:
    if asked is not None and op_versions.as_tuple(needed) > op_versions.as_tuple(asked):
        raise ConversionError(f"the file needs TFLite {needed}, but --min-runtime asks for {asked}; "
                              "choose another --quantize mode or a later runtime")
