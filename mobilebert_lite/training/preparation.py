"""From what is asked for to what a training consists of: examples, vocabulary, weights, rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig
from mobilebert_lite.architecture.config_files import TENSORFLOW, read_config
from mobilebert_lite.architecture.form import REGRESSION, SINGLE_LABEL, Form
from mobilebert_lite.architecture.masking import Masking, default_masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
from mobilebert_lite.converters.tokenizers import reading as tokenizer_files
from mobilebert_lite.datasets.reading import read_examples
from mobilebert_lite.errors import ConfigError, DataError
from mobilebert_lite.tasks import TRAINABLE, Task, find_task
from mobilebert_lite.tasks.labels import read_file
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training.batches import EncodedRow
from mobilebert_lite.training.checks import DataFinding, check
from mobilebert_lite.training.initial import initial, with_head
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.rows import RowMaker
from mobilebert_lite.training.vocabulary import build_vocabulary, texts_of

SMALL = "small"
# Held out where no examples to score on are given: this share, and no more than so many.
HELD_OUT, MOST_HELD_OUT = 0.1, 1000


@dataclass(frozen=True)
class TrainingData:
    """What a training consists of."""

    # Every option resolved.
    options: TrainOptions
    task: Task
    weights: Weights
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    masking: Masking
    rows: Sequence[EncodedRow]
    train: Sequence[Any]
    dev: Sequence[Any]
    findings: Sequence[DataFinding]
    # Whether the weights are new, not a checkpoint's.
    scratch: bool


def prepare(options: TrainOptions, progress: Callable[[str], None] = lambda message: None) -> TrainingData:
    """Read and check everything. Raises a subclass of MblError; with ``options.strict`` also for findings."""
    checkpoint = _checkpoint(options, progress)
    task, asked = _task(options, checkpoint), options.seq_len
    options = options.resolved(task, scratch=checkpoint is None)
    progress("reading the data")
    train = read_examples(options.data, task.name)
    if options.eval is None:
        train, dev = hold_out(train, options.seed)
        progress(f"{len(dev)} examples are held out to score on; give others with --eval")
    else:
        dev = read_examples(options.eval, task.name)
    labels = choose_labels(options, checkpoint, task, train)
    weights, tokenizer = (_from_scratch(options, task, train, labels, progress) if checkpoint is None
                          else _adapted(options, checkpoint, task, train, labels))
    positions = weights.config.max_position_embeddings
    if asked is not None and asked > positions:
        raise DataError(f"seq_len is {asked}, but the network has positions for {positions} tokens")
    assert options.seq_len is not None
    length = min(options.seq_len, positions)
    options = replace(options, seq_len=length)
    rows = RowMaker(task, tokenizer, length, labels).rows(train)
    findings = check({"data": train, "eval": dev}, rows, length)
    for finding in findings:
        progress(f"data: {finding.message}")
    if findings and options.strict:
        raise DataError(f"{len(findings)} findings about the data, and --strict: {findings[0].message}"
                        + (", …" if len(findings) > 1 else ""))
    return TrainingData(options, task, weights, tokenizer, labels, default_masking("huggingface"), rows, train, dev,
                    findings, checkpoint is None)


def hold_out(examples: Sequence[Any], seed: int) -> tuple[list[Any], list[Any]]:
    """Training and held-out examples, in the order of the file. Raises DataError where there are too few."""
    count = min(MOST_HELD_OUT, int(HELD_OUT * len(examples)))
    if count < 1:
        raise DataError(f"{len(examples)} examples are too few to hold some out; give others to score on with --eval")
    out = set(np.random.default_rng([seed, 2]).permutation(len(examples))[:count].tolist())
    return ([example for i, example in enumerate(examples) if i not in out],
            [example for i, example in enumerate(examples) if i in out])


def choose_labels(options: TrainOptions, checkpoint: Checkpoint | None, task: Task,
                  train: Sequence[Any]) -> tuple[str, ...]:
    """The classes: those asked for, else the checkpoint's where they serve, else those that occur.

    Raises DataError for fewer than two.
    """
    if not task.has_labels or options.problem == REGRESSION:
        return ()
    found = task.training.labels(train, options.problem)
    labels = read_file(options.labels) if options.labels else found
    if options.labels is None and checkpoint and checkpoint.labels:
        numbers = {str(i) for i in range(len(checkpoint.labels))}
        if set(found) <= set(checkpoint.labels) or set(found) <= numbers:
            labels = checkpoint.labels
    if len(labels) < 2:
        raise DataError(f"{options.data} has {len(found)} labels ({', '.join(found) or 'none'}); "
                        "at least two classes are needed")
    return labels


def _task(options: TrainOptions, checkpoint: Checkpoint | None) -> Task:
    said = options.task or (checkpoint.weights.config.task if checkpoint else "")
    if not said:
        raise DataError(f"no task is given; those that can be trained are {', '.join(TRAINABLE)}")
    task = find_task(said, Form(options.problem))
    if not task.trainable:
        raise DataError(f"task {task.name} cannot be trained; those that can are {', '.join(TRAINABLE)}; or "
                        f"{task.trained_elsewhere}")
    if options.problem != SINGLE_LABEL and "problem" not in task.form_options:
        raise DataError(f"problem {options.problem} is for classification, not for {task.name}")
    return task


def _checkpoint(options: TrainOptions, progress: Callable[[str], None]) -> Checkpoint | None:
    if options.weights is None or options.weights in PRESETS:
        return None
    if options.config is not None:
        raise DataError("a configuration is for networks from scratch; a checkpoint has its own")
    if options.stack:
        raise DataError("stacking is for networks from scratch; a checkpoint has its layers")
    return load_checkpoint(options.weights, vocabulary=options.vocabulary, progress=progress)


def _labeled(config: MobileBertConfig, options: TrainOptions, task: Task, labels: tuple[str, ...]) -> MobileBertConfig:
    problem = options.problem if "problem" in task.form_options else ""
    return replace(config, labels=labels, problem_type=problem, task=task.name)


def _adapted(options: TrainOptions, checkpoint: Checkpoint, task: Task, train: Sequence[Any], labels: tuple[str, ...]
             ) -> tuple[Weights, Tokenizer]:
    weights = checkpoint.weights
    same = not checkpoint.labels or checkpoint.labels == labels
    [head] = task.heads
    outputs = len(labels) or weights.outputs(task.heads) or task.training.outputs(labels, train, options.problem)
    weights = with_head(weights, head, outputs, options.seed, fresh=not same, pooler=task.pools(head))
    config = _labeled(weights.config, options, task, labels)
    if options.dropout is not None:
        config = replace(config, hidden_dropout_prob=options.dropout)
    return replace(weights, config=config), checkpoint.tokenizer


def _from_scratch(options: TrainOptions, task: Task, train: Sequence[Any], labels: tuple[str, ...],
                  progress: Callable[[str], None]) -> tuple[Weights, Tokenizer]:
    config = read_configuration(options)
    if options.vocabulary:
        tokenizer = _given_tokenizer(options.vocabulary, options.cased, progress)
    else:
        words = build_vocabulary(texts_of(train), options.vocab_size, not options.cased)
        progress(f"a vocabulary of {len(words):,} words is made from the data")
        tokenizer = Tokenizer(words, lower_case=not options.cased)
    [head] = task.heads
    pooler = config.classifier_activation and task.pools(head)
    config = replace(_labeled(config, options, task, labels), vocab_size=len(tokenizer.vocabulary),
                     pad_token_id=tokenizer.pad_id, classifier_activation=pooler)
    if options.dropout is not None:
        config = replace(config, hidden_dropout_prob=options.dropout)
    wrong = [layers for layers in options.stack if not 0 < layers < config.num_hidden_layers]
    if wrong or list(options.stack) != sorted(set(options.stack)):
        raise DataError(f"stack is {list(options.stack)}; it must rise, and stay below the "
                        f"{config.num_hidden_layers} layers of the network")
    outputs = task.training.outputs(labels, train, options.problem)
    return initial(config, {head: outputs}, options.seed, pooler), tokenizer


def _given_tokenizer(path: Path, cased: bool, progress: Callable[[str], None]) -> Tokenizer:
    """The tokenizer at ``path``; ``cased`` stands above what its files say."""
    read = tokenizer_files.read(tokenizer_files.find(path.parent, path), lower_case=not cased)
    for note in read.notes:
        progress(f"tokenizer: {note}")
    settings = replace(read.settings, lower_case=False, strip_accents=False) if cased else read.settings
    return Tokenizer(read.words, settings=settings)


def read_configuration(options: TrainOptions) -> MobileBertConfig:
    """The configuration of a network from scratch: a file's (of transformers or TF1), or a preset's."""
    if options.config is None:
        return PRESETS[options.weights or SMALL]
    read = read_config(options.config, tensorflow=options.config.name == TENSORFLOW)
    if options.weights:
        raise ConfigError(f"--weights {options.weights} and --config: a network from scratch takes one of them")
    return read
