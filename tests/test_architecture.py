"""The house is as docs/architecture.md draws it, its rooms are small, and names say one thing."""

from __future__ import annotations

import ast
import re
import statistics
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from conftest import ROOT

import mobilebert_lite

TOPS = ("mobilebert_lite", "converters", "benchmarks")
LINKS = ("mobilebert_lite/converters", "mobilebert_lite/benchmarks")
# Names that a reader meets in one place alone, each with what they mean there.
_MOST_POSITIONAL = 5


def modules() -> list[Path]:
    """Every module of the package once; the comparisons under benchmarks/suites are programs of their own."""
    found = [path for top in TOPS for path in sorted((ROOT / top).rglob("*.py"))]
    return [path for path in found if not path.relative_to(ROOT).as_posix().startswith((*LINKS, "benchmarks/suites"))]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def layers(container: str) -> list[str]:
    """Folders and modules of ``container`` from the roof down, as pyproject.toml's contract of imports has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layered] = [one["layers"] for one in contracts if one.get("containers") == [container]]
    return [name for layer in layered for name in layer.split(" | ")]


def test_links_make_the_import_path_a_file_path() -> None:
    for link in map(ROOT.joinpath, LINKS):
        assert link.is_symlink()
        assert (link / "__init__.py").is_file()


@pytest.mark.parametrize(("title", "container", "folder"), [
    ("The package", "mobilebert_lite", "mobilebert_lite"),
    ("Readers of checkpoints", "mobilebert_lite.converters", "converters"),
    ("The benchmark harness", "mobilebert_lite.benchmarks", "benchmarks")])
def test_the_tables_of_folders_match_the_tree(title: str, container: str, folder: str) -> None:
    """One row for each folder and module, in the order of the contract that ``make lint`` holds."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    [section] = re.findall(rf"^### {title}\n(.*?)(?=^#|\Z)", page, re.DOTALL | re.MULTILINE)
    names = re.findall(r"^\| `([\w/.]+)` \|", section, re.MULTILINE)
    rows = [name.removesuffix(".py").removesuffix("/") for name in names]
    assert rows == layers(container)
    there = {path.name for path in (ROOT / folder).iterdir() if (path / "__init__.py").is_file()}
    there |= {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__"}
    assert set(rows) == there - {"data", "suites"}


def test_rooms_are_small() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules()]
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in modules()]
    assert statistics.median(lengths) <= 150
    assert max(lengths) <= 330
    assert statistics.median(node.end_lineno - node.lineno + 1 for tree in trees for node in functions(tree)
                             if node.end_lineno) <= 10
    assert len(list((ROOT / "mobilebert_lite").glob("*.py"))) <= 6


def test_few_arguments_by_position() -> None:
    """Of a call with more than five, a reader does not know which is which. Commands of click are called by name."""
    long = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in functions(tree):
            names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > _MOST_POSITIONAL and not any("command" in ast.unparse(one) for one in node.decorator_list):
                long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name} takes {count}")
    assert long == []


def test_classes_have_names_of_their_own() -> None:
    named = Counter(node.name for path in modules() for node in ast.parse(path.read_text(encoding="utf-8")).body
                    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    assert [name for name, count in named.items() if count > 1] == []


def test_fields_of_public_records_are_documented() -> None:
    """``help()`` shows the docstring of a class, and nothing of the comments beside its fields."""
    for name in mobilebert_lite.__all__:
        record = getattr(mobilebert_lite, name)
        if isinstance(record, type) and is_dataclass(record):
            told = re.findall(r"^(?:    )?(\w+): \S", record.__doc__ or "", re.MULTILINE)
            assert [one.name for one in fields(record) if not one.name.startswith("_")] == told, name
