"""What the doctor calls an error, the real client refuses, crashes on or answers otherwise; mended, it is as before."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support import environment
from wrong_cases import WRONG

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.doctor.diagnose import diagnose_content
from mobilebert_lite.doctor.findings import ERROR
from mobilebert_lite.doctor.fix import mend
from mobilebert_lite.tflite import container as metadata

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

CHILDREN = {"task-library": "task_library.py", "mediapipe": "mediapipe_text.py"}
# "zebra" is the word that a vocabulary has too many. Contexts fill the sequence: a random network looks at padding too.
_WORDS = ("a", "zebra", "lasts", "one", "day", "and", "people", "run", "fifteen", "minutes", "after", "red", "blood",
          "made", "water", "give", "half", "their", "charge")
QUESTIONS = [["how long?", " ".join(random.Random(seed).choices(_WORDS, k=330))] for seed in range(8)]
TEXTS = [["the zebra lasts one day"], ["how many minutes does a full charge take?"]]
# Those of text embedders, which are asked nothing here, are in test_embedder.py.
CASES = [name for name, case in WRONG.items() if case.client in CHILDREN and case.base in ("qa", "classification")
         and case.severity == ERROR and case.check != "vector"]
LABELS = ("music", "weather", "alarm", "none of these")


@pytest.fixture(scope="module")
def good(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str], tiny_questions: Path,
         tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of one block that the clients take."""
    folder = tmp_path_factory.mktemp("good")
    config = replace(tiny_config, num_hidden_layers=1, max_position_embeddings=384)
    weights = {"qa": random_weights(config, {"qa": 2}, seed=15),
               "classification": random_weights(config.with_labels(LABELS), {"classifier": 4}, pooler=True)}
    found = {}
    for task, length in (("qa", 384), ("classification", 32)):
        huggingface.save(weights[task], folder / task, vocabulary=tiny_vocabulary)
        convert(ConvertRequest(folder / f"{task}.tflite", str(folder / task), lengths=(length,), quantize="none",
                        calibration=tiny_questions if task == "qa" else None))
        found[task] = (folder / f"{task}.tflite").read_bytes()
    return found


@pytest.fixture(scope="module")
def expected(good: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], list[Any]]:
    """What a client answers with the good file of a task, asked once."""
    folder = tmp_path_factory.mktemp("expected")

    @cache
    def ask(client: str, task: str) -> list[Any]:
        found = answers(client, good[task], task, folder / "good.tflite")
        assert isinstance(found, list), found
        assert any(found), "nothing to compare"
        return found

    return ask


def answers(client: str, content: bytes, task: str, path: Path) -> list[Any] | str:
    """What ``client`` answers, or how it ended."""
    path.write_bytes(content)
    child = Path(__file__).with_name("children") / CHILDREN[client]
    done = subprocess.run([environment(client), child, path, task], capture_output=True, text=True, timeout=120,
                          input=json.dumps(QUESTIONS if task == "qa" else TEXTS))
    return f"ended with {done.returncode}: {done.stderr[-300:]}" if done.returncode else json.loads(done.stdout)


@pytest.mark.parametrize("name", CASES)
def test_errors_are_errors(good: dict[str, bytes], expected: Callable[[str, str], list[Any]], tmp_path: Path,
                           name: str) -> None:
    case = WRONG[name]
    wrong = case.edit(good[case.base])
    assert diagnose_content(wrong, name, [case.client]).fits[case.client] is False
    found = answers(case.client, wrong, case.base, tmp_path / "wrong.tflite")
    if case.check == "same-tokens":
        # Clients read past what a file says of its tokenizer: the answers are those of another one (test_cased.py).
        assert found == expected(case.client, case.base)
        return
    # What comes of reading a null pointer is up to what lies there; mostly, but not always, it is the end.
    assert "null pointer" in case.says or found != expected(case.client, case.base)
    if case.fixed:
        original = metadata.read_files(good[case.base])
        fixes = {str(one.fix) for one in diagnose_content(wrong, name, [case.client]).findings if one.fix}
        mended, _, _ = mend(wrong, fixes, {one: original[one] for one in case.given})
        assert answers(case.client, mended, case.base, tmp_path / "mended.tflite"
                       ) == expected(case.client, case.base)
