"""What the doctor calls an error is one: a client makes other tokens of texts for a cased checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support import ask

from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.converters.checkpoints import demonstration
from mobilebert_lite.datasets.reading import builtin_examples
from mobilebert_lite.doctor.diagnose import diagnose
from mobilebert_lite.running.model import Model

pytestmark = [pytest.mark.clients, pytest.mark.timeout(1200)]

# Greatest difference of a probability between two builds of float kernels.
SAME = 1e-4


@pytest.fixture(scope="module")
def cased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled classifier, but that its words begin with capital letters."""
    folder = tmp_path_factory.mktemp("cased")
    checkpoint = folder / "checkpoint"
    shutil.copytree(demonstration("classification"), checkpoint)
    words = (checkpoint / "vocab.txt").read_text(encoding="utf-8").splitlines()
    (checkpoint / "vocab.txt").write_text("".join(f"{word.capitalize() if word.isalpha() else word}\n"
                                                  for word in words), encoding="utf-8")
    (checkpoint / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    path = folder / "cased.tflite"
    convert(ConvertRequest(path, str(checkpoint), lengths=(32,), quantize="none"))
    return path


def test_a_cased_file_is_read_otherwise_by_mediapipe_and_the_doctor_says_so(cased: Path) -> None:
    texts = [example.text.title() for example in builtin_examples("classification")[:30]]
    answers = [dict(found) for found in ask("mediapipe", cased, "classification", [[text] for text in texts])]
    ours, theirs = ([{label.name: label.probability for label in model.classify(text)} for text in texts]
                    for model in (Model(cased), Model(cased, tokenizer="phone")))
    for found, expected in zip(answers, theirs, strict=True):
        assert found == pytest.approx(expected, abs=SAME)
    best = [(max(found, key=found.__getitem__), max(right, key=right.__getitem__))
            for found, right in zip(answers, ours, strict=True)]
    assert sum(one != other for one, other in best) > len(texts) / 10
    found = diagnose(cased, ["mediapipe", "task-library"])
    assert {one.client for one in found.errors if one.check == "same-tokens"} == {"mediapipe", "task-library"}
    assert not any(found.fits.values())
