"""What ``mbl convert`` is asked for, and what it says that it has made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from mobilebert_lite.conversion.for_npu import NpuFile
from mobilebert_lite.conversion.verify import Verification
from mobilebert_lite.datasets.options import DataOptions

# Is given one line for people at each stage.
Progress = Callable[[str], None]


@dataclass(frozen=True)
class ConvertRequest:
    """What ``convert`` is asked for; what is None or empty follows from the checkpoint (``plan.resolve``).

    output: where the file goes; a file that is there is replaced when the new one has been verified.
    weights: checkpoint folder or hub id; None for the bundled demonstration checkpoint.
    revision: commit, tag or branch of the hub id.
    format: what kind of checkpoint it is (converters.formats.FORMATS); None: what its files look like.
    config: configuration file or preset, in place of the configuration beside the weights.
    task: None: the task that the checkpoint's head is for.
    lengths: sequence lengths in tokens, one signature each; (): the task's default.
    auto_lengths: choose this many lengths for the calibration texts, up to ``lengths`` or the default; 0: as given.
    logits: raw logits in place of probabilities.
    positions: fill-mask: logits at this many given positions alone; 0: at every token.
    choices: multiple-choice: how many; None: as many as the calibration examples have.
    problem: classification: one of form.PROBLEMS, in place of what the checkpoint says.
    pooling: embedding: one of pooling.POOLINGS, in place of what the checkpoint says.
    normalize: embedding: whether vectors have length 1, in place of what the checkpoint says.
    quantize: the mode, a recipe of quantization/recipes.
    recipe: a recipe file of one's own, in place of the mode.
    calibration: texts to calibrate and verify with; None: the package's own.
    reading: what of ``calibration`` stands where, and how many bad rows it may have.
    vocabulary: tokenizer file, in place of the one beside the weights.
    labels: names of the classes, one a line.
    report: where the JSON report goes.
    without: fusion rules switched off (fusion.pipeline.RULES), or "all".
    runtime: the oldest TFLite that the file must run in, such as 2.14.0; None: the current one.
    mask: additive[:constant], multiplicative[:constant] or minimum; None: the convention of the checkpoint's source.
    text_input: add signatures that take texts; they need tensorflow-text's operators.
    threads: for calibration and verification.
    npu: processors (npu.socs), or phones with them, that the file is compiled for besides.
    allow_partial: whether a compiled file may leave operators to the CPU.
    """

    output: Path
    weights: str | None = None
    _: KW_ONLY
    revision: str | None = None
    format: str | None = None
    config: Path | None = None
    task: str | None = None
    lengths: tuple[int, ...] = ()
    auto_lengths: int = 0
    logits: bool = False
    positions: int = 0
    choices: int | None = None
    problem: str | None = None
    pooling: str | None = None
    normalize: bool | None = None
    quantize: str = "int8"
    recipe: Path | None = None
    calibration: Path | None = None
    reading: DataOptions = field(default_factory=DataOptions)
    vocabulary: Path | None = None
    labels: Path | None = None
    report: Path | None = None
    without: tuple[str, ...] = ()
    runtime: str | None = None
    mask: str | None = None
    text_input: bool = False
    threads: int = 2
    npu: tuple[str, ...] = ()
    allow_partial: bool = False


@dataclass(frozen=True)
class ConvertReport:
    """What was made, and how well it does.

    output: path of the file.
    bytes: its size.
    seconds: what the conversion took.
    task: the task of its signatures.
    verification: how far its outputs are from the checkpoint's, one for each signature.
    provenance: what the file says about itself.
    evaluation: how it scored on labeled examples, when it had to (``gate``).
    compiled: the files for NPUs that were made of it.
    """

    output: str
    bytes: int
    seconds: float
    task: str
    verification: tuple[Verification, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    compiled: tuple[NpuFile, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For ``--report`` and ``--json``."""
        return {"output": self.output, "bytes": self.bytes, "seconds": round(self.seconds, 1), "task": self.task,
                "verification": [result.to_json() for result in self.verification],
                "provenance": dict(self.provenance),
                **({"evaluation": dict(self.evaluation)} if self.evaluation else {}),
                **({"compiled": [one.to_json() for one in self.compiled]} if self.compiled else {})}
