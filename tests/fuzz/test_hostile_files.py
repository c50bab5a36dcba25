"""Every command on files that are wrong: one line and exit code 1 (0 where nothing is), soon, and nothing written."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from heads import save
from mutations import MUTATIONS, mutate

from mobilebert_lite import cli
from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert

MBL = Path(sys.executable).with_name("mbl")
SECONDS = 30
QUESTION, TEXT = "what is the rate", "the battery of my phone should last all day"
CASES = ("qa", "classification", "fill-mask")


@pytest.fixture(scope="session")
def files(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str], tiny_qa: Path, tiny_classifier: Path,
          tiny_questions: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """One of every kind of answer; two lengths and int8 in one of them."""
    folder = tmp_path_factory.mktemp("whole")
    words = save("fill-mask", tiny_config, tiny_vocabulary, folder)
    made = []
    for name, source, lengths, mode in (
            ("qa", tiny_qa, (32, 16), "int8"), ("classification", tiny_classifier, (16,), "none"),
            ("fill-mask", words, (16,), "dynamic")):
        path = folder / f"{name}.tflite"
        convert(ConvertRequest(path, str(source), lengths=lengths, quantize=mode,
                        calibration=tiny_questions if name == "qa" else None))
        made.append(path.read_bytes())
    return made


class Room:
    """A folder with the data to score on, in which nothing else may appear."""

    def __init__(self, folder: Path) -> None:
        self.inside, self.model = folder / "a" / "b", folder / "a" / "b" / "model.tflite"
        self.inside.mkdir(parents=True)
        self.folder = folder
        self.page, self.mended = self.inside / "page.html", self.inside / "mended.tflite"
        self.data = {"qa": {"question": QUESTION, "context": TEXT, "answers": ["battery"], "id": "1"},
                     "classification": {"text": TEXT, "label": "0"}, "fill-mask": {"text": TEXT}}
        for name, example in self.data.items():
            (self.inside / f"{name}.jsonl").write_text(f"{json.dumps(example)}\n")
        (folder / "outside").write_text("untouched")

    def commands(self, seed: int) -> list[list[str]]:
        """Each command, as for the whole file that ``seed`` starts from."""
        case = CASES[seed // len(MUTATIONS) % len(CASES)]
        asked = (["--question", QUESTION, "--context", TEXT] if case == "qa" else
                 ["--text", TEXT.replace("phone", "[MASK]"), "--pair", TEXT, "--choice", "one", "--choice", "two"])
        how = ([], ["--json"], ["--html", str(self.page)], ["--client", "all", "--min-runtime", "2.14"],
               ["--client", "task-library", "--json"], ["--client", "all", "--fix", str(self.mended)],
               ["--fix", str(self.mended), "--json"])
        # There are 7 of these and 16 mutations, so that all of them meet.
        # It looks at the machine before and after, which takes its time.
        bench = [["bench", str(self.model), "--runs", "1", "--warmup", "0"]] if seed % 5 == 0 else []
        return [*bench, ["inspect", str(self.model), *how[seed % len(how)]],
                ["run", str(self.model), *asked, *(["--json"] if seed % 3 == 0 else [])],
                ["eval", str(self.model), "--data", str(self.inside / f"{case}.jsonl")]]

    def here(self) -> dict[str, bytes]:
        """Every file and its content, but for the model and what a command was asked to write."""
        return {str(path): path.read_bytes() for path in self.folder.rglob("*")
                if path.is_file() and path not in (self.model, self.page, self.mended)}


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    made = Room(tmp_path)
    monkeypatch.chdir(made.inside)
    for name in ("HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(made.inside))
    return made


def called(arguments: list[str]) -> tuple[int, str]:
    """Exit code and stderr of ``main`` in this process."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            cli.main(arguments)
        except SystemExit as end:
            return (end.code if isinstance(end.code, int) else 1), errors.getvalue()
    raise AssertionError("main returned")


def executed(arguments: list[str]) -> tuple[int, str]:
    """Exit code and stderr of ``mbl``."""
    done = subprocess.run([MBL, *arguments], capture_output=True, text=True, timeout=6 * SECONDS,
                          env={**os.environ, "PYTHONWARNINGS": "default"})
    return done.returncode, done.stderr


def wrong(code: int, errors: str, seconds: float) -> str:
    """What is wrong with an outcome; nothing where it is as it should be."""
    # A file that is changed may say that it reads a shorter text than it is given.
    lines = [line for line in errors.splitlines() if not line.startswith(("· ", "Warning: the text is longer"))]
    if seconds > SECONDS:
        return f"took {seconds:.0f} s"
    if cli.FAULT in errors:
        return errors[-2000:]
    if code not in (0, 1):
        return f"exit code {code}: {errors[-300:]}"
    if code == 0:
        return f"exit code 0, but: {errors[-300:]}" if lines else ""
    if len(lines) != 1 or not lines[0].startswith("Error: ") or "\x1b" in errors:
        return f"not one line: {errors[-2000:]!r}"
    return ""


def survey(files: list[bytes], room: Room, seeds: Sequence[int], call: object = called) -> tuple[list[str], list[int]]:
    """What went wrong, and all exit codes."""
    problems, codes = [], []
    before = room.here()
    for seed in seeds:
        name, content = mutate(seed, files)
        room.model.write_bytes(content)
        for arguments in room.commands(seed):
            started = time.monotonic()
            try:
                code, errors = call(arguments)  # type: ignore[operator]
            except Exception as error:
                problems.append(f"seed {seed}, {name}: {arguments[0]}: {error!r}")
                continue
            codes.append(code)
            if found := wrong(code, errors, time.monotonic() - started):
                problems.append(f"seed {seed}, {name}: {arguments[0]}: {found}")
        if room.here() != before:
            problems.append(f"seed {seed}, {name}: files were written")
    return problems, codes


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """``main`` for many calls in one process: file descriptors and signals stay as they are."""
    monkeypatch.setattr(cli.streams, "hide_internals", lambda: None)
    monkeypatch.setattr(cli.signals, "watch", lambda: None)


def test_whole_files_are_read(files: list[bytes], room: Room, quiet: None) -> None:
    """What follows would say nothing if the files were refused before they are changed."""
    for i, content in enumerate(files):
        room.model.write_bytes(content)
        for arguments in room.commands(i * len(MUTATIONS)):
            # The doctor has something to say: they are too short for clients that want 384.
            assert called(arguments)[0] == ("--client" in arguments), arguments


@pytest.mark.fuzz
def test_a_sample(files: list[bytes], room: Room, quiet: None) -> None:
    problems, codes = survey(files, room, range(3, 27))
    assert not problems, "\n".join(problems)
    assert 0 in codes
    assert codes.count(1) > 15


def test_as_processes(files: list[bytes], room: Room) -> None:
    problems, _ = survey(files, room, (3, 21), executed)
    assert not problems, "\n".join(problems)
