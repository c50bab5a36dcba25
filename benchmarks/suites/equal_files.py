"""Measure a file against itself, many times: how often does `mbl bench` see a difference that is not there?

    python benchmarks/suites/equal_files.py out/cases/classification.tflite --times 200 --load 2

Each time is a whole measurement of the file and of a copy in processes of their own, as `mbl bench FILE COPY` makes it.
``--load`` keeps so many other processes busy meanwhile: half of the time each, in stretches of random length, which
makes latencies of two peaks. With ``--check`` the exit code is 1 if more than 5 % of the intervals leave out 1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from results import save

from mobilebert_lite.benchmarks.bench import BenchRequest, bench
from mobilebert_lite.benchmarks.reports.compare import FASTER, SLOWER, Comparison, within

MOST_OUTSIDE = 0.05


def work(seed: int) -> None:
    """Compute, and rest, in stretches of up to half a second."""
    drawn = random.Random(seed)
    values = np.random.default_rng(seed).standard_normal((128, 128))
    while True:
        until = time.monotonic() + drawn.uniform(0.01, 0.5)
        while time.monotonic() < until:
            values @ values
        time.sleep(drawn.uniform(0.01, 0.5))


@contextmanager
def loaded(count: int) -> Iterator[None]:
    """``count`` processes at work while the block lasts."""
    others = [multiprocessing.get_context("spawn").Process(target=work, args=(seed,), daemon=True)
              for seed in range(count)]
    for one in others:
        one.start()
    try:
        yield
    finally:
        for one in others:
            one.kill()
            one.join()


def measure(model: Path, times: int, runs: int, threads: int) -> Iterator[Comparison]:
    """A copy of ``model`` against it, ``times`` times."""
    with tempfile.TemporaryDirectory(prefix="mbl-") as folder:
        copy = Path(folder) / "copy.tflite"
        shutil.copyfile(model, copy)
        request = BenchRequest((model, copy), runs=runs, seconds=0.0, warm_up=20, threads=(threads,))
        for _ in range(times):
            yield from within(bench(request))


def summary(found: Sequence[Comparison]) -> dict[str, float]:
    """Shares of intervals that leave out 1 and of verdicts, and how wide the intervals are."""
    low, value, high = (np.array([getattr(one.ratio, name) for one in found]) for name in ("low", "value", "high"))
    return {"times": len(found), "outside": float(np.mean((low > 1) | (high < 1))),
            "judged": float(np.mean([not one.doubts for one in found])),
            "called different": float(np.mean([one.verdict in (FASTER, SLOWER) for one in found])),
            "least ratio": float(value.min()), "greatest ratio": float(value.max()),
            "median width": float(np.median(high / low))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--load", type=int, default=0, help="other processes at work")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=Path, help="every interval, and the summary")
    options = parser.parse_args()
    found: list[Comparison] = []
    with loaded(options.load):
        for one in measure(options.model, options.times, options.runs, options.threads):
            found.append(one)
            print(f"{len(found)}: {one.ratio.value:.3f} ({one.ratio.low:.3f}-{one.ratio.high:.3f}) {one.verdict}",
                  ", ".join(one.doubts), flush=True)
    told = summary(found)
    print(json.dumps(told, indent=1))
    save(options.json, {**told, "each": [one.to_json() for one in found]})
    return int(options.check and told["outside"] > MOST_OUTSIDE)


if __name__ == "__main__":
    sys.exit(main())
