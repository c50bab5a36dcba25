"""What a benchmark found: raw samples with everything needed to judge them, as versioned JSON.

Times are microseconds. Offsets count from the start of the report (``Report.created``) on one monotonic clock, so
that runs which were interleaved can be laid side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mobilebert_lite.common import json_text
from mobilebert_lite.common.fields import read_object
from mobilebert_lite.common.files import to_json, write_atomically
from mobilebert_lite.errors import DataError

SCHEMA = "mobilebert-lite/benchmark"
# Raised whenever a field changes its meaning or goes away; a field that is added has a default.
VERSION = 1

CPU, GPU, NPU = "cpu", "gpu", "npu"


@dataclass(frozen=True)
class Device:
    """The machine that ran the model."""

    # Name of a profile in devices/*.toml, such as pixel4; "host" for this machine.
    profile: str
    # What people call it: "Pixel 4", or the processor of a host.
    title: str
    # Product model, codename and build fingerprint as the phone says; operating system and kernel on a host.
    model: str = ""
    codename: str = ""
    fingerprint: str = ""
    # Version of Android, or of the host's operating system.
    system: str = ""
    soc: str = ""
    abi: str = ""
    # Instructions that decide the speed of int8, as the kernel names them: asimddp, i8mm, avx512_vnni, …
    features: tuple[str, ...] = ()
    cores: int = 0
    memory_bytes: int = 0
    # How the phone is reached; empty for the host.
    serial: str = ""
    # Not the hardware that it says it is: latency then means nothing, and every rendering must say so.
    emulated: bool = False


@dataclass(frozen=True)
class File:
    """The model file."""

    # As it is shown; two files of the same name are told apart by their hashes.
    name: str
    sha256: str
    bytes: int
    # Empty for files of other toolkits.
    task: str = ""
    recipe: str = ""
    toolkit: str = ""


@dataclass(frozen=True)
class Configuration:
    """How a file was run."""

    # Tokens of the signature; 0: each text in the shortest signature that holds it.
    length: int
    threads: int
    accelerator: str = CPU
    # Whether the XNNPACK delegate is applied (CPU alone).
    xnnpack: bool = True
    # Processors that the process is pinned to; empty: wherever the scheduler puts it.
    cpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class Runtime:
    """What ran it."""

    # ai-edge-litert, tflite-runtime, benchmark_model, app …
    name: str
    version: str
    # SHA-256 of the runner's binary or APK, where it is one.
    sha256: str = ""


@dataclass(frozen=True)
class Latencies:
    """Inferences one by one, as columns of equal length."""

    # When each began.
    offset_us: tuple[float, ...] = ()
    duration_us: tuple[float, ...] = ()
    # Tokens of its text; the rest of the signature is padding.
    tokens: tuple[int, ...] = ()
    # Runs of one group take turns; those with the same number were side by side.
    turn: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.offset_us), len(self.duration_us), len(self.tokens), len(self.turn)}
        if len(lengths) != 1:
            raise DataError(f"columns of {sorted(lengths)} entries; they must be equally long")

    def __len__(self) -> int:
        return len(self.duration_us)


@dataclass(frozen=True)
class Aggregate:
    """Several inferences of which a runner tells only statistics."""

    offset_us: float
    count: int
    mean_us: float
    std_us: float
    min_us: float
    max_us: float
    tokens: int
    # "50" -> the median, where the runner says so.
    percentiles_us: dict[str, float] = field(default_factory=dict)
    # As in Samples; set by the method.
    turn: int = 0


@dataclass(frozen=True)
class Snapshot:
    """The state of the device at one moment; None for what it does not tell."""

    offset_us: float
    # Of the battery or the skin on a phone, of the hottest zone on a host.
    temperature_c: float | None = None
    # Android's thermal status: 0 none, 1 light, 2 moderate, 3 severe, 4 critical, 5 emergency, 6 shutdown.
    thermal_status: int | None = None
    # Processor -> kHz.
    frequency_khz: dict[str, int] = field(default_factory=dict)
    battery_percent: float | None = None
    charging: bool | None = None
    # Charge left, voltage and current (negative: discharging), for the energy.
    charge_uah: float | None = None
    voltage_mv: float | None = None
    current_ua: float | None = None
    screen_on: bool | None = None
    airplane_mode: bool | None = None
    # Processes that wanted a processor in the last minute, on average, the benchmark's own among them.
    load: float | None = None


@dataclass(frozen=True)
class OperatorTime:
    """Time of one operator (or one kind of operator, where the runtime tells no more) per inference."""

    # Kind, such as FULLY_CONNECTED, or the delegate's name for it.
    kind: str
    # Name of the node; empty for a kind.
    name: str
    # How many nodes the row stands for.
    count: int
    mean_us: float
    # Of the time of all operators.
    percent: float


@dataclass(frozen=True)
class Loading:
    """What happens once, before the steady state."""

    # From the file's bytes to an interpreter with its tensors allocated.
    load_us: float
    # The first inference, which packs weights and fills caches.
    first_us: float
    # Nodes of the graph and those that a delegate took, in how many partitions; None where unknown.
    nodes: int | None = None
    delegated: int | None = None
    partitions: int | None = None
    # The delegate, as the runtime's log calls it; empty where it does not tell.
    delegate: str = ""


@dataclass(frozen=True)
class Memory:
    """Resident memory of the process."""

    peak_bytes: int
    # Before the file was read, with the runtime loaded.
    baseline_bytes: int = 0


@dataclass(frozen=True)
class Answers:
    """Outputs of the device against those of the same file on the host."""

    compared: int
    # Texts with the same answer (best span, class, …).
    same: int
    # Largest difference of an output, and the largest output.
    largest_difference: float
    largest_output: float


@dataclass(frozen=True)
class Run:
    """One file in one configuration on one device."""

    file: File
    device: Device
    configuration: Configuration
    runtime: Runtime
    # Runs with the same number were interleaved, sample by sample or block by block, so their ratio is sound.
    group: int
    loading: Loading
    # Warm-up, kept apart: durations only.
    warm_up_us: tuple[float, ...] = ()
    samples: Latencies = Latencies()
    # In place of samples, where the runner tells no single ones.
    aggregates: tuple[Aggregate, ...] = ()
    environment: tuple[Snapshot, ...] = ()
    memory: Memory | None = None
    # The most expensive first; empty where the runtime has no profile.
    operators: tuple[OperatorTime, ...] = ()
    answers: Answers | None = None
    # One sentence each, with the next action.
    warnings: tuple[str, ...] = ()
    # False when the run was cut short, for ``reason``.
    complete: bool = True
    reason: str = ""

    @property
    def emulated(self) -> bool:
        """Whether the times mean nothing."""
        return self.device.emulated


@dataclass(frozen=True)
class BenchOptions:
    """What was asked for, the same for all runs."""

    # At least so many samples, and at least so many seconds.
    runs: int
    seconds: float
    # Warm-up: inferences at most; it ends earlier when the latency is stable.
    warm_up: int
    # MLPerf's single-stream rules: 1,024 samples and 60 s at least, judged by the 90th percentile.
    mlperf: bool = False
    cool_down_s: float = 0.0
    # Where the texts come from, and the SHA-256 of that file.
    data: str = "built in"
    data_sha256: str = ""
    texts: int = 0
    # Of their tokens, before they are cut to a length.
    mean_tokens: float = 0.0


@dataclass(frozen=True)
class BenchReport:
    """All runs of one command.

    created: ISO 8601, UTC.
    toolkit: name and version of what measured.
    options: what was asked for.
    runs: one for each file, device and setting.
    source: of an imported or merged report: where it came from.
    """

    created: str
    toolkit: str
    options: BenchOptions
    runs: tuple[Run, ...]
    source: str = ""

    @property
    def complete(self) -> bool:
        """Whether nothing was cut short."""
        return all(run.complete for run in self.runs)

    @property
    def emulated(self) -> bool:
        """Whether any of it is not what it says it is."""
        return any(run.emulated for run in self.runs)

    def to_json(self) -> dict[str, Any]:
        """With the schema's name and version."""
        return {"schema": SCHEMA, "version": VERSION, **asdict(self)}


def write(report: BenchReport, path: Path) -> None:
    """``report`` as JSON. Raises OutputError when ``path`` cannot be written."""
    write_atomically(path, (to_json(report.to_json()) + "\n").encode())


def read(path: Path) -> BenchReport:
    """The report in ``path``. Raises DataError for anything else, naming the field."""
    try:
        raw = json_text.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    except DataError as error:
        raise DataError(f"{error}; give a file that `mbl bench --report` wrote") from None
    return parse(raw, str(path))


def parse(raw: Any, where: str) -> BenchReport:
    """The report that ``raw`` holds. Raises DataError, as ``read``."""
    from mobilebert_lite.common.records import record

    fields: Mapping[str, Any] = read_object(raw, where)
    if fields.get("schema") != SCHEMA:
        raise DataError(f"{where} is not a benchmark (schema is {fields.get('schema')!r}, not {SCHEMA!r}); "
                        "give a file that `mbl bench --report` wrote")
    if fields.get("version") != VERSION:
        raise DataError(f"{where} has version {fields.get('version')!r} of the schema; this toolkit reads {VERSION}")
    values = {name: value for name, value in fields.items() if name not in ("schema", "version", "comparison")}
    return record(BenchReport, values, where)
