"""``mbl compile``: a file that is there, for NPUs. It is held to its own answers on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from mobilebert_lite.common.files import check_output, replacing, write_json
from mobilebert_lite.conversion.answers import Expected
from mobilebert_lite.conversion.for_npu import NpuFile, beside, compile_verified, of_lengths, placed
from mobilebert_lite.conversion.request import Progress
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.datasets.samples import read_or_builtin, simulation_texts, split_examples
from mobilebert_lite.errors import RequestError
from mobilebert_lite.npu import toolchain
from mobilebert_lite.npu.compiled import is_compiled
from mobilebert_lite.npu.socs import Soc, find_soc
from mobilebert_lite.running.model import Model, read_tflite


@dataclass(frozen=True)
class CompileRequest:
    """What ``mbl compile`` is asked for.

    model: a .tflite that ``convert`` made.
    npu: processors (npu.socs), or phones with them; a file is made for each.
    output: the file, of one processor; None, and of several: named after ``model`` and each processor.
    calibration: texts whose answers must hold; None: the package's own.
    reading: what of ``calibration`` stands where, and how many bad rows it may have.
    allow_partial: whether a compiled file may leave operators to the CPU.
    report: where the JSON report goes.
    threads: for the answers on the CPU.
    """

    model: Path
    npu: tuple[str, ...]
    _: KW_ONLY
    output: Path | None = None
    calibration: Path | None = None
    reading: DataOptions = field(default_factory=DataOptions)
    allow_partial: bool = False
    report: Path | None = None
    threads: int = 2


@dataclass(frozen=True)
class CompileReport:
    """What was made.

    model: the file that was compiled.
    task: what it is for.
    files: one for each processor.
    """

    model: str
    task: str
    files: tuple[NpuFile, ...]

    def to_json(self) -> dict[str, Any]:
        """For ``--report`` and ``--json``."""
        return {"model": self.model, "task": self.task, "files": [one.to_json() for one in self.files]}


def compile_files(request: CompileRequest, progress: Progress = lambda message: None) -> CompileReport:
    """All files, or none. Raises a subclass of MblError when one is refused or its answers do not hold."""
    socs = tuple(dict.fromkeys(find_soc(name) for name in request.npu))
    outputs = _outputs(request, socs)
    toolchain.find()
    content = read_tflite(request.model)
    if is_compiled(content):
        raise RequestError(f"{request.model} is compiled already; give the .tflite that it was made from")
    with closing(Model(request.model, request.threads, content=content, isolated=True).session) as session:
        model = Model(request.model, content=content, session=lambda _: session)
        expected = _expected(model, request)
    if note := of_lengths(model.lengths):
        progress(note)
    mode = str(model.provenance.get("recipe", {}).get("name"))
    with ExitStack() as stack:
        paths = [stack.enter_context(replacing(output)) for output in outputs]
        files = []
        for soc, path in zip(socs, paths, strict=True):
            progress(f"compiling for {soc}, and verifying in its simulator")
            files.append(compile_verified(content, soc, model.task, expected, mode,
                                          allow_partial=request.allow_partial))
            path.write_bytes(files[-1].content)
    report = CompileReport(str(request.model), model.task.name,
                           tuple(placed(one, output) for one, output in zip(files, outputs, strict=True)))
    if request.report is not None:
        write_json(request.report, report.to_json())
    return report


def _outputs(request: CompileRequest, socs: Sequence[Soc]) -> list[Path]:
    """Where the files go. Raises RequestError, or OutputError, where they cannot go there."""
    if not socs:
        raise RequestError("give the processor to compile for (--npu), such as sm8750 or galaxys25")
    outputs = [request.output] if request.output is not None and len(socs) == 1 else [
        beside(request.output or request.model, soc) for soc in socs]
    for output in outputs:
        check_output(output)
        if output.resolve() == request.model.resolve():
            raise RequestError(f"{output} is the file to compile; give another --output")
    return outputs


def _expected(model: Model, request: CompileRequest) -> Expected:
    """What the file answers on the CPU to texts that did not calibrate it."""
    found = read_or_builtin(request.calibration, model.task, request.reading)
    _, held_aside = split_examples(found.examples)
    texts = simulation_texts(model.tokenizer, model.task, held_aside, list(model.lengths))
    return {name: [(one, model.session.run(name, one.inputs())) for one in features]
            for name, features in texts.items()}
