"""The programs and the notebook in examples/ run."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from markdown_pages import ROOT

FOLDER = ROOT / "examples"


def load(name: str) -> ModuleType:
    """The program ``name`` as a module, without running its ``main``."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_classify_texts(tmp_path: Path) -> None:
    assert load("classify_texts").main(tmp_path) == ["GetWeather", "BookRestaurant", "PlayMusic"]
    assert (tmp_path / "intents.tflite").exists()


@pytest.mark.slow
def test_compare_modes(tiny_classifier: Path) -> None:
    found = load("compare_modes").main(str(tiny_classifier))
    assert found["none"][0] > found["fp16"][0] > found["dynamic"][0]
    assert found["none"][1] < found["dynamic"][1]


def test_random_network() -> None:
    assert load("random_network").main() < 1e-4


NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its code runs from top to bottom, and it is stored without outputs."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) >= (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            exec(compile("".join(cell["source"]), f"{path.name}[{number}]", "exec"), names)


def test_there_is_a_notebook_and_programs_are_tested() -> None:
    assert NOTEBOOKS
    assert {path.stem for path in FOLDER.glob("*.py")} == {"classify_texts", "compare_modes", "random_network"}
