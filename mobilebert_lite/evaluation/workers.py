"""Examples through a model: in this process, in several, or on a cluster, with the same outcomes."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from mobilebert_lite.errors import MblError, WorkerError
from mobilebert_lite.evaluation.journal import Outcome
from mobilebert_lite.npu.session import opener
from mobilebert_lite.running.model import Model
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks.scoring import Scorer

# Examples that a process takes at once: few enough for a steady progress bar and little lost work, enough for the
# sending to cost nothing.
SHARD = 8

Job = tuple[int, Any]


@dataclass(frozen=True)
class WorkerPlan:
    """What every worker needs besides the examples."""

    path: Path
    # Of the file's bytes; names the model where it travels without its path.
    sha256: str
    scorer: Scorer
    threads: int
    runtime: str | None
    tokenizer: str
    # The processor whose NPU is simulated; None: the CPU.
    npu: str | None = None


class Stopwatch(Session):
    """A session that notes how long each inference took, but for the first of a signature, which also prepares it."""

    def __init__(self, session: Session) -> None:
        self._session, self.runtime, self.signatures = session, session.runtime, session.signatures
        self._seen: set[str] = set()
        self._milliseconds: list[float] = []

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As the session does."""
        started = time.perf_counter()
        outputs = self._session.run(signature, inputs)
        elapsed = 1000 * (time.perf_counter() - started)
        if signature in self._seen:
            self._milliseconds.append(elapsed)
        self._seen.add(signature)
        return outputs

    def take(self) -> tuple[float, ...]:
        """Milliseconds of the inferences since the last call."""
        taken, self._milliseconds = tuple(self._milliseconds), []
        return taken


# An interpreter belongs to one thread; a cluster's workers may have several.
_loaded = threading.local()


def _load(plan: WorkerPlan, content: bytes | None) -> tuple[Model, Stopwatch]:
    key = (plan.sha256, plan.threads, plan.runtime, plan.tokenizer, plan.scorer.form, plan.npu)
    if getattr(_loaded, "key", None) != key:
        model = Model(plan.path, plan.threads, runtime=plan.runtime, tokenizer=plan.tokenizer, content=content,
                      isolated=True, session=opener(plan.npu))
        loaded, model = model, cast(Model, plan.scorer.ready(model))
        if model is not loaded:
            loaded.session.close()
        model.session = stopwatch = Stopwatch(model.session)
        _loaded.key, _loaded.value = key, (model, stopwatch)
    value: tuple[Model, Stopwatch] = _loaded.value
    return value


def answer_shard(plan: WorkerPlan, shard: Sequence[Job], content: bytes | None = None) -> list[Outcome]:
    """One outcome per job, in their order. ``content`` is the model's where its path means nothing."""
    model, stopwatch = _load(plan, content)
    outcomes = []
    for index, example in shard:
        started = time.perf_counter()
        try:
            prediction = plan.scorer.predict(model, example)
        except MblError as error:
            raise type(error)(f"example {example.id or index}: {error}") from None
        total = 1000 * (time.perf_counter() - started)
        outcomes.append(Outcome(index, prediction, stopwatch.take(), total, model.take_cut()))
    return outcomes


def shards(jobs: Sequence[Job], size: int = SHARD) -> list[Sequence[Job]]:
    """``jobs`` in portions of ``size``."""
    return [jobs[first:first + size] for first in range(0, len(jobs), size)]


def run_here(plan: WorkerPlan, jobs: Sequence[Job]) -> Iterator[Outcome]:
    """In this process, one after the other."""
    for job in jobs:
        yield from answer_shard(plan, [job])


def run_processes(plan: WorkerPlan, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """In ``workers`` processes with an interpreter each, as they finish. Raises MblError when one of them dies."""
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _follow_parent)
    try:
        for future in as_completed(_submit(pool, shards(jobs), plan)):
            yield from future.result()
    except BrokenProcessPool:
        # The pool ends its workers, but not one that was just being started, and would wait for that for ever.
        for worker in set(multiprocessing.active_children()) - others:
            worker.kill()
        raise WorkerError("a worker process was ended from outside (out of memory?); try fewer --workers. "
                       "With --report, the same command goes on where this one stopped") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, portions: Sequence[Sequence[Job]], plan: WorkerPlan
            ) -> list[Future[list[Outcome]]]:
    """Hand the work to the pool. Raises BrokenProcessPool when a worker dies meanwhile."""
    try:
        return [pool.submit(answer_shard, plan, portion) for portion in portions]
    except (OSError, ValueError):
        # A worker starts as work is handed in. A pool that breaks just then closes its pipes under the next worker:
        # a closed file (OSError), or the number of one that was opened again since (ValueError).
        raise BrokenProcessPool from None


def _follow_parent() -> None:
    """End this worker when its parent is killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
