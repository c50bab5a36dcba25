"""The grammar of the command line, over all commands: one meaning for an option, words, sections, advice, reference."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import click
import pytest
from commands import mbl
from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
from command_reference import PAGE, commands

from mobilebert_lite.cli.command import RENAMED, Command, Option
from mobilebert_lite.cli.parameters import Location, OneOf, Several, WholeNumber

BIN = Path(sys.executable).parent
COMMANDS = dict(commands())
OPTIONS = [(name, one) for name, command in COMMANDS.items() for one in command.params if isinstance(one, Option)]
WORDS = [(name, one, kind) for name, one in OPTIONS if isinstance(kind := getattr(one.type, "each", one.type), OneOf)]
# Options whose values or defaults differ between commands, and why.
DIFFERENT = {
    "--seq-len": "convert makes signatures, bench chooses among them, train cuts texts",
    "--weights": "train also takes the name of a network to start from scratch",
    "--output": "a file, or a folder where a checkpoint is written",
    "--threads": "bench measures several numbers; train leaves TensorFlow all cores",
    "--task": "train knows fewer tasks",
    "--quantize": "train rounds in fewer modes, and only if asked",
    "--problem": "a checkpoint says which, examples do not",
    "--serial": "bench measures several phones side by side",
    "--npu": "convert and compile make a file for each, run and eval simulate one",
}


def identifiers(items: list[tuple[str, Option]]) -> list[str]:
    return [f"{name} {one.opts[0]}" for name, one in items]


def context_of(name: str) -> click.Context:
    return click.Context(COMMANDS[name], info_name=name)


def value_for(one: Option) -> list[str]:
    """Something that the option accepts."""
    if one.is_flag:
        return []
    kind = getattr(one.type, "each", one.type)
    return [kind.choices[0] if isinstance(kind, OneOf) else "1"] * one.nargs


def arguments_of(name: str) -> list[str]:
    """What the command cannot do without."""
    needed = [one for one in COMMANDS[name].params if one.required]
    return [word for one in needed
            for word in ([one.opts[0], *value_for(one)] if isinstance(one, Option) else ["x.tflite"])]


def test_the_reference_is_current(tmp_path: Path) -> None:
    """However wide the terminal is."""
    subprocess.run([sys.executable, ROOT / "scripts/command_reference.py", "--output", tmp_path / "page.md"],
                   check=True, env={**os.environ, "COLUMNS": "41"})
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8"), (
        "run python scripts/command_reference.py")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_is_complete(name: str) -> None:
    """Every command has a chapter, which names every option and says what it does."""
    [chapter] = re.findall(rf"^## {name}$(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    rows = [row.partition(" | ") for row in chapter.splitlines() if row.startswith("| `")]
    told = {option: help.rstrip("| ") for names, _, help in rows
            for option in re.findall(r"(?<![\w-])--?[\w-]+", names)}
    for one in COMMANDS[name].params:
        for option in (*one.opts, *one.secondary_opts) if isinstance(one, Option) else ():
            assert len(told[option]) > 10, option


@pytest.mark.parametrize(("name", "one"), OPTIONS, ids=identifiers(OPTIONS))
def test_every_option_belongs_to_a_section_and_says_what_it_does(name: str, one: Option) -> None:
    assert one.section != Option.section
    assert one.help
    record = one.get_help_record(context_of(name))
    assert record is not None
    assert record[1].endswith((".", "]"))
    assert not re.search(r"\b(TEXT|INTEGER|FLOAT|RANGE|WORD|PATH)$", record[0]) or one.metavar, record


def test_an_option_means_one_thing() -> None:
    """The same kind of value and the same default in every command."""
    found = defaultdict(set)
    for _, one in OPTIONS:
        found[one.opts[0]].add((one.is_flag, type(one.type), one.nargs, one.multiple, one.default, one.metavar,
                                getattr(one.type, "what", None), getattr(one.type, "words", None)))
    assert {option for option, meanings in found.items() if len(meanings) > 1} <= set(DIFFERENT)


@pytest.mark.parametrize("old", RENAMED)
def test_old_spellings_are_told_the_new_one(old: str) -> None:
    told = []
    for name, command in COMMANDS.items():
        known = {option for one in command.params for option in one.opts}
        now = [option for option in RENAMED[old] if option in known]
        if now and old not in known:
            told += now
            done = mbl(*name.split()[1:], *arguments_of(name), old, "1")
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.splitlines()[-1] == f"Error: No such option '{old}'; it is called '{now[0]}' now."
    assert set(told) == set(RENAMED[old])


NEEDY = [(name, one) for name, one in OPTIONS if one.needs]


@pytest.mark.parametrize(("name", "one"), NEEDY, ids=identifiers(NEEDY))
def test_options_that_would_be_passed_over_are_refused(name: str, one: Option) -> None:
    known = {option for other in COMMANDS[name].params for option in other.opts}
    assert set(one.needs) <= known
    given = [*arguments_of(name), one.opts[0], *value_for(one)]
    with pytest.raises(click.UsageError, match=rf"^{one.opts[0]} needs {' or '.join(one.needs)}$"):
        COMMANDS[name].make_context(name, list(given))
    for needed in one.needs:
        other = next(each for each in COMMANDS[name].params if needed in each.opts)
        assert isinstance(other, Option)
        COMMANDS[name].make_context(name, [*given, needed, *value_for(other)])


@pytest.mark.parametrize(("name", "one", "kind"), WORDS, ids=identifiers([(name, one) for name, one, _ in WORDS]))
def test_words_of_a_list(name: str, one: Option, kind: OneOf) -> None:
    """They are in the help, accepted in any case and completed; another is a usage error that lists them."""
    context = context_of(name)
    record = one.get_help_record(context)
    assert record is not None
    assert all(word in " ".join(record) for word in kind.shown())
    for word in kind.choices:
        assert one.type.convert(word.upper(), one, context) in (word, (word,))
    assert [item.value for item in one.type.shell_complete(context, one, kind.choices[-1][:2].upper())][-1] == (
        kind.choices[-1])
    wrong = kind.choices[0] + "x"
    with pytest.raises(click.BadParameter) as refused:
        one.type.convert(wrong, one, context)
    assert refused.value.exit_code == 2
    assert f"unknown {kind.what} '{wrong}'; known are {', '.join(kind.choices)}" in str(refused.value)
    assert f"Did you mean {kind.choices[0]}?" in str(refused.value)


def test_several_values() -> None:
    """With commas, with the option repeated, or both; each counts once."""
    bench, convert = COMMANDS["mbl bench"], COMMANDS["mbl convert"]
    context = bench.make_context("bench", ["--threads", "1,4", "--threads", "2,4", "--accelerator", "CPU,gpu", "m"])
    assert (context.params["threads"], context.params["accelerators"]) == ((1, 4, 2), ("cpu", "gpu"))
    context = bench.make_context("bench", ["--seq-len", "Mixed,128", "m"])
    assert context.params["lengths"] == (0, 128)
    for given in (["--seq-len", "384,128"], ["--seq-len", "384", "--seq-len", "128"]):
        assert convert.make_context("convert", given).params["lengths"] == ((384, 128), 0)
    with pytest.raises(click.BadParameter, match="auto:K chooses all lengths"):
        convert.make_context("convert", ["--seq-len", "384", "--seq-len", "auto:2"])
    kind = Several(WholeNumber(mixed=0))
    assert [item.value for item in Several(OneOf("x", lambda: ("one", "two"))).shell_complete(
        context, bench.params[0], "two,O")] == ["two,one"]
    with pytest.raises(click.BadParameter, match="each must be 1 or more"):
        kind.convert("128,0", None, None)


def test_places_are_completed_as_files() -> None:
    one = next(one for one in COMMANDS["mbl convert"].params if one.name == "weights")
    assert [item.type for item in Location().shell_complete(context_of("mbl convert"), one, "my-")] == ["file"]
    assert isinstance(one.type, Location)


@pytest.mark.parametrize(("line", "expected"), [
    ("mbl con", ["convert"]),
    ("mbl convert --quantize I", ["int8", "int8-full", "int16x8", "int4"]),
    ("mbl convert --max-", ["--max-drop"]),
    ("mbl android a", ["assets"]),
    ("mbl inspect m.tflite --client mlperf,medi", ["mlperf,mediapipe"]),
    ("mbl bench m.tflite --device pixel7", ["pixel7", "pixel7pro", "pixel7a"]),
])
def test_completion_in_bash(line: str, expected: list[str]) -> None:
    """By the line that the document gives, in the shell itself."""
    text = (ROOT / "docs/reference/completion.md").read_text(encoding="utf-8")
    [setup] = re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    words = line.split()
    script = (f"{setup}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}\n"
              "_mbl_completion mbl\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stderr
    found = done.stdout.split()
    assert found == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_of_other_shells(shell: str) -> None:
    """The documented variable makes the program print a script for that shell."""
    text = (ROOT / "docs/reference/completion.md").read_text(encoding="utf-8")
    assert f"_MBL_COMPLETE={shell}_source mbl" in text
    done = subprocess.run([BIN / "mbl"], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "_MBL_COMPLETE": f"{shell}_source"})
    assert done.returncode == 0
    assert f"_MBL_COMPLETE={shell}_complete" in done.stdout


def test_sections_of_the_help() -> None:
    """In the order in which a reader decides; one column of options for all sections."""
    shown = mbl("train", "--help").stdout
    titles = re.findall(r"^(\w[\w ]*):$", shown, re.MULTILINE)
    assert titles == ["Data", "Network", "Optimization", "Distillation", "Quantization", "Resources", "Output", "Other"]
    starts = {len(line) - len(line.lstrip()) for line in shown.splitlines() if re.match(r" {10,}\S", line)}
    assert len(starts) == 1
    assert isinstance(COMMANDS["mbl train"], Command)
