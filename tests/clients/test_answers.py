"""Each client loads our files, or refuses them for the reason that is documented, and answers as ``mbl run`` does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from conftest import Find
from table import CASES, FILES, render

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "clients.md"
# Greatest difference of a number, of the largest. Of the same file: runtimes of one make compute the same bits, other
# builds of XNNPACK add in another order (float32 rounding over 24 layers), and round int8 otherwise: a step of an int8
# tensor is 1/255 of its range, and QA scores are two logits.
FLOAT, INT8 = 1e-4, 0.05


@pytest.mark.parametrize(("client", "name", "mode", "refusal"), CASES, ids=lambda value: str(value) or "loads")
def test_client(outcome: Find, client: str, name: str, mode: str, refusal: str) -> None:
    found = outcome(client, name, mode)
    if refusal:
        assert re.search(refusal, found.refusal), f"expected it to refuse the file; it said {found.refusal!r}"
        return
    assert not found.refusal
    assert found.examples >= 200
    assert {one.reason for one in found.differences} <= {"tie"}, found.differences
    assert {one.reason for one in found.from_reference} <= {"tie", "tokens", "search"}
    # Ties are few, or they would hide what is wrong; none where nothing is rounded.
    assert len(found.differences) <= (0 if mode == "none" else 2)
    assert found.error <= (FLOAT if mode == "none" else INT8)


@pytest.mark.parametrize(("client", "name"), [("task-library", "qa"), ("mediapipe", "sst2")])
def test_the_tokenizers_differ_on_some_texts(outcome: Find, client: str, name: str) -> None:
    """Or the comparison would say nothing about them."""
    assert outcome(client, name, "none").other_tokens >= 10


def test_documented_table(outcome: Find) -> None:
    """The table in docs/clients.md is what this run found; out/clients.md holds that, and out/clients.json the rest."""
    outcomes = {case[:3]: outcome(*case[:3]) for case in CASES}
    lines = render(outcomes)
    folder = ROOT / "out"
    folder.mkdir(exist_ok=True)
    (folder / "clients.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "clients.json").write_text(json.dumps([
        {"client": client, "file": f"{name} {mode}", **{key: value for key, value in vars(found).items()
                                                        if key not in ("differences", "from_reference")},
         "differences": [vars(one) for one in found.differences],
         "from_reference": [vars(one) for one in found.from_reference]}
        for (client, name, mode), found in outcomes.items()], indent=1, ensure_ascii=False), encoding="utf-8")
    written = DOCUMENT.read_text(encoding="utf-8").splitlines()
    missing = [line for line in lines if line not in written]
    assert not missing, f"docs/clients.md does not say (the whole is in out/clients.md):\n{chr(10).join(missing)}"


def test_every_file_is_asked_everywhere() -> None:
    """No file is left out of a client that takes its task."""
    for client in ("task-library", "ai-edge-litert Interpreter", "ai-edge-litert CompiledModel", "tflite-runtime"):
        assert {case[1:3] for case in CASES if case[0] == client} >= set(FILES), client
