"""Train the two bundled demo checkpoints from scratch on SNIPS, on a CPU, in some twenty minutes.

    MBL_TEST_DATA=<folder with data/snips and checkpoints/trained/snips_qa> python scripts/train_demo.py

The network is the one that the converter builds (``mobilebert_lite.graph``), so what is trained is what is converted.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import demo_cards
import demo_data as data
import demo_scores as scores
import numpy as np
import tensorflow as tf

from mobilebert_lite.config import MobileBertConfig
from mobilebert_lite.converters import huggingface
from mobilebert_lite.datasets import read_examples
from mobilebert_lite.files import write_atomically
from mobilebert_lite.tokenization import Tokenizer
from mobilebert_lite.weights import Weights, checked, tensor_table

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MBL_TEST_DATA", ROOT.parent / "shared"))
SNIPS = SHARED / "data" / "snips"
OUTPUT = ROOT / "mobilebert_lite" / "data" / "demo"

SEED = 7
# Word pieces in the vocabulary, beside whole words and characters.
PIECES = 1400
CONFIG = MobileBertConfig(
    hidden_size=192, num_hidden_layers=6, intermediate_size=128, embedding_size=64, intra_bottleneck_size=64,
    max_position_embeddings=384, num_feedforward_networks=4, classifier_activation=False)
# Lengths to which batches are padded; one compiled step for each.
LENGTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
UNK = data.SPECIALS.index("[UNK]")


@dataclass(frozen=True)
class Recipe:
    """How one of the two is trained."""

    head: str
    layers: int
    epochs: int
    peak_rate: float
    # Padded tokens in a batch.
    batch_tokens: int = 1536
    # Share of the steps in which the learning rate rises; it falls to zero in the others.
    warmup: float = 0.06
    weight_decay: float = 0.05
    # Largest norm of the whole gradient.
    clip: float = 1.0
    # Share of context words that are hidden behind [UNK], and of slots filled from another utterance.
    unknown: float = 0.03
    swap: float = 0.35
    # Texts of several utterances, per single utterance.
    joined: float = 0.15


RECIPES = {"qa": Recipe("qa", layers=6, epochs=5, peak_rate=2e-3),
           "classification": Recipe("classifier", layers=4, epochs=6, peak_rate=1.5e-3)}


@dataclass(frozen=True)
class Example:
    """Token ids, segments, and the target: (start, end) tokens or (label,)."""

    ids: list[int]
    segments: list[int]
    target: tuple[int, ...]


Batch = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def initial(config: MobileBertConfig, heads: dict[str, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Every residual branch starts small, so that a network without normalisation starts near the identity."""
    branches = config.num_hidden_layers * (config.num_feedforward_networks + 2)
    tensors = {}
    for name, spec in tensor_table(config, heads).items():
        kind = name.rsplit(".", 1)[-1]
        if kind == "kernel":
            gain = 1 / np.sqrt(branches) if name.endswith("output.kernel") else 1.0
            value = rng.normal(0, gain / np.sqrt(spec.shape[0]), spec.shape)
        elif kind in ("gamma", "beta", "bias"):
            value = np.full(spec.shape, float(kind == "gamma"))
        else:
            value = rng.normal(0, 0.5 if kind == "word" else 0.05, spec.shape)
        tensors[name] = value.astype(np.float32)
    # The trigram carries [PAD]'s vector into the last real token; a zero says "nothing there".
    tensors["embeddings.word"][config.pad_token_id] = 0
    return tensors


class Trainer:
    """AdamW over one flat variable from which the graph's tensors are cut (few operations, fast on a CPU)."""

    def __init__(self, config: MobileBertConfig, tensors: dict[str, np.ndarray], recipe: Recipe) -> None:
        self.config, self.recipe = config, recipe
        self.shapes = {name: tensor.shape for name, tensor in tensors.items()}
        self.flat = tf.Variable(np.concatenate([tensor.ravel() for tensor in tensors.values()]))
        self.mean, self.square = (tf.Variable(tf.zeros_like(self.flat)) for _ in range(2))
        self.count = tf.Variable(0.0)
        decay = [np.full(t.size, recipe.weight_decay * name.endswith("kernel")) for name, t in tensors.items()]
        self.decay = tf.constant(np.concatenate(decay), tf.float32)
        learnt = {name: np.ones(tensor.shape) for name, tensor in tensors.items()}
        learnt["embeddings.word"][config.pad_token_id] = 0
        self.learnt = tf.constant(np.concatenate([mask.ravel() for mask in learnt.values()]), tf.float32)
        # One trace for each length of LENGTHS.
        self.update = tf.function(self._update)

    def tensors(self) -> dict[str, tf.Tensor]:
        """The tensors of the graph, as views of the flat variable."""
        parts = tf.split(self.flat, [int(np.prod(shape)) for shape in self.shapes.values()])
        return {name: tf.reshape(part, shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def step(self, batch: Batch, offset: int, rate: float) -> float:
        """One update; returns the loss. The batch sits at positions ``offset``, offset + 1, …"""
        return float(self.update(*map(tf.constant, batch), tf.constant(offset), tf.constant(rate, tf.float32)))

    def _update(self, ids: tf.Tensor, mask: tf.Tensor, segments: tf.Tensor, target: tf.Tensor, offset: tf.Tensor,
                rate: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tensors = self.tensors()
            tensors["embeddings.position"] = tf.roll(tensors["embeddings.position"], -offset, axis=0)
            loss = task_loss(tensors, self.config, ids, mask, segments, target)
        gradient = tape.gradient(loss, self.flat) * self.learnt
        gradient *= tf.minimum(1.0, self.recipe.clip / (tf.norm(gradient) + 1e-6))
        self.count.assign_add(1.0)
        self.mean.assign(0.9 * self.mean + 0.1 * gradient)
        self.square.assign(0.98 * self.square + 0.02 * tf.square(gradient))
        mean, square = self.mean / (1 - 0.9 ** self.count), self.square / (1 - 0.98 ** self.count)
        self.flat.assign_sub(rate * (mean / (tf.sqrt(square) + 1e-8) + self.decay * self.flat))
        return loss


def task_loss(tensors: dict[str, tf.Tensor], config: MobileBertConfig, ids: tf.Tensor, mask: tf.Tensor,
              segments: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy over the columns of ``target``."""
    logits = scores.outputs(tensors, config, ids, mask, segments)
    return tf.add_n([tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(target[:, i], column))
                     for i, column in enumerate(logits)]) / len(logits)


def batches(examples: Sequence[Example], tokens: int, rng: np.random.Generator) -> list[Batch]:
    """Shuffled batches of examples that pad to the same length; what does not fill a batch is left out."""
    rows: dict[int, list[Example]] = {length: [] for length in LENGTHS}
    filled = []
    for i in rng.permutation(len(examples)):
        length = next((length for length in LENGTHS if len(examples[i].ids) <= length), None)
        if length is None:
            continue
        rows[length].append(examples[i])
        if len(rows[length]) == max(8, tokens // length):
            filled.append(padded(rows[length], length))
            rows[length] = []
    rng.shuffle(filled)
    return filled


def padded(rows: Sequence[Example], length: int) -> Batch:
    """int32 ids, mask and segments of *shape* (batch, length), and targets."""
    ids, mask, segments = (np.zeros((len(rows), length), np.int32) for _ in range(3))
    for i, row in enumerate(rows):
        ids[i, :len(row.ids)], mask[i, :len(row.ids)], segments[i, :len(row.ids)] = row.ids, 1, row.segments
    return ids, mask, segments, np.array([row.target for row in rows], np.int32)


def encode_questions(tokenizer: Tokenizer, questions: Sequence[data.Question]) -> list[Example]:
    """[CLS] question [SEP] context [SEP], with the tokens of the answer; [CLS] where there is none."""
    examples = []
    for one, asked, read in zip(questions, tokenizer.encode_batch([one.text for one in questions]),
                                tokenizer.encode_batch([one.context for one in questions]), strict=True):
        before = len(asked.ids) + 2
        answer = [before + i for i, (start, end) in enumerate(read.offsets) if one.start <= start and end <= one.end]
        ids = [tokenizer.cls_id, *asked.ids, tokenizer.sep_id, *read.ids, tokenizer.sep_id]
        target = (answer[0], answer[-1]) if answer else (0, 0)
        examples.append(Example(ids, [0] * before + [1] * (len(read.ids) + 1), target))
    return examples


def encode_texts(tokenizer: Tokenizer, texts: Sequence[tuple[str, str]], labels: Sequence[str]) -> list[Example]:
    """[CLS] text [SEP] with the number of the intent."""
    return [Example([tokenizer.cls_id, *one.ids, tokenizer.sep_id], [0] * (len(one.ids) + 2), (labels.index(intent),))
            for (_, intent), one in zip(texts, tokenizer.encode_batch([text for text, _ in texts]), strict=True)]


def hide_words(batch: Batch, share: float, rng: np.random.Generator) -> Batch:
    """Some words become [UNK], so that names never seen before are answers too."""
    ids, mask, segments, target = batch
    context = segments == 1 if segments.any() else mask == 1
    hidden = context & (ids >= len(data.SPECIALS)) & (rng.random(ids.shape) < share)
    return np.where(hidden, UNK, ids).astype(np.int32), mask, segments, target


def train(recipe: Recipe, config: MobileBertConfig, heads: dict[str, int], epoch: Callable[[], list[Example]],
          after: Callable[[Weights], dict[str, float]]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The trained tensors and the facts for metrics.json."""
    rng = np.random.default_rng(SEED)
    trainer = Trainer(config, initial(config, heads, rng), recipe)
    steps, start = 0, time.perf_counter()
    for number in range(recipe.epochs):
        losses = []
        todo = batches(epoch(), recipe.batch_tokens, rng)
        for i, batch in enumerate(todo):
            progress = (number + i / len(todo)) / recipe.epochs
            rate = recipe.peak_rate * min(progress / recipe.warmup, (1 - progress) / (1 - recipe.warmup))
            # Positions far from the start are learnt by sitting there half of the time.
            room = config.max_position_embeddings - batch[0].shape[1]
            offset = int(rng.integers(room)) if rng.random() < 0.5 else 0
            losses.append(trainer.step(hide_words(batch, recipe.unknown, rng), offset, rate))
        steps += len(todo)
        tensors = {name: tensor.numpy() for name, tensor in trainer.tensors().items()}
        print(f"epoch {number + 1}/{recipe.epochs}: {steps} steps, {time.perf_counter() - start:.0f} s, "
              f"loss {np.mean(losses):.4f}, dev {after(checked(config, tensors))}", flush=True)
    facts = {"data": "SNIPS (CC0), 13,084 training utterances", "seed": SEED, "steps": steps,
             "threads": tf.config.threading.get_intra_op_parallelism_threads(),
             "seconds": round(time.perf_counter() - start), "parameters": int(trainer.flat.shape[0]),
             "recipe": asdict(recipe), "weights": "scored as stored (float16)"}
    return tensors, facts


def train_qa(recipe: Recipe, folder: Path) -> None:
    """The extractive question answering model."""
    utterances = data.read_snips(SNIPS, "train")
    words = data.build_vocabulary(utterances, PIECES)
    tokenizer = Tokenizer(words)
    writer = data.Writer(utterances, np.random.default_rng(SEED))
    config = replace(CONFIG, vocab_size=len(words), num_hidden_layers=recipe.layers)
    dev, test = (read_examples(SHARED / f"checkpoints/trained/snips_qa/snips_qa_{split}.json", "qa")
                 for split in ("dev", "test"))

    def epoch() -> list[Example]:
        return encode_questions(tokenizer, data.qa_epoch(writer, recipe.swap, recipe.joined))

    tensors, facts = train(recipe, config, {"qa": 2}, epoch, lambda now: scores.qa(now, tokenizer, dev, 64))
    huggingface.save(checked(config, tensors), folder, words, dtype="float16")
    stored = huggingface.load(folder)
    tester = data.Writer(data.read_snips(SNIPS, "test"), np.random.default_rng(SEED))
    varied, joined = data.qa_epoch(tester, swap=0, joined=0), data.qa_epoch(tester, swap=0, joined=1)
    joined = [one for one in joined if one.context.count(" ") > 30]
    finish(stored, folder, demo_cards.QA, {
        **facts, "test": scores.qa(stored, tokenizer, test, 64),
        "varied": scores.qa(stored, tokenizer, scores.as_examples(varied), 64),
        "joined": scores.qa(stored, tokenizer, scores.as_examples(joined), 256)})


def train_classification(recipe: Recipe, folder: Path) -> None:
    """The intent classifier."""
    utterances = data.read_snips(SNIPS, "train")
    words = data.build_vocabulary(utterances, PIECES)
    tokenizer = Tokenizer(words)
    writer = data.Writer(utterances, np.random.default_rng(SEED))
    labels = tuple(sorted({one.intent for one in utterances}))
    config = replace(CONFIG, vocab_size=len(words), num_hidden_layers=recipe.layers, labels=labels)
    dev, test = ([(" ".join(one.words), one.intent) for one in data.read_snips(SNIPS, split)]
                 for split in ("dev", "test"))

    def epoch() -> list[Example]:
        return encode_texts(tokenizer, data.intent_epoch(writer, recipe.swap, recipe.joined), labels)

    tensors, facts = train(recipe, config, {"classifier": len(labels)}, epoch,
                           lambda now: scores.intents(now, tokenizer, dev))
    huggingface.save(checked(config, tensors), folder, words, dtype="float16")
    stored = huggingface.load(folder)
    tester = data.Writer(data.read_snips(SNIPS, "test"), np.random.default_rng(SEED))
    finish(stored, folder, demo_cards.CLASSIFICATION, {
        **facts, "test": scores.intents(stored, tokenizer, test),
        "varied": scores.intents(stored, tokenizer, data.intent_epoch(tester, swap=0, joined=0))})


def finish(stored: Weights, folder: Path, card: str, metrics: dict[str, Any]) -> None:
    """metrics.json and the model card."""
    write_atomically(folder / "metrics.json", f"{json.dumps(metrics, indent=2)}\n".encode())
    config = stored.config
    megabytes = sum((folder / name).stat().st_size for name in ("model.safetensors", "vocab.txt")) / 1e6
    text = card.format(layers=config.num_hidden_layers, hidden=config.hidden_size, vocabulary=config.vocab_size,
                       labels=", ".join(config.labels), megabytes=megabytes, **metrics)
    write_atomically(folder / "README.md", text.encode())
    print(f"{folder}: {megabytes:.2f} MB, {metrics['test']}")


def main() -> None:
    """Train, store, and score what was stored."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[*RECIPES], help="one of the two; both when not given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    if not SNIPS.is_dir():
        parser.error(f"no SNIPS data in {SNIPS}; set MBL_TEST_DATA to the folder that holds data/snips")
    # TensorFlow warns about one trace for each length, which is intended here.
    tf.get_logger().setLevel("ERROR")
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tasks = {"qa": train_qa, "classification": train_classification}
    for name in [arguments.only] if arguments.only else RECIPES:
        tasks[name](RECIPES[name], arguments.output / name)


if __name__ == "__main__":
    main()
