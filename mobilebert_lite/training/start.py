"""The network that a training starts from: new, or a checkpoint's with its head or a new one; and how that is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.config import PRESETS, MobileBertConfig
from mobilebert_lite.architecture.config_files import TENSORFLOW, read_config
from mobilebert_lite.architecture.heads import HEADS
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.converters.checkpoints import Checkpoint
from mobilebert_lite.converters.tokenizers import reading as tokenizer_files
from mobilebert_lite.errors import ConfigError, DataError, shorten
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training.defaults import FEW_ROWS
from mobilebert_lite.training.initial import head_of, initial, with_head
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.vocabulary import build_vocabulary, texts_of

SMALL = "small"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Start:
    """What a training starts from."""

    weights: Weights
    tokenizer: Tokenizer
    labels: tuple[str, ...]
    # What is taken from where and what is new, for people, a line each.
    notes: tuple[str, ...]


def start(options: TrainOptions, checkpoint: Checkpoint | None, task: Task,
          train: Sequence[Any], *, labels: tuple[str, ...], say: Say) -> Start:
    """The network for ``train``, the examples to learn from, and all classes. Raises a subclass of MblError."""
    if checkpoint is None:
        weights, tokenizer = _from_scratch(options, task, train, labels, say)
        return Start(weights, tokenizer, labels, _about_new(weights, len(train)))
    return _adapted(options, checkpoint, task, train, labels)


def _labeled(config: MobileBertConfig, options: TrainOptions, task: Task, labels: tuple[str, ...]) -> MobileBertConfig:
    problem = options.problem if "problem" in task.form_options else ""
    return replace(config, labels=labels if task.has_labels else (), problem_type=problem, task=task.name)


def _adapted(options: TrainOptions, checkpoint: Checkpoint, task: Task, train: Sequence[Any], labels: tuple[str, ...]
             ) -> Start:
    before = checkpoint.weights
    [head] = task.heads
    same = not task.has_labels or not checkpoint.labels or checkpoint.labels == labels
    outputs = _outputs(options, task, train, labels, before)
    weights = with_head(before, head, outputs, options.seed, fresh=not same, pooler=task.pools(head))
    config = _labeled(weights.config, options, task, labels)
    if options.dropout is not None:
        config = replace(config, hidden_dropout_prob=options.dropout)
    notes = _about_taken(options.weights or "", checkpoint, task, labels, outputs, same=same)
    return Start(replace(weights, config=config), checkpoint.tokenizer, labels, notes)


def _outputs(options: TrainOptions, task: Task, train: Sequence[Any], labels: tuple[str, ...], weights: Weights) -> int:
    if task.has_labels and labels:
        return len(labels)
    own = weights.outputs(task.heads) if task.has_labels else 0
    return own or task.training.outputs(labels, train, options.problem)


def _about_taken(location: str, checkpoint: Checkpoint, task: Task, labels: tuple[str, ...], outputs: int,
                 *, same: bool) -> tuple[str, ...]:
    weights = checkpoint.weights
    [head] = task.heads
    pooler = " with its pooler" if task.pools(head) and weights.has_pooler else ""
    taken = (f"from {location}: the encoder{pooler} ({weights.config.num_hidden_layers} layers) and a vocabulary of "
             f"{len(checkpoint.tokenizer.vocabulary):,} words")
    title, classes = HEADS[head].title, f" ({shorten(list(labels))})" if labels else ""
    if same and head_of(weights, head, outputs) is not None:
        return (f"{taken}, and the head for {title}{classes}; no part is new",)
    others = [HEADS[one].title for one in weights.heads if one != head]
    if not same:
        why = f"the checkpoint's is for other classes ({shorten(list(checkpoint.labels))})"
    elif head in weights.heads:
        why = f"the checkpoint's has {weights.outputs([head])} outputs, and {outputs} are needed"
    else:
        why = "the checkpoint has none" + (f" (it has one for {' and '.join(others)})" if others else "")
    return taken, f"the head for {title}{classes} is new, because {why}"


def _about_new(weights: Weights, rows: int) -> tuple[str, ...]:
    told = (f"from scratch: every part of the network is new ({weights.config.num_hidden_layers} layers, "
            f"{weights.parameters:,} parameters)",)
    if rows >= FEW_ROWS:
        return told
    return (*told, f"{rows:,} rows are few for a network from scratch: a pretrained checkpoint usually does better on "
            f"fewer than {FEW_ROWS:,}; give one with --weights, a folder or a hub id such as "
            "google/mobilebert-uncased")


def _from_scratch(options: TrainOptions, task: Task, train: Sequence[Any], labels: tuple[str, ...],
                  say: Say) -> tuple[Weights, Tokenizer]:
    config = read_configuration(options)
    if options.vocabulary:
        tokenizer = _given_tokenizer(options.vocabulary, options.cased, say)
    else:
        words = build_vocabulary(texts_of(train), options.vocab_size, not options.cased)
        say(f"a vocabulary of {len(words):,} words is made from the data")
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
    if options.stack and config.shapes:
        raise DataError("stack begins with fewer layers of one shape, and the blocks of this configuration differ; "
                        "leave out --stack")
    outputs = task.training.outputs(labels, train, options.problem)
    return initial(config, {head: outputs}, options.seed, pooler), tokenizer


def _given_tokenizer(path: Path, cased: bool, say: Say) -> Tokenizer:
    """The tokenizer at ``path``; ``cased`` stands above what its files say."""
    read = tokenizer_files.read(tokenizer_files.find(path.parent, path), lower_case=not cased)
    for note in read.notes:
        say(f"tokenizer: {note}")
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
