"""Recipes and public names are what the documents say. tests/docs runs the examples."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from conftest import ROOT

import mobilebert_lite
from mobilebert_lite.quantization.recipe import ACTIVATIONS, WEIGHTS, WORD_TABLES, Recipe, Rule, parse_recipe

PAGE = ROOT / "docs" / "reference" / "python.md"


def test_recipes_page() -> None:
    """Its recipe is one, and its tables name every field and every value."""
    text = (ROOT / "docs" / "reference" / "recipes.md").read_text(encoding="utf-8")
    [recipe] = re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(parse_recipe("page", recipe).rules) == 2
    for kind in (Recipe, Rule):
        assert {f"`{field.name}`" for field in fields(kind)} - {"`name`"} <= set(re.findall(r"`\w+`", text))
    assert {f"`{value}`" for values in (WEIGHTS, ACTIVATIONS, WORD_TABLES) for value in values} <= set(
        re.findall(r"`[\w-]+`", text))


def test_public_names() -> None:
    """Every one can be had, the page and the list name the same ones, and nothing is imported before."""
    shown = set(re.findall(r"^from mobilebert_lite import (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for line in shown for name in line.split(", ")} <= set(mobilebert_lite.__all__)
    assert all(getattr(mobilebert_lite, name) is not None for name in mobilebert_lite.__all__)
    assert set(mobilebert_lite.__all__) <= set(dir(mobilebert_lite))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = mobilebert_lite.nonsense


def test_importing_is_light() -> None:
    """Neither the package nor what runs a file imports TensorFlow; the package alone not even NumPy."""
    code = ("import sys, mobilebert_lite; assert 'numpy' not in sys.modules; "
            "from mobilebert_lite import Model, Session, inspect, MblError; assert 'tensorflow' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


def test_types_go_with_the_package() -> None:
    assert (Path(mobilebert_lite.__file__).parent / "py.typed").exists()
