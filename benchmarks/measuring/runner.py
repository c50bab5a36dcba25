"""What a runner offers to the method: on this machine, on a phone, in an app."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mobilebert_lite.benchmarks.reports.result import (
    Aggregate,
    Answers,
    Configuration,
    Device,
    Loading,
    Memory,
    OperatorTime,
    Runtime,
    Snapshot,
)
from mobilebert_lite.errors import MblError


class RunnerError(MblError):
    """A run that could not go on: the device went away, the runtime refused or crashed, a time-out.

    Samples yielded before stay valid.
    """


@dataclass(frozen=True, eq=False)
class Input:
    """One text as the model reads it."""

    # Name of the entry point in the file.
    signature: str
    # Input name -> int32 [1, S] (or [1, C, S]), valid ids.
    arrays: dict[str, np.ndarray]
    # Tokens that are not padding.
    tokens: int


@dataclass(frozen=True)
class Sample:
    """One inference."""

    # When it began, by ``time.monotonic()`` of this process (a phone's clock is brought to it by its runner).
    started_s: float
    duration_us: float
    tokens: int


@dataclass(frozen=True)
class Findings:
    """What is known at the end of a run."""

    memory: Memory | None = None
    operators: tuple[OperatorTime, ...] = ()
    answers: Answers | None = None
    warnings: tuple[str, ...] = ()
    # Why the figures are worth nothing: answers that are wrong. The benchmark then fails with it.
    wrong: str = ""


class LoadedModel(Protocol):
    """A file loaded in one configuration; it stays loaded between calls of ``run`` where the runner can do that."""

    runtime: Runtime

    @property
    def loading(self) -> Loading:
        """Known after ``prepare``, or at the latest after the first sample."""

    def run(self, count: int, seconds: float, first: int = 0) -> Iterator[Sample | Aggregate]:
        """Inferences as they happen: at least ``count`` of them and for at least ``seconds``.

        Inference i reads input (``first`` + i) modulo the number of inputs. ``Aggregate.offset_us`` is here
        ``1e6 * time.monotonic()`` at its start; the method makes it relative. Closing the iterator stops the run.
        Raises RunnerError.
        """

    def finish(self) -> Findings:
        """Memory, profile, answers. Called once, after the last ``run``; not after one that failed or was
        interrupted, when a device may no longer answer."""

    def close(self) -> None:
        """Free it; called on every way out, also when nothing works any more. Raises nothing."""


class Runner(Protocol):
    """One device."""

    device: Device
    # The processors that an app runs on when it works hard; empty where they are all alike.
    big_cpus: tuple[int, ...]
    # The fewest inferences worth a call of ``run``: 1 where a call costs nothing, more where each starts a process.
    block: int

    def objections(self) -> list[str]:
        """What is wrong with the device's state now (hot, battery low, busy), one sentence each with a next action."""

    def prepare(self, path: Path, configuration: Configuration, inputs: Sequence[Input]) -> LoadedModel:
        """Bring the file to the device and load it. Raises RunnerError, or ModelFileError when it is refused."""

    def snapshot(self) -> Snapshot:
        """The state of the device now; ``offset_us`` is here ``1e6 * time.monotonic()``.

        Called every few seconds from another thread while a run goes on, which it must not disturb.
        """

    def close(self) -> None:
        """Leave nothing behind. Called on every way out. Raises nothing."""
