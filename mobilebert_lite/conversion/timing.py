"""How fast files are beside each other on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.datasets.reading import evenly
from mobilebert_lite.running.model import Model

# Inferences of each file, in turn with those of the others.
ROUNDS, TEXTS = 5, 8


def typical(times: np.ndarray) -> float:
    """One figure of what ``latencies`` gives of a file: the median over the texts of the fastest of their inferences.

    Other work on the machine interrupts some of them for several times as long as they take.
    """
    return float(np.median(times.reshape(ROUNDS, -1).min(axis=0)))


def latencies(paths: Mapping[str, Path], examples: Sequence[Any]) -> dict[str, np.ndarray]:
    """Name → milliseconds of inferences on some of ``examples``, one thread.

    The files take turns, so that all see the same machine: entry i of each was measured at the same time.
    """
    models = {name: Model(path) for name, path in paths.items()}
    first = next(iter(models.values()))
    features = [one for example in evenly(examples, TEXTS)
                for one in first.task.features(first.tokenizer, example, first.longest)[:1]]
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(ROUNDS + 1):
        for one in features:
            # In alternating order: what the one leaves behind falls on the other as well.
            for name, model in list(models.items())[::-1 if turn % 2 else 1]:
                started = time.perf_counter()
                model.run(one)
                if turn:  # the first prepares the signatures
                    times[name].append(1000 * (time.perf_counter() - started))
    return {name: np.array(values) for name, values in times.items()}
