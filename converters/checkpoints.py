"""A checkpoint with all that belongs to it: weights, vocabulary, labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.converters import formats
from mobilebert_lite.converters.formats import FoundCheckpoint
from mobilebert_lite.converters.tokenizers import reading as tokenizer_files
from mobilebert_lite.errors import CheckpointError, DataError
from mobilebert_lite.quantization import trained
from mobilebert_lite.quantization.trained import TrainedRanges
from mobilebert_lite.tasks import Task, find_task
from mobilebert_lite.tasks.labels import checked, default_names, read_file
from mobilebert_lite.text.tokenization import Tokenizer

# The head whose outputs have names where a checkpoint does not say its task.
_CLASSIFIER = ("classifier",)
# The bundled checkpoint for a task; see its model card.
DEMONSTRATIONS = ("qa", "classification")


@dataclass(frozen=True)
class Checkpoint:
    """What a conversion starts from.

    weights: canonical tensors with their configuration.
    tokenizer: vocabulary and settings.
    labels: names of the classes in the order of the outputs; empty when there are none.
    trained: what quantization-aware training left.
    """

    weights: Weights
    tokenizer: Tokenizer
    labels: tuple[str, ...] = ()
    trained: TrainedRanges | None = None

    def class_names(self, task: Task) -> tuple[str, ...]:
        """Names of the classes in the order of the outputs, LABEL_0, … where the checkpoint has none; () of none."""
        return task.class_names(self.labels or default_names(self.weights.outputs(task.heads)))


def load_checkpoint(location: str | None, task: str | None = None, *, revision: str | None = None,
                    vocabulary: Path | None = None, labels: Path | None = None, format: str | None = None,
                    config: Path | None = None, progress: Callable[[str], None] = lambda message: None) -> Checkpoint:
    """The checkpoint at ``location`` (see ``formats.find``), or the bundled one for ``task``.

    ``vocabulary``, ``labels`` (one a line) and ``config`` override what lies beside the weights, ``format`` what the
    files look like. Raises CheckpointError, ConfigError, WeightsError or DataError.
    """
    found = formats.find(demonstration(task) if location is None else location, format, revision)
    progress(f"reading the checkpoint ({found})")
    weights = found.load(config, progress)
    tokenizer = read_tokenizer(found, vocabulary, weights.config.vocab_size, progress)
    if weights.pooling and weights.pooling.lower_case and not tokenizer.settings.lower_case:
        progress("tokenizer: texts are lower-cased first, as sentence_bert_config.json says")
        tokenizer = Tokenizer(tokenizer.vocabulary, settings=replace(tokenizer.settings, lower_case=True))
    return Checkpoint(weights, tokenizer, read_labels(labels, weights, task), trained.read(found.folder))


def demonstration(task: str | None) -> Path:
    """The folder of the bundled checkpoint for ``task`` (question answering when None)."""
    name = DEMONSTRATIONS[0] if task is None else find_task(task).name
    if name not in DEMONSTRATIONS:
        raise CheckpointError(f"no checkpoint is bundled for task {name}; give one with --weights "
                              f"(bundled are {' and '.join(DEMONSTRATIONS)})")
    return Path(str(files("mobilebert_lite.data").joinpath(f"demo/{name}")))


def read_tokenizer(checkpoint: FoundCheckpoint, vocabulary: Path | None, rows: int,
                   progress: Callable[[str], None] = lambda message: None) -> Tokenizer:
    """The tokenizer for a table of ``rows`` words: of the files of ``checkpoint``, or at ``vocabulary``.

    ``progress`` is told which file counts where two disagree. Raises CheckpointError where there is no vocabulary,
    DataError where one cannot be read or does not fit.
    """
    found = tokenizer_files.find(checkpoint.folder, vocabulary, checkpoint.beside)
    if found.vocabulary is None:
        raise CheckpointError(f"no vocabulary in {vocabulary or checkpoint.folder}; give the checkpoint's vocab.txt, "
                              "vocab.json or tokenizer.json with --vocab")
    read = tokenizer_files.read(found, rows)
    for note in read.notes:
        progress(f"tokenizer: {note}")
    return read.tokenizer()


def read_labels(path: Path | None, weights: Weights, task: str | None = None) -> tuple[str, ...]:
    """Names of the classes, from ``path`` or what lay beside the weights; none where ``task`` has no use for them.

    Raises DataError when they do not fit, or cannot be told apart (``labels.checked``).
    """
    name = task or weights.config.task
    wanted = find_task(name) if name else None
    heads = wanted.heads if wanted else _CLASSIFIER
    if not set(heads) & set(weights.heads) or not (wanted is None or wanted.has_labels):
        return ()
    outputs = weights.outputs(heads)
    if path is not None:
        labels = read_file(path)
    else:
        labels = checked(weights.config.labels, "the names of the checkpoint's classes")
        if outputs == 1 and labels == default_names(2):
            return ()  # transformers writes its default of two names beside the one score of multiple choice
    if labels and len(labels) != outputs:
        raise DataError(f"{path or 'the checkpoint'} names {len(labels)} labels, but the classifier has {outputs} "
                        f"outputs; give {outputs} names, one a line (--labels FILE)")
    return labels
