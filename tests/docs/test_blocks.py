"""Every block of code in the pages is run, or checked as far as it can be here."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from commands import mbl
from markdown_pages import ROOT, Block, blocks, commands, every_block, name, pages

from mobilebert_lite.benchmarks.phone.profiles import _read as read_profiles
from mobilebert_lite.cli import cli
from mobilebert_lite.tflite.flatbuffer import read_model, write_model

# What stands behind ``` on the pages; others would be colored wrongly, or escape the tests.
LANGUAGES = {"python", "sh", "console", "json", "toml", "text", "kotlin", "java", "bash", "zsh", "fish"}
# Programs that the pages call besides mbl, make, pip and python.
PROGRAMS = {"adb", "cd", "cat", "cp", "export", "git", "gradle", "./gradlew", "ls", "model-explorer", "unzip"}
SHELL = every_block("sh", "console")
PYTHON = every_block("python")
# Pages whose conversions take half a minute and more.
LONG = {"docs/how-to/clients.md", "docs/how-to/convert.md"}
RUN = sorted({block.page for block in (*SHELL, *PYTHON) if block.not_run is None and block.language != "console"})


def test_blocks_have_a_language() -> None:
    found = [f"{block}: {block.language!r}" for page in pages() for block in blocks(page)
             if block.language not in LANGUAGES]
    assert not found


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_shell(block: Block) -> None:
    """Every command, option, value, target and extra exists."""
    listed = list(commands(block))
    assert listed, f"{block} holds no command"
    for words in listed:
        check(words, str(block))


def check(words: list[str], where: str) -> None:
    """Raise AssertionError unless the command is one that could be given."""
    words = [word for word in words if not re.fullmatch(r"[A-Z_]+=.*", word)] or ["export"]
    for separator in ("|", ">", "<", "&&", "||"):
        if separator in words:
            place = words.index(separator)
            check(words[:place], where)
            words = words[place + 1:] if separator in ("|", "&&", "||") else ["cat"]
    program, *arguments = words
    if Path(program).name == "mbl":
        parse(cli, "mbl", arguments, where)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(arguments) <= set(targets), f"{where}: make {' '.join(set(arguments) - set(targets))}"
    elif Path(program).name in ("pip", "pip3"):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        asked = {extra for word in arguments for names in re.findall(r"\[([\w,-]+)\]", word)
                 for extra in names.split(",")}
        assert asked <= set(project["optional-dependencies"]), f"{where}: {asked}"
    elif Path(program).name.startswith("python"):
        scripts = [word for word in arguments if word.endswith(".py")]
        assert all((ROOT / script).is_file() for script in scripts), f"{where}: {scripts}"
        assert scripts or arguments[:1] in (["-m"], ["-c"]), f"{where}: {words}"
    elif (ROOT / program).is_file():
        assert os.access(ROOT / program, os.X_OK), f"{where}: {program} cannot be executed"
    else:
        assert program in PROGRAMS, f"{where}: {program} is no program that the pages may call"


def parse(command: click.Command, called: str, arguments: list[str], where: str) -> None:
    """Let click read ``arguments`` as ``mbl`` would, without doing anything."""
    try:
        # --help and --version print and end; all else is read with its types.
        context = command.make_context(called, list(arguments), resilient_parsing=False)
    except click.exceptions.Exit:
        return
    except click.ClickException as error:
        raise AssertionError(f"{where}: {called} {' '.join(arguments)}: {error.format_message()}") from None
    with context:
        if isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            inner = command.get_command(context, rest[0])
            assert inner is not None, f"{where}: there is no command {rest[0]}"
            parse(inner, f"{called} {rest[0]}", rest[1:], where)


@pytest.mark.parametrize(("words", "message"), [
    ("mbl convert --wieghts x", "No such option"), ("mbl convert --quantize int9", "int9"), ("mbl shrink", "shrink"),
    ("mbl android instal x", "instal"), ("make tea", "make tea"), ("pip install '.[coffee]'", "coffee"),
    ("python scripts/none.py", "none.py"), ("brew install x", "brew")])
def test_wrong_commands_are_found(words: str, message: str) -> None:
    """The check above can fail."""
    [found] = commands(Block("page", 1, "sh", words, None))
    with pytest.raises(AssertionError, match=message):
        check(found, "page:1")


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_compiles_and_imports(block: Block) -> None:
    """Names that a block imports from this package exist."""
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mobilebert_lite"):
            module = importlib.import_module(str(node.module))
            missing = [one.name for one in node.names if not hasattr(module, one.name)]
            assert not missing, f"{block}: {node.module} has no {missing}"


@pytest.mark.parametrize("block", every_block("json"), ids=str)
def test_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", every_block("toml"), ids=str)
def test_toml_describes_a_phone(block: Block) -> None:
    assert read_profiles(block.text)


@pytest.fixture(scope="module")
def stage(tiny_qa: Path, tiny_classifier: Path, converted: Callable[[str, str], Path],
          tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages name: checkpoints, files, and data of a few lines."""
    folder = tmp_path_factory.mktemp("stage")
    shutil.copytree(tiny_qa, folder / "my-mobilebert")
    shutil.copytree(tiny_classifier, folder / "my-classifier")
    for target, source in {"qa.tflite": ("qa", "int8"), "intents.tflite": ("classification", "int8")}.items():
        shutil.copyfile(converted(*source), folder / target)
    # As another converter writes it: no signature, no metadata, no vocabulary.
    stock = read_model(converted("qa", "none").read_bytes())
    stock.signatureDefs, stock.metadata = [], []
    (folder / "stock.tflite").write_bytes(write_model(stock))
    (folder / "mobilebert_lite").symlink_to(ROOT / "mobilebert_lite")
    shutil.copy(folder / "my-mobilebert" / "vocab.txt", folder)
    article = {"title": "walls", "paragraphs": [{"context": "The red wall is two metres high.", "qas": [
        {"id": f"q{i}", "question": question, "answers": [{"text": answer, "answer_start": start}]}
        for i, (question, answer, start) in enumerate([
            ("What is red?", "wall", 8), ("How high is the wall?", "two metres", 16)])]}]}
    (folder / "dev.json").write_text(json.dumps({"version": "1.1", "data": [article]}), encoding="utf-8")
    (folder / "page.txt").write_text("The red wall is two metres high.\n", encoding="utf-8")
    rows = [f"{text}\t{label}" for label in ("music", "weather", "alarm") for text in (
        f"play the {label} now", f"what is the {label} today", f"make it {label} again", f"this is {label}")]
    (folder / "train.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")
    shutil.copy(folder / "train.tsv", folder / "dev.tsv")
    return folder


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] if page in LONG else [])
                                  for page in RUN])
def test_page_runs(page: str, stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks, from top to bottom, in one folder: shell commands and Python alike."""
    folder = tmp_path / "page"
    shutil.copytree(stage, folder, symlinks=True)
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(ROOT / page):
        if block.not_run is not None:
            continue
        if block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)
        elif block.language == "sh":
            for words in commands(block):
                run(words, folder, str(block))


def run(words: list[str], folder: Path, where: str) -> None:
    """Run a command of a page in ``folder``."""
    if words[0] == "mbl" and not {"|", ">"} & set(words) and not any("$(" in word for word in words):
        done = mbl(*words[1:], cwd=folder)
    else:
        line = " ".join(word if word in ("|", ">", "&&") or ("$(" in word and " " not in word) else _quoted(word)
                        for word in words)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(["bash", "-c", line], cwd=folder, text=True, capture_output=True, check=False,
                              timeout=300, env={**os.environ, "PATH": path})
    assert done.returncode == 0, f"{where}: {' '.join(words)}\n{done.stdout}\n{done.stderr}"


def _quoted(word: str) -> str:
    """In double quotes, so that ``$(…)`` is still replaced."""
    return '"' + re.sub(r'(["\\`])', r"\\\1", word) + '"'


def test_pages_run_something() -> None:
    """The pages that begin with a task are run; a marker on every block would leave nothing."""
    assert {"docs/tutorial.md", "docs/reference/python.md", "docs/how-to/inspect.md", "docs/how-to/convert.md",
            "docs/how-to/evaluate.md", "docs/how-to/doctor.md"} <= set(RUN)
    assert name(ROOT / "README.md") == "README.md"
