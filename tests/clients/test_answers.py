"""Each client loads our files, or refuses them for the reason that is documented, and answers as ``mbl run`` does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from compare import File, Outcome, of_library, of_runtime
from conftest import EXHAUSTIVE, made_once
from ours import Example, RememberingModel, real_texts
from support import ask
from table import CASES, FILES, SAMPLE, comparable, render

from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.tflite.container import append_files, read_files
from mobilebert_lite.tflite.edits import set_metadata
from mobilebert_lite.tflite.flatbuffer import read_model, write_model
from mobilebert_lite.tflite.metadata import ENTRY, read_metadata
from mobilebert_lite.tflite.metadata_writer import pack_metadata

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "how-to" / "clients.md"
# Greatest difference of a number, of the largest. Of the same file: runtimes of one make compute the same bits, other
# builds of XNNPACK add in another order (float32 rounding over 24 layers), and round int8 otherwise: a step of an int8
# tensor is 1/255 of its range, and QA scores are two logits. The greatest of 210 texts was 0.086, in tflite-runtime.
FLOAT, INT8 = 1e-4, 0.12


# Texts for each file. The whole is `make test-all`.
COUNT = 210 if EXHAUSTIVE else 40
ASKED = CASES if EXHAUSTIVE else [case for case in CASES if case[1:3] in SAMPLE]
LIBRARIES = ("task-library", "mediapipe")
# Name → checkpoint under the test data's checkpoints/trained (empty: the bundled one), task, lengths, the most tokens
# that a text may have: SNIPS trains about 47 positions, SST-2 63.
SOURCES: dict[str, tuple[str, str, tuple[int, ...], int]] = {
    "qa": ("snips_qa", "qa", (384,), 47),
    "sst2": ("sst2", "classification", (64,), 63),
    "intents": ("", "classification", (64,), 63),
    "intents, two lengths": ("", "classification", (64, 32), 63),
}
# As --quantize and --min-runtime ask for it.
MODES: dict[str, tuple[str, str | None]] = {"none": ("none", None), "int8": ("int8", None),
                                            "int8, runtime 2.14": ("int8", "2.14")}

Made = Callable[[str, str], File]
Find = Callable[[str, str, str], Outcome]


@pytest.fixture(scope="session")
def made(shared: Callable[..., Path]) -> Made:
    """``made("sst2", "int8")``: the file of SOURCES in one of MODES, converted once."""
    @cache
    def make(name: str, mode: str) -> File:
        checkpoint, task, lengths, most = SOURCES[name]
        quantize, runtime = MODES[mode]
        weights = str(shared("checkpoints", "trained", checkpoint)) if checkpoint else None
        path = made_once(f"clients-{name}-{mode}.tflite".replace(" ", "-").replace(",", ""), lambda new: convert(
            ConvertRequest(new, weights, task=task, lengths=lengths, quantize=quantize, runtime=runtime)))
        model = RememberingModel(path)
        both = [model.as_(behavior) for behavior in ("reference", "phone")]

        def fits(example: Example) -> bool:
            return all(len(example) + 1 + sum(map(len, each.tokens(example))) <= most for each in both)

        return File(path, model, real_texts(shared, name.partition(",")[0], COUNT, fits))

    return make


@pytest.fixture(scope="session")
def outcome(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Find:
    """``outcome("mediapipe", "sst2", "int8")``: what the client made of the file, asked once."""
    folder = tmp_path_factory.mktemp("arrays")

    @cache
    def find(client: str, name: str, mode: str) -> Outcome:
        file = made(name, mode)
        return of_library(client, file) if client in LIBRARIES else of_runtime(client, file, folder)

    return find


@pytest.mark.parametrize(("client", "name", "mode", "refusal"), ASKED, ids=lambda value: str(value) or "loads")
def test_client(outcome: Find, client: str, name: str, mode: str, refusal: str) -> None:
    found = outcome(client, name, mode)
    if refusal:
        assert re.search(refusal, found.refusal), f"expected it to refuse the file; it said {found.refusal!r}"
        return
    assert not found.refusal
    assert found.examples >= COUNT - 10
    assert {one.reason for one in found.differences} <= {"tie"}, found.differences
    assert {one.reason for one in found.from_reference} <= {"tie", "tokens", "search"}
    # Ties are few, or they would hide what is wrong. On texts unlike those that it was trained on, a model of questions
    # wavers between spans. Which of them are tied, and so how many, is up to the processor.
    assert len(found.differences) <= 0.04 * found.examples + 3
    if mode == "none":
        assert all(one.gap <= 2 * FLOAT for one in found.differences if one.gap is not None)
    assert found.error <= (FLOAT if mode == "none" else INT8)


@pytest.mark.parametrize(("client", "name"), [("task-library", "qa"), ("mediapipe", "intents")])
def test_the_tokenizers_differ_on_some_texts(outcome: Find, client: str, name: str) -> None:
    """Or the comparison would say nothing about them."""
    assert outcome(client, name, "none").other_tokens >= COUNT / 20


@pytest.mark.skipif(not EXHAUSTIVE, reason="the table is of all texts: make test-all")
def test_documented_table(outcome: Find) -> None:
    """docs/how-to/clients.md has the table that this run found; out/clients.json has every difference."""
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
    written = {comparable(line) for line in DOCUMENT.read_text(encoding="utf-8").splitlines()}
    missing = [line for line in lines if comparable(line) not in written]
    assert not missing, "not in docs/how-to/clients.md (all rows: out/clients.md):\n" + "\n".join(missing)


def test_the_table_is_compared_without_what_rounding_decides() -> None:
    line = "| a | qa, none | 210 | 205, 5 tied | 17 | 5 (tie), 4 (tokens) |"
    assert comparable(line) == comparable("| a | qa, none | 210 | 206, 4 tied | 17 | 4 (tie), 5 (tokens) |")
    for other in ("| a | qa, none | 209 | 205, 5 tied | 17 | 5 (tie), 4 (tokens) |",
                  "| a | qa, none | 210 | 205, 5 tied | 18 | 5 (tie), 4 (tokens) |",
                  "| a | qa, none | refused: of another kind | | | |"):
        assert comparable(line) != comparable(other)


def test_every_file_is_asked_everywhere() -> None:
    """No file is left out of a client that takes its task; the sample has every client, and every kind of outcome."""
    for client in {case[0] for case in CASES}:
        assert {bool(case[3]) for case in CASES if case[0] == client} == {
            bool(case[3]) for case in CASES if case[0] == client and case[1:3] in SAMPLE}, client
    for client in ("task-library", "ai-edge-litert Interpreter", "ai-edge-litert CompiledModel", "tflite-runtime"):
        assert {case[1:3] for case in CASES if case[0] == client} >= set(FILES), client


def test_clients_without_metadata_read_by_position(made: Made, tmp_path: Path) -> None:
    """The Task Library without names of tensors takes ids, mask, segments, and end before start, as MLPerf's app."""
    file = made("qa", "none")
    some = file.examples[:20]
    expected = [one[0][0] if one else "" for one in ask("task-library", file.path, "qa", some)]
    assert len(set(expected)) > 10
    for swapped in (False, True):
        nameless = tmp_path / f"nameless-{swapped}.tflite"
        nameless.write_bytes(without_tensors(file.path.read_bytes(), swapped))
        answers = [one[0][0] if one else "" for one in ask("task-library", nameless, "qa", some)]
        assert (answers == expected) is not swapped


def without_tensors(content: bytes, swapped: bool) -> bytes:
    """The file with a tokenizer in its metadata, but no tensors; ``swapped``: with its outputs the other way round."""
    model, found = read_model(content), read_metadata(content)
    assert found is not None
    bare = replace(found, subgraphs=(replace(found.subgraphs[0], inputs=(), outputs=()),))
    set_metadata(model, ENTRY, pack_metadata(bare))
    if swapped:
        model.subgraphs[0].outputs = list(reversed(model.subgraphs[0].outputs))
    return append_files(write_model(model), read_files(content))
