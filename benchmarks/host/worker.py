"""The child process that runs a model: JSON lines in, JSON lines out.

    python -m mobilebert_lite.benchmarks.host.worker

A crash or an endless loop in native code ends here and not in the command line. Requests: load, inputs, run,
memory, profile. While it runs, {"do": "stop"} ends the run early; the end of standard input ends the process.
"""

from __future__ import annotations

import json
import os
import queue
import random
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.benchmarks.host.engines import Engine, open_engine
from mobilebert_lite.benchmarks.reports.result import CPU
from mobilebert_lite.errors import MblError
from mobilebert_lite.running.isolation.limits import limit_memory, memory_limit
from mobilebert_lite.running.runtime import load_runtime

# Samples are reported in portions, so that the reader does not compete for a processor with every inference.
_REPORT_S = 0.1

Message = dict[str, Any]


class Worker:
    """One loaded model."""

    def __init__(self, say: Callable[[Message], None]) -> None:
        self.say = say
        self.stopped = threading.Event()
        self.engine: Engine | None = None
        # (signature, arrays, tokens)
        self.inputs: list[tuple[str, dict[str, np.ndarray], int]] = []

    def answer(self, request: Message) -> Message:
        """The last message to one request; others may come before."""
        return {"load": self.load, "inputs": self.take_inputs, "run": self.run, "memory": self.memory,
                "profile": self.profile}[request["do"]](request)

    def load(self, request: Message) -> Message:
        """{path, threads, accelerator, xnnpack, cpus, runtime}"""
        if request["cpus"]:
            os.sched_setaffinity(0, request["cpus"])
        load_runtime(request["runtime"])  # its import is no part of the time
        baseline = peak_memory()
        if request["accelerator"] == CPU:  # drivers of GPUs reserve addresses without end
            limit_memory(memory_limit(Path(request["path"]).stat().st_size))
        started = time.perf_counter()
        self.engine = engine = open_engine(*(request[name] for name in (
            "path", "threads", "accelerator", "xnnpack", "runtime")))
        load_us = 1e6 * (time.perf_counter() - started)
        nodes, delegated, partitions = engine.delegation()
        return {"load_us": load_us, "baseline_bytes": baseline, "runtime": engine.name, "version": engine.version,
                "signatures": engine.signatures(), "word_rows": engine.word_rows(), "nodes": nodes,
                "delegated": delegated, "partitions": partitions}

    def take_inputs(self, request: Message) -> Message:
        """{inputs: [[signature, {name: nested lists}, tokens], …]}; runs each signature once."""
        assert self.engine is not None
        kinds = self.engine.signatures()  # files of other toolkits may read int64
        self.inputs = [(signature, {name: np.array(value, kinds[signature][name][0]) for name, value in arrays.items()},
                        tokens) for signature, arrays, tokens in request["inputs"]]
        first: dict[str, float] = {}
        for signature, arrays, _ in self.inputs:
            if signature not in first:
                self.engine.feed(signature, arrays)
                first[signature] = 1e6 * self.engine.invoke(signature)
        return {"first_us": next(iter(first.values()))}

    def run(self, request: Message) -> Message:
        """{count, seconds, first}: messages {samples: [[start, µs, tokens], …]} until both are reached."""
        assert self.engine is not None
        move()
        feed, invoke, inputs = self.engine.feed, self.engine.invoke, self.inputs
        count, first, samples = request["count"], request["first"], []
        started = reported = now = time.monotonic()
        done = 0
        while not self.stopped.is_set() and (done < count or now - started < request["seconds"]):
            signature, arrays, tokens = inputs[(first + done) % len(inputs)]
            feed(signature, arrays)
            begun = time.monotonic()
            samples.append((begun, 1e6 * invoke(signature), tokens))
            done += 1
            now = time.monotonic()
            if now - reported >= _REPORT_S:
                self.say({"samples": samples})
                samples, reported = [], now
        self.stopped.clear()
        return {"samples": samples, "done": done}

    def profile(self, request: Message) -> Message:
        """{path, threads, xnnpack, cpus, signature, arrays, runs}; needs no load."""
        from mobilebert_lite.benchmarks.host.profiler import profile

        if request["cpus"]:
            os.sched_setaffinity(0, request["cpus"])
        arrays = {name: np.array(value, np.int32) for name, value in request["arrays"].items()}
        limit_memory(memory_limit(Path(request["path"]).stat().st_size))
        return {"summary": profile(request["path"], request["threads"], request["xnnpack"], request["signature"],
                                   arrays, runs=request["runs"])}

    def memory(self, request: Message) -> Message:
        """{}"""
        return {"peak_bytes": peak_memory()}


def move() -> None:
    """Go on with this thread on one of its processors, drawn at random.

    The kernel leaves a thread where it is. On a machine with other work one process would stay beside it for a whole
    measurement, and be slower than an equal one for no reason of its own.
    """
    if hasattr(os, "sched_setaffinity"):
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {random.choice(sorted(allowed))})
        os.sched_setaffinity(0, allowed)


def peak_memory() -> int:
    """Most bytes that were resident in this process. ``getrusage`` would count what the parent had when it forked."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _listen(requests: queue.Queue[Message], stopped: threading.Event) -> None:
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if request["do"] == "stop":
            stopped.set()
        else:
            requests.put(request)
    os._exit(0)  # whoever started us has gone


def _error(error: Exception) -> Mapping[str, str]:
    lines = str(error).strip().splitlines()
    return {"error": lines[0] if lines else type(error).__name__, "kind": type(error).__name__}


def main() -> None:
    """Serve until standard input ends."""
    # Native libraries write to descriptor 1 as they like; answers go where it led before.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(message: Message) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    worker, requests = Worker(say), queue.Queue[Message]()
    threading.Thread(target=_listen, args=(requests, worker.stopped), daemon=True).start()
    while True:
        request = requests.get()
        try:
            say({**worker.answer(request), "end": True})
        except (MblError, ValueError, RuntimeError, TypeError, KeyError, MemoryError, OSError) as error:
            say({**_error(error), "end": True})


if __name__ == "__main__":
    main()
