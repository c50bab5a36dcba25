"""From what is asked for to what a training consists of: examples, vocabulary, weights, rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.config import PRESETS
from mobilebert_lite.architecture.form import REGRESSION
from mobilebert_lite.architecture.masking import Masking, default_masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
from mobilebert_lite.datasets.naming import name_labels
from mobilebert_lite.datasets.reading import ReadExamples, evenly
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.tokenization import Tokenizer
from mobilebert_lite.training import raw_text, splitting
from mobilebert_lite.training.batches import EncodedRow
from mobilebert_lite.training.checks import DataFinding, check
from mobilebert_lite.training.classes import choose_labels
from mobilebert_lite.training.defaults import MOST_HELD_OUT, held_out
from mobilebert_lite.training.options import TrainOptions
from mobilebert_lite.training.preconditions import task_of
from mobilebert_lite.training.rows import RowMaker
from mobilebert_lite.training.start import start

Say = Callable[[str], None]


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
    # What the weights are taken from, and what is new.
    origin: tuple[str, ...] = ()


@dataclass(frozen=True)
class Material:
    """What was read: enough to prepare a training, or several on parts of the examples."""

    options: TrainOptions
    checkpoint: Checkpoint | None
    task: Task
    # Units of the data (raw_text.read_units), which a split may part.
    units: Sequence[Any]
    labels: tuple[str, ...]

    @property
    def by_class(self) -> bool:
        """Whether the classes are to have their shares on each side of a split."""
        return self.options.problem != REGRESSION and not raw_text.is_raw(self.options.data, self.task)

    def examples(self, units: Sequence[Any]) -> list[Any]:
        """The examples that ``units`` make."""
        return raw_text.examples_of(units, self.options.data, self.task, self.options.seed)


def prepare(options: TrainOptions, progress: Say = lambda message: None) -> TrainingData:
    """Read and check everything. Raises a subclass of MblError; with ``options.strict`` also for findings."""
    material = read(options, progress)
    units, by_class = material.units, material.by_class
    if options.eval is None:
        train, dev = map(material.examples, splitting.hold_out(units, held_out(len(units)), MOST_HELD_OUT, options.seed,
                                                               by_class))
        progress(f"{len(dev)} examples are held out to score on, none a copy of one that is learnt from; give others "
                 "with --eval" + ("" if len(dev) >= FEW_HELD_OUT else ", or score on all of them with --folds 5"))
    else:
        train = material.examples(units)
        held = _units(options.eval, material.task, options, progress)
        dev = raw_text.examples_of(name_labels(held, material.task, material.labels), options.eval, material.task,
                                   options.seed)
    return assemble(material, train, dev, progress)


def prepare_folds(options: TrainOptions, progress: Say = lambda message: None
                  ) -> tuple[TrainingData, list[Callable[[], TrainingData]]]:
    """A training on all of the data, and what prepares one for each of the parts that it is scored on.

    Raises as ``prepare``.
    """
    material = read(options, progress)
    everything = material.examples(material.units)
    assert options.folds is not None
    parts = splitting.folds(material.units, options.folds, options.seed, material.by_class)
    # What is learnt from is scored too, to see that it has been learnt.
    whole = assemble(material, everything, evenly(everything, MOST_HELD_OUT), progress, leaks=True)
    progress(f"{len(everything):,} examples in {options.folds} parts, none with a copy of what another holds")
    # The vocabulary and the weights of each part are made from what it learns from, the classes from all examples.
    return whole, [partial(assemble, material, material.examples(train), material.examples(dev), lambda message: None)
                   for train, dev in parts]


# Fewer examples than these tell scores apart by more than five points only.
FEW_HELD_OUT = 200


def read(options: TrainOptions, progress: Say = lambda message: None) -> Material:
    """The checkpoint and the data. Raises a subclass of MblError."""
    checkpoint = _checkpoint(options, progress)
    task = task_of(options, checkpoint.weights.config.task if checkpoint else "")
    progress("reading the data")
    given = _units(options.data, task, options, progress)
    labels = choose_labels(options, checkpoint, task, given)
    return Material(options, checkpoint, task, name_labels(given, task, labels), labels)


def _units(path: Path, task: Task, options: TrainOptions, progress: Say) -> ReadExamples:
    found = raw_text.read_units(path, task, options.reading)
    if found.skipped:
        progress(f"data: {found.told()}")
    return found


def assemble(material: Material, train: Sequence[Any], dev: Sequence[Any], progress: Say, *,
             leaks: bool = False) -> TrainingData:
    """A training on ``train``, scored on ``dev``.

    ``leaks``: ``dev`` is a part of ``train``, and is meant to be. Raises a subclass of MblError; with ``strict`` also
    for findings.
    """
    checkpoint = material.checkpoint
    options = material.options.resolved(material.task, checkpoint is None, len(train))
    task = material.task.with_form(material.task.training.form(material.task.form, [*train, *dev]))
    begun = start(options, checkpoint, task, train, labels=material.labels, say=progress)
    for note in begun.notes:
        progress(note)
    positions = begun.weights.config.max_position_embeddings
    if (asked := material.options.seq_len) is not None and asked > positions:
        raise DataError(f"seq_len is {asked}, but the network has positions for {positions} tokens")
    assert options.seq_len is not None
    length = min(options.seq_len, positions)
    rows = RowMaker(task, begun.tokenizer, length, begun.labels).rows(train)
    findings = check({"data": train} if leaks else {"data": train, "eval": dev}, rows, length)
    for finding in findings:
        progress(f"data: {finding.message}")
    if findings and options.strict:
        raise DataError(f"{len(findings)} findings about the data, and --strict: {findings[0].message}"
                        + (", …" if len(findings) > 1 else ""))
    return TrainingData(replace(options, seq_len=length), task, begun.weights, begun.tokenizer, begun.labels,
                        default_masking("huggingface"), rows, train, dev, findings, checkpoint is None, begun.notes)


def _checkpoint(options: TrainOptions, progress: Say) -> Checkpoint | None:
    if options.weights is None or options.weights in PRESETS:
        return None
    return load_checkpoint(options.weights, vocabulary=options.vocabulary, progress=progress)
