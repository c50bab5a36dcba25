"""Evaluation on a cluster of two processes: the same report as here, whoever dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import distributed
import pytest

from mobilebert_lite.datasets.reading import builtin_examples
from mobilebert_lite.errors import DataError, MblError
from mobilebert_lite.evaluation import cluster
from mobilebert_lite.evaluation.evaluate import EvalRequest, evaluate

Converted = Callable[[str, str], Path]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty labeled texts."""
    path = tmp_path_factory.mktemp("data") / "texts.jsonl"
    examples = builtin_examples("classification")
    path.write_text("".join(json.dumps({"text": f"{examples[i % len(examples)].text} {i}", "label": "alarm"}) + "\n"
                            for i in range(80)))
    return path


@pytest.fixture
def two_workers() -> Iterator[Any]:
    """A scheduler and two worker processes on this machine."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as local:
        yield local


def without_timing(report: Any) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name != "timing"}


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "SHARD", 4)


def test_a_worker_dies(converted: Converted, texts: Path, two_workers: Any, small_shards: None) -> None:
    request = EvalRequest(converted("classification", "none"), texts)
    here = evaluate(request)
    with distributed.Client(two_workers) as client:
        workers = list(client.run(os.getpid).values())
    assert len(set(workers)) == 2
    assert os.getpid() not in workers
    killed = []

    def kill_one(done: int, total: int) -> None:
        if done and not killed:
            killed.append(done)
            os.kill(workers[0], signal.SIGKILL)

    there = evaluate(replace(request, cluster=two_workers.scheduler_address), kill_one)
    assert killed
    assert killed[0] < 80
    assert without_timing(there.report) == without_timing(here.report)
    assert there.predictions == here.predictions


def test_what_the_cluster_finished_is_kept(converted: Converted, texts: Path, two_workers: Any, small_shards: None,
                                           tmp_path: Path) -> None:
    """The one who asked is interrupted; later it goes on without the cluster."""
    request = EvalRequest(converted("classification", "none"), texts, report=tmp_path / "report.json")

    def until(done: int, total: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(replace(request, cluster=two_workers.scheduler_address), until)
    resumed = evaluate(request)
    assert resumed.report["timing"]["resumed"] == 20
    assert without_timing(resumed.report) == without_timing(evaluate(replace(request, report=None)).report)


def test_the_command(converted: Converted, texts: Path, two_workers: Any) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("mbl"), "eval", converted("classification", "none"), "--data", texts,
         "--cluster", two_workers.scheduler_address, "--json"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["metrics"]["total"] == 80
    assert report["timing"]["workers"] == two_workers.scheduler_address


def test_errors_cross_the_network(converted: Converted, two_workers: Any, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"text": "\\u200b", "label": "music", "id": "empty"}\n')
    with pytest.raises(DataError, match="example empty: the text"):
        evaluate(EvalRequest(converted("classification", "none"), data, cluster=two_workers.scheduler_address))


def test_nobody_answers(converted: Converted, texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 2)
    with pytest.raises(MblError, match=r"no Dask scheduler answers at tcp://127.0.0.1:9"):
        evaluate(EvalRequest(converted("classification", "none"), texts, cluster="tcp://127.0.0.1:9"))
