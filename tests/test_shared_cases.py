"""What is kept for the Kotlin core was written by this package, as it is now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CORE = ROOT / "android_demo/core/src"


def _run(script: str, *arguments: object) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / script, *map(str, arguments)], check=True, capture_output=True)


def test_the_kept_cases_are_current(tmp_path: Path) -> None:
    kept = CORE / "test/resources/cases"
    _run("shared_cases.py", "--small", "--output", tmp_path)
    names = {path.name for path in kept.iterdir() if path.is_file()}
    assert names == {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert "tokenizer-demo.json" in names
    for name in names:
        assert (kept / name).read_bytes() == (tmp_path / name).read_bytes(), \
            f"run: python scripts/shared_cases.py --small --output {kept.relative_to(ROOT)}"


def test_the_character_table_is_current(tmp_path: Path) -> None:
    _run("character_table.py", "--output", tmp_path / "characters.txt")
    kept = CORE / "main/resources/org/mobilebertlite/core/characters.txt"
    assert kept.read_bytes() == (tmp_path / "characters.txt").read_bytes(), "run: python scripts/character_table.py"
