"""Several modes of one checkpoint: their names, all files or none, one table; and which file a search keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import mbl

from mobilebert_lite.conversion.choice import Trial, best, by_score, by_size, by_speed, undominated
from mobilebert_lite.conversion.modes import names
from mobilebert_lite.errors import RequestError
from mobilebert_lite.running.model import Model


def test_names() -> None:
    assert names(Path("out/model.tflite"), ("int8", "none")) == {
        "int8": Path("out/model-int8.tflite"), "none": Path("out/model-none.tflite")}
    with pytest.raises(RequestError, match=r"2 files cannot be named after it"):
        names(Path("/dev/null"), ("int8", "none"))


def test_several_modes(tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reading of the checkpoint, one network that answers, a file and a row for each mode."""
    monkeypatch.setenv("COLUMNS", "120")
    report = tmp_path / "report.json"
    done = mbl("convert", "--weights", tiny_classifier, "--seq-len", 32, "--quantize", "none,fp16",
               "-o", tmp_path / "m.tflite", "--report", report)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("reading the checkpoint") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m-fp16.tflite", "m-none.tflite", "report.json"]
    found = json.loads(report.read_text())["files"]
    assert [one["mode"] for one in found] == ["none", "fp16"]
    for one in found:
        path = Path(one["output"])
        assert Model(path).labels
        assert path.stat().st_size == one["bytes"]
        assert one["milliseconds"] > 0
        assert "litert" in one["clients"]
        assert one["provenance"]["recipe"]["name"] == one["mode"]
    assert done.stdout.splitlines()[-1] == f'next: mbl run {tmp_path / "m-none.tflite"} --text "…"'


def test_all_or_nothing(tiny_classifier: Path, tmp_path: Path) -> None:
    """The tiny checkpoint is too narrow for int4; what stood there stays."""
    (tmp_path / "m-none.tflite").write_bytes(b"before")
    done = mbl("convert", "--weights", tiny_classifier, "--seq-len", 32, "--quantize", "none,int4",
               "-o", tmp_path / "m.tflite", "--report", tmp_path / "report.json")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: --quantize int4: ")
    assert [path.name for path in tmp_path.iterdir()] == ["m-none.tflite"]
    assert (tmp_path / "m-none.tflite").read_bytes() == b"before"


@pytest.mark.parametrize(("extra", "said"), [
    (("--report", "m-fp16.tflite"), "would hold both --report and the fp16 file"),
    (("--recipe", "own.json"), "--recipe is one mode"),
    (("--quantize", "float16"), "unknown quantization 'float16'"),
])
def test_requests_that_fail_at_once(tiny_classifier: Path, tmp_path: Path, extra: tuple[str, str], said: str) -> None:
    done = mbl("convert", "--weights", tiny_classifier, "--quantize", "none,fp16", "-o", tmp_path / "m.tflite",
               extra[0], tmp_path / extra[1] if extra[0] == "--report" else extra[1])
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "reading" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def trial(name: str, right: float = 0.9, size: int = 100, milliseconds: float = 10.0) -> Trial:
    """200 examples, of which the share ``right`` is right, and 40 latencies that scatter by 10 %."""
    rows = 100.0 * (np.arange(200) < 200 * right)
    rng = np.random.default_rng(len(name) * 7 + ord(name[0]))
    return Trial(name, size, milliseconds * rng.uniform(0.9, 1.1, 40), 200, lambda chosen: float(rows[chosen].mean()))


def test_ties_are_decided_by_intervals() -> None:
    a, level, slow = trial("a"), trial("b", milliseconds=10.05), trial("c", milliseconds=13)
    assert by_speed(a, level) == by_speed(level, a) == 0
    assert (by_speed(a, slow), by_speed(slow, a)) == (1, -1)
    assert by_score(a, trial("d", right=0.905)) == 0
    assert (by_score(a, trial("e", right=0.5)), by_score(trial("e", right=0.5), a)) == (1, -1)
    assert (by_size(a, trial("f", size=101)), by_size(trial("f", size=80), a)) == (0, 1)


@pytest.mark.parametrize(("others", "kept"), [
    ([trial("b", milliseconds=10.05, size=80)], "b"),            # level in speed, smaller
    ([trial("b", milliseconds=13.0, size=80)], "a"),             # smaller, but slower
    ([trial("b", milliseconds=7.0, size=300)], "b"),             # faster
    ([trial("b", milliseconds=10.05, right=1.0)], "b"),          # level in speed and size, a better score
    ([trial("b", milliseconds=10.05, size=80), trial("c", milliseconds=13.0, size=20)], "b"),
])
def test_the_best(others: list[Trial], kept: str) -> None:
    assert best([trial("a"), *others]).name == kept
    assert best([*others[::-1], trial("a")]).name == kept


def test_pareto() -> None:
    a, b = trial("a"), trial("b", milliseconds=10.05, right=0.905)
    worse, smaller = trial("c", milliseconds=13), trial("d", milliseconds=13, size=50)
    found: Callable[[Trial], bool] = lambda one: undominated(one, [a, b, worse, smaller])  # noqa: E731
    assert [found(one) for one in (a, b, worse, smaller)] == [True, True, False, True]
