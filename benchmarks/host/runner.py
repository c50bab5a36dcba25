"""The runner for this machine: LiteRT in a child process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mobilebert_lite.benchmarks.host import machine
from mobilebert_lite.benchmarks.host.child import SILENCE_S, Child, Message
from mobilebert_lite.benchmarks.measuring.runner import Findings, Input, Sample
from mobilebert_lite.benchmarks.reports.operators import parse
from mobilebert_lite.benchmarks.reports.result import CPU, Aggregate, Configuration, Loading, Memory, Runtime, Snapshot
from mobilebert_lite.benchmarks.reports.wording import BUSY
from mobilebert_lite.errors import MblError, ModelFileError

# Above it, something else is at work on this machine.
_BUSY = 0.15
_HOT_C, _LOW_PERCENT = 85.0, 20.0
_PROFILE_RUNS = 20


class HostRunner:
    """This machine."""

    block = 1

    def __init__(self, runtime: str | None = None, silence_s: float = SILENCE_S, profile: bool = False) -> None:
        """``runtime`` is one of runtime.RUNTIMES; a child that is silent for ``silence_s`` hangs; ``profile`` adds
        the time of each kind of operator (CPU alone)."""
        self.device, self.big_cpus = machine.describe(), machine.big_cpus()
        self._runtime, self._silence_s, self._profile = runtime, silence_s, profile

    def objections(self) -> list[str]:
        """A machine at work, hot, or on its battery."""
        found, now, busy = [], machine.snapshot(), machine.busy_share()
        if busy is not None and busy > _BUSY:
            found.append(f"{BUSY}: something else takes {100 * busy:.0f} % of the processors' time; end other programs")
        if now.temperature_c is not None and now.temperature_c > _HOT_C:
            found.append(f"the processor is at {now.temperature_c:.0f} °C: let it cool down first")
        if now.charging is False:
            low = now.battery_percent is not None and now.battery_percent < _LOW_PERCENT
            found.append(f"running on {'a low' if low else 'the'} battery: plug it in, clocks are lower without")
        return found

    def prepare(self, path: Path, configuration: Configuration, inputs: Sequence[Input]) -> HostRun:
        """A child that has loaded the file. Raises RunnerError, ModelFileError."""
        return HostRun(path, configuration, inputs, self._runtime, self._silence_s, profile=self._profile)

    def snapshot(self) -> Snapshot:
        """See machine.snapshot."""
        return machine.snapshot()

    def close(self) -> None:
        """Nothing is left behind: children are closed with their runs."""


class HostRun:
    """A file loaded in a child."""

    def __init__(self, path: Path, configuration: Configuration, inputs: Sequence[Input], runtime: str | None,
                 silence_s: float, *, profile: bool) -> None:
        self._path, self._configuration, self._inputs, self._silence_s = path, configuration, inputs, silence_s
        self._profile = profile and configuration.accelerator == CPU
        self._child = Child(silence_s)
        try:
            said = self._child.ask(
                "load", path=str(path), threads=configuration.threads, accelerator=configuration.accelerator,
                xnnpack=configuration.xnnpack, cpus=list(configuration.cpus), runtime=runtime)
            _check(inputs, said["signatures"])
            first = self._child.ask("inputs", inputs=[
                [one.signature, {name: array.tolist() for name, array in one.arrays.items()}, one.tokens]
                for one in inputs])
        except ModelFileError as error:
            self.close()
            raise ModelFileError(f"{path}: {error}") from None
        except BaseException:
            self.close()
            raise
        self.runtime = Runtime(str(said["runtime"]), str(said["version"]))
        self.loading = Loading(said["load_us"], first["first_us"], said["nodes"], said["delegated"],
                               said["partitions"])
        self._baseline = said["baseline_bytes"]

    def run(self, count: int, seconds: float, first: int = 0) -> Iterator[Sample | Aggregate]:
        """As Prepared.run; single samples."""
        messages = self._child.stream("run", count=count, seconds=seconds, first=first)
        ended = False
        try:
            for message in messages:
                ended = bool(message.get("end"))
                yield from _samples(message)
        finally:
            if not ended:
                self._child.stop()

    def finish(self) -> Findings:
        """Peak memory, and the profile, which a child of its own makes: it needs the model a second time."""
        memory = Memory(self._child.ask("memory")["peak_bytes"], self._baseline)
        if not self._profile:
            return Findings(memory)
        child = Child(self._silence_s)
        try:
            return Findings(memory, parse(self._summary(child)))
        except MblError as error:
            return Findings(memory, warnings=(str(error),))
        finally:
            child.close()

    def _summary(self, child: Child) -> str:
        first = self._inputs[0]
        return str(child.ask("profile", path=str(self._path), threads=self._configuration.threads,
                             xnnpack=self._configuration.xnnpack, cpus=list(self._configuration.cpus),
                             signature=first.signature, runs=_PROFILE_RUNS,
                             arrays={name: array.tolist() for name, array in first.arrays.items()})["summary"])

    def close(self) -> None:
        """End the child."""
        self._child.close()


def _samples(message: Message) -> list[Sample]:
    return [Sample(float(started), float(duration), int(tokens)) for started, duration, tokens in message["samples"]]


def _check(inputs: Sequence[Input], signatures: dict[str, dict[str, tuple[str, list[int]]]]) -> None:
    """The file must have the entries that its description speaks of."""
    for one in inputs:
        shapes = {name: list(array.shape) for name, array in one.arrays.items()}
        has = {name: shape for name, (_, shape) in signatures.get(one.signature, {}).items()}
        if shapes != has:
            raise ModelFileError(f"signature {one.signature!r} should read {shapes}, but the file has "
                                 f"{has or ', '.join(signatures)}; convert it again")
