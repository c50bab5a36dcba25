"""Files of every kind, damaged by their structure: exit 0, or 1 and one line, within the budget, and nothing written.

``MBL_FUZZ_FILES`` is how many, ``MBL_FUZZ_FIRST`` the seed of the first of each kind, so that another run sees other
files; ``MBL_FUZZ_SEED="h5 17"`` runs that file alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import data_parts
import pytest
from cases import Kind, kinds
from survey import Room, survey

from mobilebert_lite.architecture.config import MobileBertConfig

COUNT, CHUNK = int(os.environ.get("MBL_FUZZ_FILES", "1000")), 25
FIRST = int(os.environ.get("MBL_FUZZ_FIRST", "0"))
SHARES = {"tflite": 25, "safetensors": 13, "bin": 13, "h5": 9, "bundle": 12, "config": 8, "tokenizer": 8, "data": 12}
ONE = os.environ.get("MBL_FUZZ_SEED", "").split()


def chunks() -> list[tuple[str, Sequence[int]]]:
    """(kind, seeds) of each test."""
    if ONE:
        return [(ONE[0], [int(seed)]) for seed in ONE[1:]]
    return [(name, range(first, min(first + CHUNK, FIRST + COUNT * share // 100))) for name, share in SHARES.items()
            for first in range(FIRST, FIRST + COUNT * share // 100, CHUNK)]


@pytest.fixture(scope="session")
def strangers(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str], converted: Callable[[str, str], Path],
              tmp_path_factory: pytest.TempPathFactory) -> dict[str, Kind]:
    """Every kind by its name."""
    found = kinds(replace(tiny_config, num_hidden_layers=1), tiny_vocabulary, tmp_path_factory.mktemp("whole"),
                  [converted("qa", mode) for mode in ("int8", "none")])
    assert {one.name: one.share for one in found} == SHARES
    return {one.name: one for one in found}


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Room:
    whole = tmp_path_factory.mktemp("data")
    example = {"question": data_parts.QUESTION, "context": data_parts.CONTEXT, "answers": ["battery"], "id": "1"}
    (whole / "questions.jsonl").write_text(f"{json.dumps(example)}\n")
    return Room(tmp_path_factory.mktemp("strangers") / "room", whole)


@pytest.mark.fuzz
@pytest.mark.parametrize(("name", "seeds"), chunks(), ids=lambda one: one if isinstance(one, str) else str(one[0]))
def test_files_of_strangers(strangers: dict[str, Kind], room: Room, name: str, seeds: Sequence[int]) -> None:
    problems, codes = survey(strangers[name], room, seeds)
    assert not problems, "\n".join(problems)
    assert len(seeds) < CHUNK or 1 in codes
