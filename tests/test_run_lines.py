"""``mbl run`` on many lines, at a prompt, and on texts that are longer than the model."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from commands import mbl

FileOf = Callable[[str, str], Path]

# Checkpoint -> JSON lines, and options that ask the same of a single run.
LINES: dict[str, list[tuple[dict[str, Any], tuple[str, ...]]]] = {
    "multi-label": [({"text": "the battery"}, ("--text", "the battery")),
                    ({"sentence1": "the", "sentence2": "battery"}, ("--text", "the", "--pair", "battery"))],
    "token-classification": [({"text": "the battery may last"}, ("--text", "the battery may last"))],
    "multiple-choice": [({"prompt": "the battery", "choices": ["one day", "two"]},
                         ("--text", "the battery", "--choice", "one day", "--choice", "two"))],
    "next-sentence": [({"text": "the battery", "text_pair": "day"}, ("--text", "the battery", "--pair", "day"))],
    "fill-mask": [({"sentence": "the [MASK] last"}, ("--text", "the [MASK] last"))],
    "regression": [({"premise": "the battery", "hypothesis": "one"}, ("--text", "the battery", "--pair", "one"))],
}


def rows_of(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


@pytest.mark.parametrize("name", LINES)
def test_every_task_answers_lines_as_it_answers_one(file_of: FileOf, tmp_path: Path, name: str) -> None:
    path, given = file_of(name, "none"), tmp_path / "lines.jsonl"
    asked = [{"id": f"n{i}", **fields} for i, (fields, _) in enumerate(LINES[name])]
    given.write_text("\ufeff" + "\n\n".join(map(json.dumps, asked)) + "\r\n", encoding="utf-8")
    done = mbl("run", path, "--input", given)
    assert done.returncode == 0, done.stderr
    rows = rows_of(done.stdout)
    assert [(row["line"], row["id"]) for row in rows] == [(1 + 2 * i, f"n{i}") for i in range(len(asked))]
    for row, (_, options) in zip(rows, LINES[name], strict=True):
        assert row["result"] == json.loads(mbl("run", path, *options, "--json").stdout)


def test_a_bad_line_is_named_and_loses_no_other(converted: Callable[[str, str], Path], tmp_path: Path) -> None:
    good = {"question": "what?", "context": "the battery"}
    lines = [json.dumps(good).encode(), b"not JSON", b"[1]", b'{"question": "what?"}', b'{"question": "caf\xe9"}',
             json.dumps({**good, "context": ["x"]}).encode(), b'{"question": "\\ud800", "context": "x"}',
             json.dumps({**good, "question": " "}).encode(), json.dumps(good).encode()]
    (tmp_path / "lines").write_bytes(b"\n".join(lines))
    done = mbl("run", converted("qa", "none"), "--input", tmp_path / "lines")
    assert done.returncode == 1
    rows = rows_of(done.stdout)
    assert [row["line"] for row in rows] == list(range(1, 10))
    assert ["result" in row for row in rows] == [i in (0, 8) for i in range(9)]
    assert rows[0]["result"] == rows[8]["result"]
    for row, reason in zip(rows[1:8], ("not JSON", "no JSON object", "give it question and context", "not UTF-8",
                                       'context is ["x"]; it must be a text', "half a surrogate pair",
                                       "the question ' ' holds no words"), strict=True):
        assert reason in row["error"]
        assert f"Error: {tmp_path / 'lines'}, line {row['line']}: {row['error']}\n" in done.stderr
    assert done.stderr.endswith("· 9 lines, 7 without an answer\n")


def test_lines_of_text(converted: Callable[[str, str], Path]) -> None:
    """One field is left open: texts, questions about one context, contexts of one question."""
    done = mbl("run", converted("classification", "none"), "--input", "-", input="the battery\n\nlasts {\n")
    assert (done.returncode, [row["line"] for row in rows_of(done.stdout)]) == (0, [1, 3])
    path = converted("qa", "none")
    for option, other in (("--context", "--question"), ("--question", "--context")):
        done = mbl("run", path, "--input", "-", option, "the battery", "--top", 2, input="may last\nthe day\n")
        single = mbl("run", path, option, "the battery", other, "the day", "--top", 2, "--json")
        assert rows_of(done.stdout)[1] == {"line": 2, "result": json.loads(single.stdout)}
    assert "lines of text are questions with --context" in mbl("run", path, "--input", "-", input="x\n").stderr
    for wrong in (("--text", "x"), ("--question", "x", "--context", "y")):
        refused = mbl("run", path, "--input", "-", *wrong, input="x\n")
        assert (refused.returncode, refused.stdout) == (2, "")
    missing = mbl("run", path, "--input", "/nowhere", "--context", "x")
    assert (missing.returncode, missing.stderr) == (1, "Error: cannot read /nowhere: No such file or directory\n")


def test_what_is_cut_is_said(file_of: FileOf, converted: Callable[[str, str], Path], tmp_path: Path) -> None:
    """Texts, pairs and choices beyond the longest signature; windows lose nothing, but questions do."""
    long = "battery " * 60
    for name, cut, whole in (("raw logits", ("--text", long), ("--text", "battery")),
                             ("multiple-choice", ("--text", "x", "--choice", long, "--choice", "y"),
                              ("--text", "x", "--choice", "a", "--choice", "b")),
                             ("token-classification", None, ("--text", long))):
        path = file_of(name, "none")
        if cut is not None:
            done = mbl("run", path, *cut, "--json")
            assert done.returncode == 0
            assert all(row["cut"] is True for row in json.loads(done.stdout))
            assert done.stderr == ("Warning: the text is longer than the model reads (its longest sequence has 48 "
                                   "tokens): the end of the text was left out\n")
        done = mbl("run", path, *whole, "--json")
        assert done.stderr == ""
        assert not any("cut" in row for row in json.loads(done.stdout))
    path = converted("qa", "none")
    assert mbl("run", path, "--question", "what?", "--context", long * 3).stderr == ""
    assert "the question is longer" in mbl("run", path, "--question", long * 3, "--context", "battery").stderr
    (tmp_path / "lines").write_text(f"battery\n{long}\n")
    done = mbl("run", file_of("raw logits", "none"), "--input", tmp_path / "lines")
    assert ["cut" in row for row in rows_of(done.stdout)] == [False, True]
    assert done.stderr == "· 2 lines, 1 cut: longer than the 48 tokens that the model reads\n"


def command(*arguments: object) -> list[str]:
    return [str(Path(sys.executable).with_name("mbl")), "run", *map(str, arguments)]


def test_a_closed_pipe_ends_it_quietly(converted: Callable[[str, str], Path], tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("the battery\n" * 2000)
    asked = command(converted("classification", "none"), "--input", tmp_path / "lines")
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["line"] == 1
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


def test_an_answer_comes_before_the_next_line_and_an_interruption_is_no_error(
        converted: Callable[[str, str], Path]) -> None:
    asked = command(converted("classification", "none"), "--input", "-")
    with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for number in (1, 2):
            process.stdin.write(b"the battery\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["line"] == number
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read().strip() == b""


def talk(asked: Sequence[str], typed: Sequence[tuple[str, bytes]]) -> tuple[int, str]:
    """What a terminal shows, and the exit code: each of ``typed`` is sent once its prompt stands there.

    The last one, which ends the command, is typed again after a while, as people do: readline shows its prompt a moment
    before it waits, and does not see an interruption in between.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.execv(asked[0], list(asked))
    shown, sent, ends = "", 0.0, time.monotonic() + 100
    waiting = list(typed)
    while time.monotonic() < ends:
        if waiting and shown.endswith(waiting[0][0]):
            os.write(terminal, waiting.pop(0)[1])
            shown += "\0"
            sent = time.monotonic()
        elif not waiting and time.monotonic() > sent + 5:
            os.write(terminal, typed[-1][1])
            sent = time.monotonic()
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 4096).decode()
            except OSError:
                break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def test_a_terminal_is_asked(converted: Callable[[str, str], Path]) -> None:
    """A context and several questions about it; an empty line begins anew, Ctrl-D ends."""
    path = converted("qa", "none")
    code, shown = talk(command(path, "--no-null"), [
        ("context> ", b"the battery\n"), ("question> ", b"what?\n"), ("question> ", b"\n"), ("context> ", b"one day\n"),
        ("question> ", b"when?\n"), ("question> ", b"\x04")])
    assert code == 0
    assert "qa: the span of a context that answers a question. Ctrl-D ends." in shown
    for question, context in (("what?", "the battery"), ("when?", "one day")):
        assert mbl("run", path, "--no-null", "--question", question, "--context", context).stdout.strip() in shown
    asked = command(converted("classification", "none"), "--top", 1)
    code, shown = talk(asked, [("text> ", b"\n"), ("text> ", b"\x03")])
    assert (code, "Error" in shown, shown.count("text>")) == (130, False, 2)
