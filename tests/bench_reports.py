"""A report of two files in four settings, with samples of a known distribution."""

from __future__ import annotations

import numpy as np

from mobilebert_lite.benchmarks.reports.result import (
    BenchOptions,
    BenchReport,
    Configuration,
    Device,
    File,
    Latencies,
    Loading,
    Memory,
    OperatorTime,
    Run,
    Runtime,
    Snapshot,
)

COUNT = 120
# Of the files' latencies, in the order of their names.
MEDIANS_MS = {"int8.tflite": 9.0, "dynamic.tflite": 11.0}


def make_report(profile: str = "host", title: str = "A processor", emulated: bool = False,
                factor: float = 1.0) -> BenchReport:
    """Lengths 128 and 64, one and two threads; each a group of both files in turn. ``factor`` slows everything."""
    rng = np.random.default_rng(7)
    runs = []
    for group, (length, threads) in enumerate((length, threads) for length in (128, 64) for threads in (1, 2)):
        for i, (name, median) in enumerate(MEDIANS_MS.items()):
            scale = factor * median * length / 128 / threads ** 0.8
            durations = 1e3 * scale * np.exp(0.04 * rng.standard_normal(COUNT))
            offsets = 4e6 * group + 3e4 * np.arange(COUNT) + 1e4 * i
            runs.append(Run(
                File(name, f"{i}" * 64, 25_000_000 + i, "qa", name.split(".")[0], "mobilebert-lite 0"),
                Device(profile, title, title, cores=8, emulated=emulated), Configuration(length, threads),
                Runtime("ai-edge-litert", "2.3.0"), group, Loading(90e3, 15e3, 900, 895, 1), (9e3,) * 20,
                Latencies(tuple(offsets), tuple(durations), (length,) * COUNT, tuple(int(k) for k in range(COUNT))),
                environment=tuple(Snapshot(4e6 * group + 1e6 * k, 30.0 + k + group, 0, {"7": 2_800_000 - 50_000 * k})
                                  for k in range(4)),
                memory=Memory(120_000_000, 40_000_000),
                operators=(OperatorTime("FULLY_CONNECTED", "", 100, 6e3, 70.0),
                           OperatorTime("SOFTMAX", "", 24, 2e3, 30.0))))
    return BenchReport("2026-01-02T03:04:05+00:00", "mobilebert-lite 0", BenchOptions(COUNT, 0.0, 200, texts=64,
                                                                           mean_tokens=38.0), tuple(runs))
