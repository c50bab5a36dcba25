"""What `pip install mobilebert-lite` brings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, so that nothing left over in ``build/`` gets in."""
    source, output = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source)
    for name in ("mobilebert_lite", "converters", "benchmarks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", output, source],
                   check=True, capture_output=True, text=True)
    [path] = output.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's contents as pip lays them out."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target,
                    wheel], check=True, capture_output=True, text=True)
    return target


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """Python outside the checkout, with the wheel before everything else."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=folder, timeout=120,
                          env={**os.environ, "PYTHONPATH": str(installed)})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_name_in_site_packages(wheel: Path) -> None:
    """``converters`` at the top would collide with anybody's."""
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"mobilebert_lite"}
    assert len(top) == 2


def test_everything_is_inside(wheel: Path) -> None:
    """Each module and each data file of the checkout, and nothing that was compiled or cached."""
    expected = set()
    for top, place in ((ROOT / "mobilebert_lite", "mobilebert_lite"),
                       (ROOT / "converters", "mobilebert_lite/converters"),
                       (ROOT / "benchmarks", "mobilebert_lite/benchmarks")):
        # Comparisons run from the checkout are no part of what is installed.
        expected |= {f"{place}/{path.relative_to(top).as_posix()}" for path in top.rglob("*")
                     if path.is_file() and not {"__pycache__", "suites"} & set(path.parts)}
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert sorted(expected - found) == []
    assert sorted(found - expected) == []


def test_import_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = ("import mobilebert_lite.tflite.container as module, mobilebert_lite\n"
            "print(module.__file__); print(mobilebert_lite.__file__)")
    lines = run(installed, tmp_path, "-c", code).splitlines()
    assert all(line.startswith(f"{installed}/mobilebert_lite/") for line in lines)
    assert len(lines) == 2


def test_data_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    """Recipes, thresholds, calibration texts and the bundled checkpoints are found as resources."""
    code = ("from mobilebert_lite.quantization.recipe import MODES, load_recipe\n"
            "from mobilebert_lite.conversion.verify import load_threshold\n"
            "from mobilebert_lite.datasets.reading import builtin_examples\n"
            "from mobilebert_lite.converters.checkpoints import DEMONSTRATIONS, load_checkpoint\n"
            "for mode in MODES: load_recipe(mode), load_threshold(mode)\n"
            "from mobilebert_lite.benchmarks.phone.profiles import find_profile\n"
            "find_profile('pixel4')\n"
            "for task in DEMONSTRATIONS:\n"
            "    print(len(builtin_examples(task)) > 8, load_checkpoint(None, task).weights.heads)")
    assert run(installed, tmp_path, "-c", code) == "True ('qa',)\nTrue ('classifier',)\n"


def test_the_command_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    text = run(installed, tmp_path, str(installed / "bin" / "mbl"), "--help")
    assert text.startswith("Usage: mbl ")
