"""A checkpoint with all that belongs to it: weights, vocabulary, labels."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mobilebert_lite.converters import huggingface
from mobilebert_lite.errors import CheckpointError, DataError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.tokenization import Tokenizer
from mobilebert_lite.weights import Weights

VOCABULARY = "vocab.txt"
# The bundled checkpoint for a task; see its model card.
DEMONSTRATIONS = ("qa", "classification")


@dataclass(frozen=True)
class Checkpoint:
    """What a conversion starts from."""

    weights: Weights
    tokenizer: Tokenizer
    # Names of the classes in the order of the outputs; empty when there are none.
    labels: tuple[str, ...] = ()


def load_checkpoint(location: str | None, task: str | None = None, revision: str | None = None,
                    vocabulary: Path | None = None, labels: Path | None = None) -> Checkpoint:
    """The checkpoint at ``location`` (folder or hub id), or the bundled one for ``task``.

    ``vocabulary`` and ``labels`` (one a line) override what lies beside the weights. Raises CheckpointError,
    ConfigError, WeightsError or DataError.
    """
    folder = demonstration(task) if location is None else huggingface.resolve(location, revision)
    weights = huggingface.load(folder)
    tokenizer = _tokenizer(folder, vocabulary, weights.config.vocab_size)
    return Checkpoint(weights, tokenizer, _labels(labels, weights))


def demonstration(task: str | None) -> Path:
    """The folder of the bundled checkpoint for ``task`` (question answering when None)."""
    name = "qa" if task is None else find_task(task).name
    if name not in DEMONSTRATIONS:
        raise CheckpointError(f"no checkpoint is bundled for task {name}; give one with --weights "
                              f"(bundled are {' and '.join(DEMONSTRATIONS)})")
    return Path(str(files("mobilebert_lite.data").joinpath(f"demo/{name}")))


def _tokenizer(folder: Path, vocabulary: Path | None, size: int) -> Tokenizer:
    path = vocabulary or folder / VOCABULARY
    if vocabulary is None and not path.exists():
        raise CheckpointError(f"no vocabulary in {folder}; give the checkpoint's {VOCABULARY} with --vocab")
    lower_case = huggingface.tokenizer_settings(folder).get("do_lower_case", True)
    tokenizer = Tokenizer.from_file(path, lower_case=bool(lower_case))
    if len(tokenizer.vocabulary) != size:
        raise DataError(f"{path} has {len(tokenizer.vocabulary)} words, but the checkpoint's vocab_size is {size}; "
                        "give the vocabulary it was trained with (--vocab)")
    return tokenizer


def _labels(path: Path | None, weights: Weights) -> tuple[str, ...]:
    if "classifier" not in weights.heads:
        return ()
    outputs = weights.tensors["classifier.kernel"].shape[1]
    labels = weights.config.labels
    if path is not None:
        try:
            labels = tuple(path.read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"cannot read the labels in {path}: {error}") from None
    if path is None and outputs == 1 and len(labels) != 1:
        return ()  # transformers writes its default of two names beside the one score of multiple choice
    if labels and len(labels) != outputs:
        raise DataError(f"{path or 'config.json'} names {len(labels)} labels, but the classifier has {outputs} outputs")
    return labels
