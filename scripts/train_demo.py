"""Train the two bundled demo checkpoints on SNIPS, on a CPU, in some twenty minutes.

    MBL_TEST_DATA=<folder with data/snips and checkpoints/trained/snips_qa> python scripts/train_demo.py

Intents are learnt as `mbl train` does by default; questions are written anew for every epoch (demo_data.py).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import demo_cards
import demo_data as data
import numpy as np

from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig
from mobilebert_lite.architecture.masking import default_masking
from mobilebert_lite.cli.output import counted, progress
from mobilebert_lite.common.files import json_bytes, write_atomically
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.reading import read_examples
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training import devices
from mobilebert_lite.training.batches import EncodedRow
from mobilebert_lite.training.initial import initial
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.preparation import TrainingData
from mobilebert_lite.training.rows import RowMaker
from mobilebert_lite.training.run import make_loop
from mobilebert_lite.training.scoring import Evaluator
from mobilebert_lite.training.vocabulary import build_vocabulary, texts_of

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MBL_TEST_DATA", ROOT.parent / "shared"))
SNIPS = SHARED / "data" / "snips"
OUTPUT = ROOT / "mobilebert_lite" / "data" / "demo"

# Longest sequence in training.
LENGTH = 256
# Utterances -> examples, written with the generator.
Write = Callable[[Sequence[data.Utterance], np.random.Generator], Sequence[Any]]
# Least number of words in the texts of several utterances that are scored apart.
JOINED_WORDS = 32


@dataclass(frozen=True)
class Recipe:
    """How one of the two is trained."""

    seed: int
    # Feed-forward networks in a layer.
    networks: int
    # In the vocabulary. Names that were never seen come in pieces: to find them, pieces must be common.
    words: int
    epochs: float
    learning_rate: float
    batch_size: int
    # Share of words that are hidden behind [UNK].
    unknown: float
    dropout: float = 0.0
    # Share of batches at a random position: positions far from the start are learnt by sitting there.
    shift: float = 0.0


RECIPES = {"qa": Recipe(seed=7, networks=4, words=4000, epochs=5, learning_rate=2e-3, batch_size=48, unknown=0.03,
                        shift=0.5),
           "classification": Recipe(seed=0, networks=2, words=8000, epochs=8, learning_rate=1e-3, batch_size=64,
                                    dropout=0.1, unknown=0.05)}


def write_questions(utterances: Sequence[data.Utterance], rng: np.random.Generator) -> Sequence[Any]:
    """Questions about every utterance."""
    return data.question_examples(data.qa_epoch(data.Writer(utterances, rng)))


def write_texts(utterances: Sequence[data.Utterance], rng: np.random.Generator | None = None) -> Sequence[Any]:
    """Every utterance with its intent."""
    return data.text_examples(data.intents(utterances))


@dataclass(frozen=True)
class Demo:
    """One of the two trainings."""

    task: str
    utterances: Sequence[data.Utterance]
    # What an epoch consists of.
    write: Write
    card: str
    # What the vocabulary is made from.
    texts: Sequence[str]
    labels: tuple[str, ...]
    dev: Sequence[Any]
    # Name of a score -> what is scored.
    tests: dict[str, Sequence[Any]]


def demos() -> dict[str, Demo]:
    """The two. They are scored on SNIPS as it stands, and on how training writes it."""
    utterances = {split: data.read_snips(SNIPS, split) for split in ("train", "dev", "test")}
    labels = tuple(sorted({one.intent for one in utterances["train"]}))

    def questions(split: str) -> Sequence[Any]:
        return read_examples(SHARED / f"checkpoints/trained/snips_qa/snips_qa_{split}.json", "qa")

    def writer() -> data.Writer:
        return data.Writer(utterances["test"], np.random.default_rng(RECIPES["qa"].seed))

    def asked(joined: float) -> Sequence[Any]:
        return data.question_examples(data.qa_epoch(writer(), swap=0, joined=joined))

    joined = [one for one in asked(1) if len(one.context.split()) >= JOINED_WORDS]
    return {"qa": Demo("qa", utterances["train"], write_questions, demo_cards.QA, data.texts_of(utterances["train"]),
                       (), questions("dev"), {"test": questions("test"), "varied": asked(0), "joined": joined}),
            "classification": Demo("classification", utterances["train"], write_texts, demo_cards.CLASSIFICATION,
                                   [*texts_of(write_texts(utterances["train"]))], labels,
                                   write_texts(utterances["dev"]),
                                   {"test": write_texts(utterances["test"]),
                                    "varied": data.text_examples(data.varied_intents(writer()))})}


def train(demo: Demo, recipe: Recipe, folder: Path, options: TrainOptions) -> None:
    """Train, store as float16, score what was stored, write the card."""
    words = build_vocabulary(demo.texts, recipe.words)
    task, tokenizer = find_task(demo.task), Tokenizer(words)
    maker = RowMaker(task, tokenizer, LENGTH, demo.labels)
    config = replace(PRESETS["small"], vocab_size=len(words), num_feedforward_networks=recipe.networks,
                     hidden_dropout_prob=recipe.dropout, labels=demo.labels, task=demo.task)

    def rows(epoch: int) -> Sequence[EncodedRow]:
        return maker.rows(demo.write(demo.utterances, np.random.default_rng([recipe.seed, epoch])))

    weights = initial(config, {task.heads[0]: len(demo.labels) or 2}, recipe.seed)
    prepared = TrainingData(options, task, weights, tokenizer, demo.labels, default_masking("huggingface"), rows(0),
                        demo.utterances, demo.dev, (), scratch=True)
    loop = make_loop(prepared, devices.prepare(options), folder / "training", progress)
    longest = loop.settings.batcher.buckets[-1]
    with counted("training") as count:  # a later epoch may hold a text longer than all of the first
        trained = loop.run(lambda epoch: [row for row in rows(epoch) if len(row.ids) <= longest], count)
    huggingface.save(trained.weights, folder, vocabulary=words, dtype="float16")
    stored = huggingface.load(folder)

    def score(examples: Sequence[Any]) -> dict[str, float]:
        evaluator = Evaluator(examples, task, tokenizer, demo.labels, LENGTH, buckets=loop.settings.batcher.buckets,
                              masking=prepared.masking)
        return {name: round(value, 2) for name, value in evaluator.score(stored.tensors, stored.config)[1].items()}

    finish(folder, demo, config, {
        "data": f"SNIPS (CC0), {len(demo.utterances):,} training utterances", "steps": trained.progress.step,
        "threads": options.threads, "seconds": round(trained.progress.seconds),
        "parameters": trained.weights.parameters, "recipe": asdict(recipe), "weights": "scored as stored (float16)",
        **{name: score(examples) for name, examples in demo.tests.items()}})
    shutil.rmtree(loop.folder)


def finish(folder: Path, demo: Demo, config: MobileBertConfig, metrics: dict[str, Any]) -> None:
    """metrics.json and the model card."""
    write_atomically(folder / "metrics.json", json_bytes(metrics))
    megabytes = sum((folder / name).stat().st_size for name in ("model.safetensors", "vocab.txt")) / 1e6
    text = demo.card.format(layers=config.num_hidden_layers, hidden=config.hidden_size, vocabulary=config.vocab_size,
                            labels=", ".join(config.labels), megabytes=megabytes, **metrics)
    write_atomically(folder / "README.md", text.encode())
    progress(f"{folder}: {megabytes:.2f} MB, {json.dumps(metrics['test'])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[*RECIPES], help="one of the two; both when not given")
    parser.add_argument("--epochs", type=float, help="shorter, to try it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    if not SNIPS.is_dir():
        parser.error(f"no SNIPS data in {SNIPS}; set MBL_TEST_DATA to the folder that holds data/snips")
    for name, demo in demos().items():
        if arguments.only in (None, name):
            recipe = replace(RECIPES[name], **({"epochs": arguments.epochs} if arguments.epochs else {}))
            folder = arguments.output / name
            train(demo, recipe, folder, TrainOptions(
                name, SNIPS, folder, seq_len=LENGTH, epochs=recipe.epochs, batch_size=recipe.batch_size,
                learning_rate=recipe.learning_rate, token_dropout=recipe.unknown, position_shift=recipe.shift,
                seed=recipe.seed, threads=arguments.threads))


if __name__ == "__main__":
    main()
