"""Whether ``mbl bench`` tells the truth: its figures beside a direct loop, and what each sample costs on top.

    python benchmarks/suites/harness.py MODEL.tflite --check --json out/harness.json

The runner's child and a plain loop over the interpreter in another process take turns, some inferences each, so that
the machine is the same to both. --check fails when the 95 % interval of the ratio of their latencies (by the median of
the samples) lies outside 1 ± 2 %, or when the harness spends 1 % or more of a sample's time between samples.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from results import save

from mobilebert_lite.benchmarks.host.runner import HostRunner
from mobilebert_lite.benchmarks.measuring.runner import Input, Sample
from mobilebert_lite.benchmarks.measuring.texts import inputs_of, read_texts
from mobilebert_lite.benchmarks.reports.result import Configuration
from mobilebert_lite.benchmarks.reports.statistics import ratio
from mobilebert_lite.benchmarks.subject import read_subject

MOST_RATIO, MOST_OVERHEAD = 0.02, 0.01

# The ten lines that anybody would write; {ids}, {mask} and {segments} are one text. Prints seconds as asked for.
DIRECT = """
import sys, time, json, numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=int(sys.argv[2]))
interpreter.allocate_tensors()
given = json.loads(sys.stdin.readline())
for detail in interpreter.get_input_details():
    name = next(name for name in given if name in detail["name"])
    interpreter.set_tensor(detail["index"], np.array(given[name], np.int32))
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        started = time.perf_counter(); interpreter.invoke(); times.append(time.perf_counter() - started)
    print(json.dumps(times), flush=True)
"""


class Direct:
    """The plain loop, in a process of its own as the runner's is."""

    def __init__(self, path: Path, threads: int, one: Input) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", DIRECT, str(path), str(threads)], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                         # As the runner's child: on a busy machine a session's share of it counts.
                                         start_new_session=True)
        # Names are looked for inside the tensors' names: "mask" and "segment_ids" before "ids".
        arrays = {name: one.arrays[name].tolist() for name in sorted(one.arrays, key=len, reverse=True)}
        self._ask(json.dumps(arrays))

    def _ask(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def run(self, count: int) -> np.ndarray:
        """Microseconds of ``count`` inferences."""
        assert self._process.stdout is not None
        self._ask(str(count))
        return 1e6 * np.array(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def measure(path: Path, threads: int, turns: int, count: int) -> dict[str, object]:
    """Ratio of the harness's latency to the loop's, and the share of time between its samples."""
    subject = read_subject(path)
    length = max(subject.lengths)
    [one, *_] = inputs_of(subject.task, subject.tokenizer, read_texts(None, subject.task), subject.entries, length)
    prepared = HostRunner().prepare(path, Configuration(length, threads), [one])
    direct = Direct(path, threads, one)
    ours: list[np.ndarray] = []
    theirs: list[np.ndarray] = []
    between: list[float] = []
    try:
        for turn in range(-2, turns):
            for which in (0, 1) if turn % 2 else (1, 0):
                if which:
                    loop = direct.run(count)
                else:
                    samples = list(_samples(prepared.run(count, 0.0)))
            if turn >= 0:
                ours.append(np.array([sample.duration_us for sample in samples]))
                theirs.append(loop)
                between += _between(samples)
    finally:
        prepared.close()
        direct.close()
    found = ratio(theirs, ours, "p50", paired=True)
    median = float(np.median(np.concatenate(ours)))
    return {"model": path.name, "threads": threads, "length": length, "samples": turns * count,
            "loop_us": float(np.median(np.concatenate(theirs))), "harness_us": median,
            "ratio": found.interval.to_json(), "between_us": float(np.median(between)),
            "overhead": float(np.median(between)) / median}


def _samples(found: Iterator[object]) -> Iterator[Sample]:
    return (one for one in found if isinstance(one, Sample))


def _between(samples: list[Sample]) -> list[float]:
    """Microseconds from the end of each sample to the beginning of the next: inputs copied in, notes taken."""
    return [1e6 * (after.started_s - before.started_s) - before.duration_us
            for before, after in pairwise(samples)]


def agrees(found: dict[str, object]) -> bool:
    """Whether the interval of the ratio reaches into 1 ± 2 %, and the overhead stays below 1 %."""
    interval = found["ratio"]
    assert isinstance(interval, dict)
    return (interval["low"] <= 1 + MOST_RATIO and interval["high"] >= 1 - MOST_RATIO
            and float(str(found["overhead"])) < MOST_OVERHEAD)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--threads", nargs="+", type=int, default=[1])
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--count", type=int, default=20, help="inferences in each turn")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(path, threads, options.turns, options.count)
            for path in options.models for threads in options.threads]
    print(json.dumps(rows, indent=1))
    save(options.json, rows)
    return int(options.check and not all(agrees(row) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
