"""The runner for phones: ``benchmark_model`` over adb."""

from __future__ import annotations

import hashlib
import io
import logging
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mobilebert_lite.benchmarks.measuring import acceleration
from mobilebert_lite.benchmarks.measuring.acceleration import Taken
from mobilebert_lite.benchmarks.measuring.runner import Findings, Input, RunnerError, Sample
from mobilebert_lite.benchmarks.phone import benchmark_model
from mobilebert_lite.benchmarks.phone import state as phone_state
from mobilebert_lite.benchmarks.phone.adb import CommandError, Phone
from mobilebert_lite.benchmarks.phone.benchmark_model import TOLD, Statistics, ToolOutput
from mobilebert_lite.benchmarks.phone.feeding import inputs_in_order, signatures, with_inputs
from mobilebert_lite.benchmarks.phone.runner_binary import NAME, Binary
from mobilebert_lite.benchmarks.phone.session import PhoneFolder
from mobilebert_lite.benchmarks.reports.result import (
    CPU,
    GPU,
    NPU,
    Aggregate,
    Configuration,
    Loading,
    Memory,
    Runtime,
    Snapshot,
)
from mobilebert_lite.common.temporary import scratch_folder
from mobilebert_lite.errors import ModelFileError

# Every process warms up anew: the first inference packs weights, and clocks rise.
WARM_UP = 3
# For --profile.
_PROFILE_RUNS = 20
_ADVICE = {GPU: "LiteRT's tool looks for libLiteRtClGlAccelerator.so beside itself, which is fetched with it; for "
                "another program put it into the folder of --runner-binary. `mbl inspect FILE --client gpu` tells what "
                "GPUs refuse in a file.",
           NPU: "NPUs need their maker's library beside the program, and mostly a file that was compiled for them."}
# The tool's option -> ours; what the tool does without it; and the one that is for the file's first graph.
_OPTIONS = {"num_threads": "--threads", "use_xnnpack": "--no-xnnpack", "signature_to_run_for": "--seq-len"}
_OWN_WAY = {"num_threads": "1", "use_xnnpack": "true"}
_OF_ENTRY = ("signature_to_run_for",)
# Between two signs of life of a run.
SILENCE_S = 120.0


class PhoneRunner:
    """One phone."""

    # Three inferences of a process are told one by one.
    block = TOLD

    def __init__(self, phone: Phone, binary: Binary, silence_s: float = SILENCE_S, profile: bool = False) -> None:
        """Makes a folder on the phone. A program that is silent for ``silence_s`` hangs; ``profile`` adds the time of
        each kind of operator. Raises RunnerError."""
        self.phone, self.binary, self.silence_s, self.profile = phone, binary, silence_s, profile
        self.device = phone_state.identify(phone)
        self.big_cpus = phone_state.big_cpus(phone, self.device)
        self.session = PhoneFolder(phone)
        try:
            self.session.put(binary.path, NAME)
            for library in binary.libraries:
                self.session.put(library, library.name)
            phone.shell(f"chmod 755 {self.session.folder}/{NAME}")
            self.flags = self._flags()
        except BaseException:
            self.close()
            raise

    def _flags(self) -> frozenset[str]:
        """It ends with an error after --help, in most versions."""
        lines: list[str] = []
        try:
            lines += self.session.run([f"./{NAME}", "--help"], self.silence_s)
        except CommandError as error:
            lines += error.output
        found = benchmark_model.flags("\n".join(lines))
        if "graph" not in found:
            said = next((line for line in reversed(lines) if line.strip()), "nothing")
            raise RunnerError(f"{self.binary.path} is no {NAME} that runs on {self.device.title} ({self.device.abi}): "
                              f"asked for its options it says: {said}")
        return found

    def objections(self) -> list[str]:
        """Hot, throttled, low, busy, or with its screen on. Raises AdbError."""
        return phone_state.objections(self.snapshot(), self.device.cores, phone_state.busy_share(self.phone))

    def prepare(self, path: Path, configuration: Configuration, inputs: Sequence[Input]) -> PhoneRun:
        """The file and its texts on the phone, and one inference. Raises RunnerError, ModelFileError."""
        return PhoneRun(self, path, configuration, inputs)

    def snapshot(self) -> Snapshot:
        """See phone_state."""
        return phone_state.snapshot(self.phone)

    def close(self) -> None:
        """Remove the folder, or say on stderr that it could not be reached."""
        if left := self.session.close():
            logging.getLogger(__name__).warning("· warning: %s", left)


class PhoneRun:
    """A file on a phone; every few inferences are a process."""

    def __init__(self, runner: PhoneRunner, path: Path, configuration: Configuration, inputs: Sequence[Input]) -> None:
        self._runner, self._path, self._configuration = runner, path, configuration
        self.runtime = Runtime(NAME, runner.binary.version, runner.binary.sha256)
        self._fed = "input_layer_value_files" not in runner.flags
        # Fed with numbers by the tool, a file holds one text: the first of each signature stands for all.
        self._inputs = list({one.signature: one for one in inputs}.values()) if self._fed else list(inputs)
        if runner.profile and self._profile_flag() is None:
            raise RunnerError(f"this {NAME} has no profile of operators; leave out --profile, or give a later build "
                              "with --runner-binary")
        self._models = self._send()
        self._told = self._call(self._inputs[0], 1, 0)
        if self._told.inferences is None:
            raise ModelFileError(f"{path}: {NAME} on {runner.device.title} refuses it: "
                                 f"{self._told.error or 'no inference was made'}")
        self._check_accelerator(self._told)
        taken = acceleration.of(configuration.accelerator, self._told.delegations) or Taken("")
        self.loading = Loading(self._told.load_us or 0.0, self._told.first_us or self._told.inferences.mean,
                               taken.nodes, taken.delegated, taken.partitions, taken.name)

    def _check_accelerator(self, said: ToolOutput) -> None:
        """Raises RunnerError when the inferences ran elsewhere than asked for."""
        wanted = self._configuration.accelerator
        if refused := acceleration.refusal(wanted, said.delegations, said.error):
            raise RunnerError(f"{self._path} on {self._runner.device.title}: {refused}. {_ADVICE[wanted]}")

    def _profile_flag(self) -> str | None:
        return next((one for one in ("enable_op_profiling", "use_profiler") if one in self._runner.flags), None)

    def _send(self) -> list[str]:
        """The name of the model on the phone for each input; texts go as one archive."""
        content, session = self._path.read_bytes(), self._runner.session
        with scratch_folder() as folder:
            self._usual = next(iter(signatures(content)), "")
            self._order = {name: inputs_in_order(content, name) for name in {one.signature for one in self._inputs}}
            if not self._fed:
                session.put(_text_archive(folder, self._inputs, self._order), "texts.tar")
                self._runner.phone.shell(f"cd {session.folder} && tar -xf texts.tar")
                name = _model_name(content)
                session.put(self._path, name)
                return [name] * len(self._inputs)
            names = []
            for one in self._inputs:
                fed = with_inputs(content, one.signature, one.arrays)
                local = folder / _model_name(fed)
                local.write_bytes(fed)
                session.put(local, local.name)
                names.append(local.name)
            return names

    def run(self, count: int, seconds: float, first: int = 0) -> Iterator[Sample | Aggregate]:
        """As Prepared.run: single samples where the tool's statistics tell them, else an aggregate a process."""
        began, done = time.monotonic(), 0
        while done < count or time.monotonic() - began < seconds:
            one = self._inputs[((first + done) // TOLD) % len(self._inputs)]
            said = self._call(one, TOLD, WARM_UP)
            if said.inferences is None or not said.inferences.count:
                raise RunnerError(f"{NAME} on {self._runner.device.title} told no times: "
                                  f"{said.error or 'its output is of an unknown form'}")
            self._check_accelerator(said)
            yield from _samples(said.inferences, one.tokens)
            done += said.inferences.count

    def finish(self) -> Findings:
        """Peak memory and, if wanted, operators: of one more process, since both slow it down."""
        extra = ["--report_peak_memory_footprint=true"] if "report_peak_memory_footprint" in self._runner.flags else []
        flag, wanted = self._profile_flag(), self._runner.profile
        part = acceleration.shared(self._configuration.accelerator, self._told.delegations)
        if not extra and not wanted:
            return Findings(warnings=(part,) if part else ())
        said = self._call(self._inputs[0], _PROFILE_RUNS if wanted else TOLD, 1,
                          [*extra, *([f"--{flag}=true"] if wanted else [])])
        silent = f"this {NAME} has no profile of operators" if self._runner.profile and not said.operators else ""
        warnings = tuple(filter(None, (part, silent)))
        return Findings(None if said.peak_bytes is None else Memory(said.peak_bytes), said.operators,
                        warnings=warnings)

    def close(self) -> None:
        """The file stays in the session's folder, for the next configuration."""

    def _call(self, one: Input, runs: int, warm_up: int, extra: Sequence[str] = ()) -> ToolOutput:
        """One process. Raises ModelFileError when it fails."""
        lines: list[str] = []
        command = [*self._command(one), f"--num_runs={runs}", f"--warmup_runs={warm_up}", "--min_secs=0",
                   "--warmup_min_secs=0", *extra]
        try:
            lines += self._runner.session.run(command, self._runner.silence_s)
        except CommandError as error:
            said = benchmark_model.parse(error.output)
            raise ModelFileError(f"{self._path}: {NAME} on {self._runner.device.title} fails with status "
                                 f"{error.status}: {said.error or str(error)}") from None
        return benchmark_model.parse(lines)

    def _command(self, one: Input) -> list[str]:
        configuration, index = self._configuration, self._inputs.index(one)
        mask = sum(1 << cpu for cpu in configuration.cpus)
        command = [*(["taskset", f"{mask:x}"] if mask else []), f"./{NAME}", f"--graph={self._models[index]}"]
        options = {"num_threads": str(configuration.threads), "signature_to_run_for": one.signature,
                   **self._accelerator()}
        if not self._fed:
            names = self._order[one.signature]
            # Of a name with a colon the tool wants two before the file.
            files = [f"{name}{'::' if ':' in name else ':'}{index}.{j}" for j, name in enumerate(names)]
            options |= {"input_layer": ",".join(names), "input_layer_value_files": ",".join(files),
                        "input_layer_shape": ":".join(",".join(map(str, one.arrays[name].shape)) for name in names)}
        known = {name: value for name, value in options.items() if name in self._runner.flags}
        for name, value in options.items():
            self._check_left_out(name, value, known)
        return command + [f"--{name}={value}" for name, value in known.items()]

    def _check_left_out(self, name: str, value: str, known: Mapping[str, str]) -> None:
        """Raises RunnerError when this build of the tool cannot do what was asked for: another measurement would be
        reported as that one."""
        if name in known or _OWN_WAY.get(name) == value or (name in _OF_ENTRY and value == self._usual):
            return
        if option := _OPTIONS.get(name):
            raise RunnerError(f"this {NAME} ({self._runner.binary.path.name}) has no --{name}, so {option} cannot be "
                              "followed; leave that out, or give a later build with --runner-binary")

    def _accelerator(self) -> dict[str, str]:
        """Raises RunnerError when the program does not have it."""
        wanted = self._configuration.accelerator
        if wanted == CPU:
            return {"use_xnnpack": str(self._configuration.xnnpack).lower()}
        flag = next((one for one in {GPU: ("use_gpu",), NPU: ("use_npu", "use_nnapi")}[wanted]
                     if one in self._runner.flags), None)
        if flag is None:
            raise RunnerError(f"this {NAME} cannot use the {wanted}; give another with --runner-binary")
        # Android's own implementation on the CPU is no NPU.
        return {flag: "true", **({"disable_nnapi_cpu": "true"} if flag == "use_nnapi" else {})}


def _samples(statistics: Statistics, tokens: int) -> Iterator[Sample | Aggregate]:
    """The inferences of a process that has just ended: they began so long before now as they took together."""
    now, durations = time.monotonic(), statistics.durations
    start = now - statistics.mean * statistics.count / 1e6
    if not durations:
        yield Aggregate(1e6 * start, statistics.count, statistics.mean, statistics.deviation, statistics.smallest,
                        statistics.largest, tokens, statistics.percentiles)
    for duration in durations:
        yield Sample(start, duration, tokens)
        start += duration / 1e6


def _model_name(content: bytes) -> str:
    """By its content, so that what was sent for one configuration serves the next. Nothing of the user's name for it
    reaches the phone's shell."""
    return f"{hashlib.sha256(content).hexdigest()[:32]}.tflite"


def _text_archive(folder: Path, inputs: Sequence[Input], order: Mapping[str, Sequence[str]]) -> Path:
    """A file ``text.input`` for each, by their numbers: raw int32, little endian, as the tool reads them."""
    path = folder / "texts.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for i, one in enumerate(inputs):
            for j, name in enumerate(order[one.signature]):
                content = one.arrays[name].astype("<i4").tobytes()
                entry = tarfile.TarInfo(f"{i}.{j}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return path

