"""A checkpoint with all that belongs to it: weights, vocabulary, labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mobilebert_lite.converters import formats, huggingface
from mobilebert_lite.converters.formats import Found
from mobilebert_lite.errors import CheckpointError, DataError
from mobilebert_lite.files import read_lines
from mobilebert_lite.quantization import trained
from mobilebert_lite.quantization.trained import TrainedRanges
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tokenization import Tokenizer
from mobilebert_lite.weights import Weights

# The bundled checkpoint for a task; see its model card.
DEMONSTRATIONS = ("qa", "classification")


@dataclass(frozen=True)
class Checkpoint:
    """What a conversion starts from."""

    weights: Weights
    tokenizer: Tokenizer
    # Names of the classes in the order of the outputs; empty when there are none.
    labels: tuple[str, ...] = ()
    # What quantisation-aware training left.
    trained: TrainedRanges | None = None


def load_checkpoint(location: str | None, task: str | None = None, revision: str | None = None,
                    vocabulary: Path | None = None, labels: Path | None = None, format: str | None = None,
                    config: Path | None = None, progress: Callable[[str], None] = lambda message: None) -> Checkpoint:
    """The checkpoint at ``location`` (see ``formats.find``), or the bundled one for ``task``.

    ``vocabulary``, ``labels`` (one a line) and ``config`` override what lies beside the weights, ``format`` what the
    files look like. Raises CheckpointError, ConfigError, WeightsError or DataError.
    """
    found = formats.find(demonstration(task) if location is None else location, format, revision)
    progress(f"reading the checkpoint ({found})")
    weights = found.load(config, progress)
    tokenizer = read_tokenizer(found, vocabulary, weights.config.vocab_size)
    return Checkpoint(weights, tokenizer, read_labels(labels, weights), trained.read(found.folder))


def demonstration(task: str | None) -> Path:
    """The folder of the bundled checkpoint for ``task`` (question answering when None)."""
    name = "qa" if task is None else find_task(task).name
    if name not in DEMONSTRATIONS:
        raise CheckpointError(f"no checkpoint is bundled for task {name}; give one with --weights "
                              f"(bundled are {' and '.join(DEMONSTRATIONS)})")
    return Path(str(files("mobilebert_lite.data").joinpath(f"demo/{name}")))


def read_tokenizer(found: Found, vocabulary: Path | None, size: int) -> Tokenizer:
    """The tokenizer of ``size`` words beside a checkpoint, or at ``vocabulary``.

    Without a word of the checkpoint's own on the matter, a vocabulary with capital letters is a cased one. Raises
    CheckpointError where there is none, DataError where it does not fit.
    """
    path = vocabulary or found.vocabulary
    if vocabulary is None and not path.exists():
        raise CheckpointError(f"no vocabulary in {found.folder}; give the checkpoint's {path.name} with --vocab")
    lower_case = huggingface.tokenizer_settings(found.folder).get("do_lower_case")
    tokenizer = Tokenizer.from_file(path, lower_case=lower_case is not False)
    if lower_case is None and has_capitals(tokenizer.vocabulary):
        tokenizer = Tokenizer(tokenizer.vocabulary, lower_case=False)
    if len(tokenizer.vocabulary) != size:
        raise DataError(f"{path} has {len(tokenizer.vocabulary)} words, but the checkpoint's vocab_size is {size}; "
                        "give the vocabulary it was trained with (--vocab)")
    return tokenizer


def has_capitals(vocabulary: Iterable[str]) -> bool:
    """Whether any word holds a letter that lower-casing changes; [CLS] and its like do not count."""
    return any(word != word.lower() for word in vocabulary if not (word.startswith("[") and word.endswith("]")))


def read_labels(path: Path | None, weights: Weights) -> tuple[str, ...]:
    """Names of the classes, from ``path`` or what lay beside the weights. Raises DataError when they do not fit."""
    if "classifier" not in weights.heads:
        return ()
    outputs = weights.tensors["classifier.kernel"].shape[1]
    labels = weights.config.labels
    if path is not None:
        labels = read_lines(path)
    if path is None and outputs == 1 and len(labels) != 1:
        return ()  # transformers writes its default of two names beside the one score of multiple choice
    if labels and len(labels) != outputs:
        raise DataError(f"{path or 'the checkpoint'} names {len(labels)} labels, but the classifier has {outputs} "
                        "outputs")
    return labels
