"""A head that the package does not have: one folder and one line in a list, and every command knows it.

The folder is ``new_task/similarity``. It is laid into a copy of the package, which is links to the real one except for
the list, so that nothing else can have changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mobilebert_lite
from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.reading import builtin_examples
from mobilebert_lite.tflite import container as metadata
from mobilebert_lite.tflite.metadata import read_metadata

FOLDER = Path(__file__).parent / "new_task" / "similarity"
PACKAGE = Path(mobilebert_lite.__file__).parent
LINE = '    "similarity",\n'
# A checkpoint with the head, as a program makes one.
MAKE = """
import sys
from pathlib import Path
from mobilebert_lite.architecture.config_files import read_config
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.converters.huggingface import checkpoint
from mobilebert_lite.tasks import find_task

plain, folder = map(Path, sys.argv[1:])
config = read_config(plain / "config.json", tensorflow=False)
task = find_task("sentence-similarity")
words = (plain / "vocab.txt").read_text().splitlines()
checkpoint.save(random_weights(config, {head: 1 for head in task.heads}, pooler=True, seed=4), folder, vocabulary=words)
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder to import from: the package with the new task."""
    root = tmp_path_factory.mktemp("package")
    tasks = root / "mobilebert_lite" / "tasks"
    tasks.mkdir(parents=True)
    for source, target in ((PACKAGE, tasks.parent), (PACKAGE / "tasks", tasks)):
        for path in source.iterdir():
            if path.name not in ("tasks", "__pycache__") and path != PACKAGE / "tasks" / "__init__.py":
                (target / path.name).symlink_to(path.resolve())
    (tasks / FOLDER.name).symlink_to(FOLDER)
    known = (PACKAGE / "tasks" / "__init__.py").read_text()
    before, listed, after = known.partition('    "feature_extraction",\n')
    assert listed
    (tasks / "__init__.py").write_text(before + listed + LINE + after)
    return root


def python(package: Path, *arguments: object) -> str:
    """What Python prints with the package that has the new task."""
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": str(package)}, cwd=package)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkpoint(package: Path, tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...],
               tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with the head."""
    folder = tmp_path_factory.mktemp("similarity")
    config = replace(tiny_config, num_hidden_layers=1)
    huggingface.save(random_weights(config, pooler=True), folder / "plain", vocabulary=tiny_vocabulary)
    python(package, "-c", MAKE, folder / "plain", folder / "checkpoint")
    return folder / "checkpoint"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labeled pairs."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    found = builtin_examples("next-sentence")
    assert len(found) >= 12
    path.write_text("text\tpair\tlabel\n" + "".join(f"{one.text}\t{one.pair}\t{i % 5 / 4}\n"
                                                     for i, one in enumerate(found)))  # type: ignore[union-attr]
    return path


@pytest.fixture(scope="module")
def converted(package: Path, checkpoint: Path) -> Path:
    """The checkpoint as a file, which is verified."""
    said = json.loads((checkpoint / "config.json").read_text())
    assert said["architectures"] == ["MobileBertForSimilarity"]
    path = checkpoint.parent / "similarity.tflite"
    report = json.loads(python(package, "-m", "mobilebert_lite", "convert", "--weights", checkpoint, "--quantize",
                               "int8", "--json", "-o", path))
    assert report["task"] == "similarity"  # without being told
    assert report["verification"][0]["signature"] == "similarity_32"
    assert report["verification"][0]["texts"] >= 8
    return path


def test_it_converts(converted: Path) -> None:
    """The file says what it is for, and the fusion rules know what the head reads."""
    content = converted.read_bytes()
    provenance = metadata.read_provenance(content)
    assert {note["rule"]: note["applied"] for note in provenance["fusion"]}["cls-only"]
    found = read_metadata(content)
    assert found is not None
    assert "how alike two texts are" in found.description
    [output] = found.subgraphs[0].outputs
    assert (output.name, output.description) == ("similarity", "How alike the texts are, 0 to 1.")


def test_it_runs(package: Path, checkpoint: Path, converted: Path) -> None:
    """Without TensorFlow, and to what the network says in NumPy: the sigmoid of one dense column."""
    texts = "--text", "Rain in Oslo today.", "--pair", "It rains in Oslo."
    said = json.loads(python(package, "-m", "mobilebert_lite", "run", converted, *texts, "--json"))
    line = python(package, "-c", "import sys\nfrom mobilebert_lite.cli import main\ntry: main()\n"
                  "finally: assert 'tensorflow' not in sys.modules", "run", converted, *texts)
    assert line == f"similarity\t{said['similarity']:.4f}\n"
    vectors = checkpoint.parent / "features.tflite"
    python(package, "-m", "mobilebert_lite", "convert", "--weights", checkpoint, "--task", "features", "--seq-len", 32,
           "--quantize", "none", "-o", vectors)
    pooled = json.loads(python(package, "-m", "mobilebert_lite", "run", vectors, *texts, "--json"))["pooled_output"]
    from safetensors.numpy import load_file

    tensors = load_file(checkpoint / "model.safetensors")
    logit = tensors["similarity.out_proj.weight"] @ np.array(pooled) + tensors["similarity.out_proj.bias"]
    assert said["similarity"] == pytest.approx(1 / (1 + np.exp(-logit[0])), abs=0.02)


def test_it_is_scored(package: Path, converted: Path, pairs: Path) -> None:
    report = json.loads(python(package, "-m", "mobilebert_lite", "eval", converted, "--data", pairs, "--json"))
    assert report["model"]["task"] == "similarity"
    assert -100 <= report["metrics"]["pearson"] <= 100
    assert report["metrics"]["total"] == len(pairs.read_text().splitlines()) - 1


def test_it_is_trained(package: Path, checkpoint: Path, pairs: Path, tmp_path: Path) -> None:
    """From the checkpoint, whose head learns the pairs that it is scored on."""
    python(package, "-m", "mobilebert_lite", "train", "--task", "similarity", "--weights", checkpoint, "--data", pairs,
           "--eval", pairs, "--epochs", 20, "--learning-rate", 3e-3, "--batch-size", 8, "-o", tmp_path / "trained")
    from safetensors.numpy import load_file

    before, after = (load_file(folder / "model.safetensors") for folder in (checkpoint, tmp_path / "trained"))
    assert before.keys() == after.keys()
    assert not np.array_equal(before["similarity.out_proj.weight"], after["similarity.out_proj.weight"])
    report = json.loads((tmp_path / "trained" / "metrics.json").read_text())
    start, best = report["history"][0]["eval/pearson"], report["score"]
    assert report["metric"] == "pearson"
    assert best > start + 10
