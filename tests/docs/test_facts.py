"""Tables, paths and messages on the pages are those of the code."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from markdown_pages import DOCS, ROOT, name, pages

from mobilebert_lite.fusion.pipeline import CALIBRATED, LAST_RULES, NPU_RULES, RULES
from mobilebert_lite.quantization.recipe import MODES, load_recipe

TOP = "mobilebert_lite|converters|benchmarks|android_demo|scripts|tests|docs|examples"
# What is made by a build, or named as an example of a new file.
MADE = {"android_demo/core/target", "mobilebert_lite/fusion/my_rule.py", "mobilebert_lite/doctor/my_client.py",
        "mobilebert_lite/quantization/recipes/my-mode.json"}


def rows(page: Path, first: str) -> list[list[str]]:
    """The cells of the table on ``page`` whose header begins with ``first``."""
    lines = page.read_text(encoding="utf-8").split(f"\n| {first}")[1].splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split(" | ")]
            for line in lines[2:next((i for i, line in enumerate(lines) if i and not line.startswith("|")), None)]]


@pytest.mark.parametrize("page", [page for page in pages() if name(page) not in ("docs/architecture.md",
                                                                                  "CHANGELOG.md")], ids=name)
def test_paths_exist(page: Path) -> None:
    """Files of the repository that a page names in backquotes."""
    named = {path.rstrip("/") for path in re.findall(rf"`((?:{TOP})/[\w./-]+)`", page.read_text(encoding="utf-8"))}
    missing = sorted(path for path in named - MADE if not (ROOT / path).exists())
    assert not missing


@cache
def templates() -> tuple[str, ...]:
    """Every text in the code, with … in place of what is filled in."""
    found = []
    for folder in ("mobilebert_lite", "converters", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…"
                                         for part in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return tuple(found)


def test_messages_are_those_of_the_code() -> None:
    """Every message on the page of errors."""
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    messages = [line.split(" | ")[0].removeprefix("| `").removesuffix("`").strip() for line in lines]
    assert len(messages) > 30
    unknown = [message for message in messages if not any(message in template for template in templates())]
    assert not unknown, "\n".join(unknown)


def test_thresholds() -> None:
    table = json.loads((ROOT / "mobilebert_lite" / "quantization" / "thresholds.json").read_text(encoding="utf-8"))
    written = {row[0].split("`")[0]: (float(row[1].rstrip(" %")) / 100, float(row[2]))
               for row in rows(DOCS / "explanation" / "quantization.md", "mode | same answers")}
    assert written == {mode: (one["agreement"], one["error"]) for mode, one in table.items()}


def test_modes_are_listed() -> None:
    for page, first in (("how-to/convert.md", "`--quantize`"), ("explanation/quantization.md", "mode | dense")):
        assert tuple(row[0].split("`")[0] for row in rows(DOCS / page, first)) == MODES


def test_rules_by_mode() -> None:
    """Which calibrated rules each recipe asks for."""
    written = {mode: (row[1], row[2]) for row in rows(DOCS / "explanation" / "equalization.md", "mode | rule")
               for mode in re.findall(r"[\w-]+", row[0])}
    expected = {}
    for mode in MODES:
        recipe = load_recipe(mode)
        rule = "equalize" if recipe.equalize else "center" if recipe.float16 else "none"
        expected[mode] = rule, "yes" if recipe.float16 else "no"
    assert written == expected


def test_every_fusion_rule_is_explained_in_its_order() -> None:
    text = (DOCS / "explanation" / "fusion.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## ([a-z-]+)$", text, re.MULTILINE)
    assert headings == [*RULES, *LAST_RULES, *(rule for rule in NPU_RULES if rule not in LAST_RULES)]
    assert all(f"`{rule}`" in text for rule in CALIBRATED)


def test_extras() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = {row[0] for row in rows(DOCS / "how-to" / "install.md", "extra")}
    assert listed == set(project["optional-dependencies"]) - {"all", "dev", "docs"}


def test_figure_is_drawn_from_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import readme_figure

    drawn = readme_figure.draw(readme_figure.PAGE.read_text(encoding="utf-8"))
    assert drawn == readme_figure.OUTPUT.read_bytes(), "run scripts/readme_figure.py"
