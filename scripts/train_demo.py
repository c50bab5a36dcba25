"""Train the two bundled demo checkpoints from scratch on SNIPS, on a CPU, in some twenty minutes.

    MBL_TEST_DATA=<folder with data/snips and checkpoints/trained/snips_qa> python scripts/train_demo.py

`mbl train` with texts that are written anew for every epoch (demo_data.py).
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

from mobilebert_lite.cli.output import counted, progress
from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.converters import huggingface
from mobilebert_lite.datasets import read_examples
from mobilebert_lite.files import json_bytes, write_atomically
from mobilebert_lite.masking import default_masking
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tokenization import Tokenizer
from mobilebert_lite.training import devices
from mobilebert_lite.training.batches import Row
from mobilebert_lite.training.initial import initial
from mobilebert_lite.training.options import Options
from mobilebert_lite.training.preparation import Prepared
from mobilebert_lite.training.rows import RowMaker
from mobilebert_lite.training.run import make_loop
from mobilebert_lite.training.scoring import Evaluator

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MBL_TEST_DATA", ROOT.parent / "shared"))
SNIPS = SHARED / "data" / "snips"
OUTPUT = ROOT / "mobilebert_lite" / "data" / "demo"

SEED = 7
# Word pieces in the vocabulary, beside whole words and characters.
PIECES = 1400
# Longest sequence in training.
LENGTH = 256
CONFIG = MobileBertConfig(
    hidden_size=192, num_hidden_layers=6, intermediate_size=128, embedding_size=64, intra_bottleneck_size=64,
    max_position_embeddings=384, num_feedforward_networks=4, classifier_activation=False)
# Split of SNIPS -> examples, written with the generator: (utterances, generator, swap, joined).
Write = Callable[[Sequence[data.Utterance], np.random.Generator, float, float], Sequence[Any]]


@dataclass(frozen=True)
class Recipe:
    """How one of the two is trained."""

    layers: int
    epochs: float
    learning_rate: float
    batch_size: int = 48
    # Share of words that are hidden behind [UNK], and of slots filled from another utterance.
    unknown: float = 0.03
    swap: float = 0.35
    # Texts of several utterances, per single utterance.
    joined: float = 0.15
    # Share of batches at a random position: positions far from the start are learnt by sitting there.
    shift: float = 0.5


RECIPES = {"qa": Recipe(layers=6, epochs=5, learning_rate=2e-3),
           "classification": Recipe(layers=4, epochs=6, learning_rate=1.5e-3)}


def write_questions(utterances: Sequence[data.Utterance], rng: np.random.Generator, swap: float, joined: float
                    ) -> Sequence[Any]:
    """Questions about every utterance."""
    return data.question_examples(data.qa_epoch(data.Writer(utterances, rng), swap, joined))


def write_texts(utterances: Sequence[data.Utterance], rng: np.random.Generator, swap: float, joined: float
                ) -> Sequence[Any]:
    """Every utterance with its intent."""
    return data.text_examples(data.intent_epoch(data.Writer(utterances, rng), swap, joined))


@dataclass(frozen=True)
class Demo:
    """One of the two trainings."""

    task: str
    head: str
    write: Write
    card: str
    labels: tuple[str, ...]
    # Examples as they stand, by split.
    dev: Sequence[Any]
    test: Sequence[Any]
    # Least number of words in the texts that are scored as "joined"; 0: none are.
    joined_words: int = 0


def demos() -> dict[str, Demo]:
    """The two."""
    utterances = {split: data.read_snips(SNIPS, split) for split in ("train", "dev", "test")}
    labels = tuple(sorted({one.intent for one in utterances["train"]}))
    texts = {split: data.text_examples([(" ".join(one.words), one.intent) for one in utterances[split]])
             for split in ("dev", "test")}
    questions = {split: read_examples(SHARED / f"checkpoints/trained/snips_qa/snips_qa_{split}.json", "qa")
                 for split in ("dev", "test")}
    return {"qa": Demo("qa", "qa", write_questions, demo_cards.QA, (), questions["dev"], questions["test"], 32),
            "classification": Demo("classification", "classifier", write_texts, demo_cards.CLASSIFICATION, labels,
                                   texts["dev"], texts["test"])}


def train(demo: Demo, recipe: Recipe, folder: Path, options: Options) -> None:
    """Train, store as float16, score what was stored, write the card."""
    utterances = data.read_snips(SNIPS, "train")
    words = data.build_vocabulary(utterances, PIECES)
    task, tokenizer = find_task(demo.task), Tokenizer(words)
    maker = RowMaker(task, tokenizer, LENGTH, demo.labels)
    config = replace(CONFIG, vocab_size=len(words), num_hidden_layers=recipe.layers, labels=demo.labels, task=demo.task)

    def rows(epoch: int) -> Sequence[Row]:
        return maker.rows(demo.write(utterances, np.random.default_rng([SEED, epoch]), recipe.swap, recipe.joined))

    prepared = Prepared(options, task, initial(config, {demo.head: len(demo.labels) or 2}, SEED), tokenizer,
                        demo.labels, default_masking("huggingface"), rows(0), utterances, demo.dev, (), scratch=True)
    loop = make_loop(prepared, devices.prepare(options), folder / "training", progress)
    longest = loop.settings.batcher.buckets[-1]
    with counted("training") as count:  # a later epoch may hold a text longer than all of the first
        trained = loop.run(lambda epoch: [row for row in rows(epoch) if len(row.ids) <= longest], count)
    huggingface.save(trained.weights, folder, words, dtype="float16")
    stored = huggingface.load(folder)

    def score(examples: Sequence[Any]) -> dict[str, float]:
        evaluator = Evaluator(examples, task, tokenizer, demo.labels, LENGTH, loop.settings.batcher.buckets,
                              prepared.masking)
        return {name: round(value, 2) for name, value in evaluator.score(stored.tensors, stored.config)[1].items()}

    tests = {"test": demo.test, **written(demo)}
    finish(folder, demo, config, {
        "data": f"SNIPS (CC0), {len(utterances):,} training utterances", "seed": SEED, "steps": trained.progress.step,
        "threads": options.threads, "seconds": round(trained.progress.seconds),
        "parameters": trained.weights.parameters, "recipe": asdict(recipe), "weights": "scored as stored (float16)",
        **{name: score(examples) for name, examples in tests.items()}})
    shutil.rmtree(loop.folder)


def written(demo: Demo) -> dict[str, Sequence[Any]]:
    """Test utterances in the wordings of the training, one by one and joined."""
    utterances, rng = data.read_snips(SNIPS, "test"), np.random.default_rng(SEED)
    found = {"varied": demo.write(utterances, rng, 0, 0)}
    if demo.joined_words:
        found["joined"] = [one for one in demo.write(utterances, rng, 0, 1)
                           if len(one.context.split()) >= demo.joined_words]
    return found


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
            train(demo, recipe, folder, Options(
                name, SNIPS, folder, seq_len=LENGTH, epochs=recipe.epochs, batch_size=recipe.batch_size,
                learning_rate=recipe.learning_rate, unknown=recipe.unknown, shift=recipe.shift, seed=SEED,
                threads=arguments.threads))


if __name__ == "__main__":
    main()
