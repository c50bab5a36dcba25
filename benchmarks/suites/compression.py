"""Trained checkpoints made smaller without training, beside uniform and magnitude pruning, by score.

    python benchmarks/suites/compression.py --only snips_qa --speedups 1.3 1.5 --check

Every network is scored in float on the evaluation data; "times" are multiplications of the full network over those of
the smaller one. "uniform" keeps the same share of units in each feed-forward network, chosen and refitted as ours;
"magnitude" keeps the units with the greatest product of their two weights' lengths, over all networks, as they are.
With --check, fails where ours loses more than is allowed, or another one is clearly better.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from results import save
from stored import DATA
from trained_checkpoints import CASES, Case

from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.compression.choice import MULTIPLE, Ranking
from mobilebert_lite.compression.cost import multiplications
from mobilebert_lite.compression.cutting import Kept, cut
from mobilebert_lite.compression.limit import Limit
from mobilebert_lite.compression.pipeline import Compressible, CompressRequest, prepare, ranked, smaller
from mobilebert_lite.compression.refit import rebuild

# Points that may be lost at 1.3 times fewer multiplications.
SPEEDUP, ALLOWED = 1.3, 0.5


@dataclass(frozen=True)
class Row:
    """One smaller network."""

    checkpoint: str
    method: str
    speedup: float
    metric: str
    full: float
    score: float
    seconds: float

    @property
    def lost(self) -> float:
        """Points of the score."""
        return self.full - self.score


@contextmanager
def quiet(message: str) -> Iterator[Callable[[int, int], None]]:
    yield lambda done, total: None


def uniform(material: Compressible, ranking: Ranking, speedup: float) -> Weights:
    """The same share of each feed-forward network, refitted."""
    weights = material.weights

    def keep(share: float) -> list[Kept]:
        return [Kept(tuple(range(block.heads)), tuple(
            ranking.curves[scope].kept(max(MULTIPLE, int(share * units) // MULTIPLE * MULTIPLE))
            for scope, units in zip(block.networks, block.feed_forward, strict=True)))
            for block in weights.config.blocks]

    return rebuild(weights, _fast_enough(material, keep, speedup), material.masking, material.texts)


def magnitude(material: Compressible, ranking: Ranking, speedup: float) -> Weights:
    """The largest units over all feed-forward networks, as they are."""
    weights, tensors = material.weights, material.weights.tensors
    sizes = {scope: np.linalg.norm(tensors[f"{scope}.intermediate.kernel"], axis=0)
             * np.linalg.norm(tensors[f"{scope}.output.kernel"], axis=1)
             for block in weights.config.blocks for scope in block.networks}
    everyone = np.sort(np.concatenate(list(sizes.values())))

    def keep(share: float) -> list[Kept]:
        least = everyone[min(int((1 - share) * len(everyone)), len(everyone) - 1)]
        kept = {}
        for scope, found in sizes.items():
            count = max(MULTIPLE, round(int((found >= least).sum()) / MULTIPLE) * MULTIPLE)
            kept[scope] = tuple(sorted(np.argsort(-found)[:count].tolist()))
        return [Kept(tuple(range(block.heads)), tuple(kept[scope] for scope in block.networks))
                for block in weights.config.blocks]

    return cut(weights, _fast_enough(material, keep, speedup))


def _fast_enough(material: Compressible, keep: Callable[[float], list[Kept]], speedup: float) -> list[Kept]:
    """The largest share of 0, 0.01, …, 1 with so many times fewer multiplications, or the smallest."""
    full = multiplications(material.weights, material.task, material.length)
    for share in np.arange(1.0, 0.0, -0.01):
        kept = keep(float(share))
        if full / multiplications(cut(material.weights, kept), material.task, material.length) >= speedup:
            return kept
    return kept


def ours(material: Compressible, ranking: Ranking, speedup: float) -> Weights:
    """What `mbl compress` makes."""
    return smaller(material, ranking, speedup, ("units", "heads", "blocks"), quiet)


METHODS = {"ours": ours, "uniform": uniform, "magnitude": magnitude}


def measure(case: Case, options: argparse.Namespace, folder: Path) -> Iterator[Row]:
    """Every method at every speedup."""
    started = time.monotonic()
    request = CompressRequest(str(DATA / "checkpoints/trained" / case.name), DATA / case.calibration, folder / "none",
                              1.0, length=case.length)
    material = prepare(request)
    ranking = ranked(material, quiet)
    judge = Limit(DATA / case.evaluation, limit=options.limit).judge(material.checkpoint, material.task,
                                                                   material.masking, case.length)
    full = judge.score(material.weights)
    shared = time.monotonic() - started
    for speedup in options.speedups:
        for name in options.methods:
            started = time.monotonic()
            small = METHODS[name](material, ranking, speedup)
            seconds = shared + time.monotonic() - started
            times = (multiplications(material.weights, material.task, case.length)
                     / multiplications(small, material.task, case.length))
            yield Row(case.name, name, times, judge.metric, full, judge.score(small), seconds)


def wrong(rows: list[Row]) -> list[str]:
    """Where ours is not as good as it must be."""
    found = []
    for row in rows:
        others = [other for other in rows if other.checkpoint == row.checkpoint and other.method != "ours"
                  and abs(other.speedup - row.speedup) < 0.05]
        if row.method != "ours":
            continue
        if abs(row.speedup - SPEEDUP) < 0.05 and row.lost > ALLOWED:
            found.append(f"{row.checkpoint} loses {row.lost:.2f} points at {row.speedup:.2f}×")
        found += [f"{row.checkpoint}: {other.method} is better at {row.speedup:.2f}×" for other in others
                  if other.score > row.score + ALLOWED / 2]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=["snips_qa", "snips_slots", "sst2"], help="names of checkpoints")
    parser.add_argument("--speedups", nargs="*", type=float, default=[1.3, 1.6, 2.0])
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    parser.add_argument("--limit", type=int, help="score so many examples, evenly over the data")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true", help="exit 1 where ours is not as good as it must be")
    options = parser.parse_args()
    if not DATA.exists():
        print(f"no data at {DATA}; set MBL_TEST_DATA", file=sys.stderr)
        return 2
    rows: list[Row] = []
    print(f"{'checkpoint':14} {'method':10} {'times':>6} {'metric':9} {'score':>7} {'full':>7} {'lost':>6} {'s':>5}")
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            for row in measure(case, options, Path(folder)) if case.name in options.only else ():
                rows.append(row)
                print(f"{row.checkpoint:14} {row.method:10} {row.speedup:6.2f} {row.metric:9} {row.score:7.2f} "
                      f"{row.full:7.2f} {row.lost:6.2f} {row.seconds:5.0f}", flush=True)
    save(options.json, [asdict(row) for row in rows])
    failures = wrong(rows)
    for line in failures:
        print(line)
    return int(options.check and bool(failures))


if __name__ == "__main__":
    sys.exit(main())
