"""Hugging Face checkpoints: ``config.json`` with any of the files that ``tensor_files`` reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.config import ARCHITECTURES, MobileBertConfig, from_huggingface, read_json, to_huggingface
from mobilebert_lite.converters import tensor_files
from mobilebert_lite.converters.name_maps import UNTIED, huggingface_rows, read_tensors, write_tensors
from mobilebert_lite.converters.tensor_files import PICKLE, SAFETENSORS, Note, silent
from mobilebert_lite.converters.tensorflow_classes import translated
from mobilebert_lite.errors import CheckpointError, DependencyError, WeightsError
from mobilebert_lite.files import json_bytes, sha256_of, write_atomically
from mobilebert_lite.weights import Source, Weights, checked

# Written by transformers, read by nothing: the positions 0, 1, 2, … and a second name of a tied tensor.
_IGNORED = ("embeddings.position_ids",)
_TIED = {"cls.predictions.decoder.weight": "mobilebert.embeddings.word_embeddings.weight",
         "cls.predictions.decoder.bias": "cls.predictions.bias"}
# Tasks whose classifier reads the pooler in transformers; that of single tokens does not.
_POOLED = ("classification", "multiple-choice")


def load(folder: Path, config_path: Path | None = None, note: Note = silent) -> Weights:
    """Read the checkpoint in ``folder``, with the configuration at ``config_path`` in place of its own.

    ``note`` is told what one must know of its files.

    Raises ConfigError, CheckpointError (unreadable files) or WeightsError (tensors that do not fit).
    """
    raw = read_json(config_path or folder / "config.json")
    config = from_huggingface(raw)
    theirs, files = tensor_files.read_all(folder, note)
    raw, tensors = translated(raw, theirs)
    rows = huggingface_rows(config, tied=raw.get("tie_word_embeddings") is not False)
    ours = read_tensors(rows, _cleaned(config, tensors))
    weights = checked(config, ours, Source("huggingface", str(folder), sha256_of(files)))
    _check_pooler(weights)
    return weights


def _check_pooler(weights: Weights) -> None:
    """Raise where transformers would make up the tanh layer on [CLS], and give other answers every time."""
    config = weights.config
    read = "nsp" in weights.heads or ("classifier" in weights.heads and config.task in _POOLED)
    if read and config.classifier_activation and not weights.has_pooler:
        raise WeightsError(f"{weights.source.path} does not fit its configuration: missing "
                           "mobilebert.pooler.dense.weight, mobilebert.pooler.dense.bias, which its head reads; if it "
                           "was trained without them, set classifier_activation to false in config.json")


def _cleaned(config: MobileBertConfig, tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without what carries no information, and with the prefix that encoder-only checkpoints leave out."""
    cleaned = {}
    for name, tensor in tensors.items():
        if name.startswith(("embeddings.", "encoder.", "pooler.")):
            name = f"mobilebert.{name}"
        if name.endswith(_IGNORED) or not tensor.size:  # the rest of a word table as wide as the network
            continue
        if name in _TIED and _same(tensor, tensors.get(_TIED[name])):
            continue
        cleaned[name] = tensor
    if not config.classifier_activation:
        # Without the activation, transformers still stores a pooler in old checkpoints, and never reads it.
        cleaned = {name: tensor for name, tensor in cleaned.items() if not name.startswith("mobilebert.pooler.")}
    return cleaned


def _same(tensor: np.ndarray, other: np.ndarray | None) -> bool:
    """Whether a tied tensor is only a second name. The decoder's weight is tied to the narrower word table."""
    return other is None or (tensor.shape == other.shape and np.array_equal(tensor, other))


def resolve(location: str, revision: str | None = None) -> Path:
    """A local checkpoint folder for ``location``: itself, or a download of the hub id ``owner/name``.

    Raises CheckpointError when it is neither, or when the hub cannot be reached.
    """
    path = Path(location)
    if path.is_dir():
        return path
    if path.is_file():
        return path.parent
    if location.startswith((".", "/", "~")) or location.count("/") > 1 or "\\" in location:
        raise CheckpointError(f"no checkpoint folder at {location}")
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError:
        raise DependencyError(f"there is no folder {location}; to fetch it from the hub: "
                              "pip install 'mobilebert-lite[hub]'") from None
    wanted = ["config.json", "*.safetensors", "*.safetensors.index.json", "vocab.txt", "tokenizer_config.json"]
    try:
        found = Path(snapshot_download(location, revision=revision, allow_patterns=wanted))
        if not any(found.glob("*.safetensors")):
            found = Path(snapshot_download(location, revision=revision, allow_patterns=[*wanted, PICKLE]))
        return found
    except HFValidationError:
        raise CheckpointError(f"{location!r} is neither a folder nor a hub id (owner/name)") from None
    except HfHubHTTPError as error:
        raise CheckpointError(f"the hub refused {location!r}: {str(error).splitlines()[0]}") from None
    except Exception as error:  # offline: the kinds differ between transports and versions
        raise CheckpointError(f"there is no folder {location}, and the hub could not be asked for it "
                              f"({type(error).__name__}); give a local folder with config.json and "
                              f"{SAFETENSORS}, or download {location} where the network is there") from None


def tokenizer_settings(folder: Path) -> dict[str, Any]:
    """What ``tokenizer_config.json`` says (do_lower_case, …); empty where there is none."""
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}


def save(weights: Weights, folder: Path, vocabulary: Iterable[str] = (), lower_case: bool = True,
         dtype: str = "float32") -> None:
    """Write ``weights`` as a checkpoint that transformers and ``load`` read; ``dtype`` is float32 or float16.

    Each file appears whole or not at all. Raises OSError when the folder cannot be made, ConversionError when a file
    cannot be written.
    """
    from safetensors.numpy import save as serialise

    rows = huggingface_rows(weights.config, tied=UNTIED not in weights.tensors)
    tensors = {name: np.ascontiguousarray(tensor.astype(dtype))
               for name, tensor in write_tensors(rows, weights.tensors).items()}
    if not weights.heads:
        tensors = {name.removeprefix("mobilebert."): tensor for name, tensor in tensors.items()}
    config = {**to_huggingface(weights.config), "architectures": [_architecture(weights)], "dtype": dtype}
    if UNTIED in weights.tensors:
        config["tie_word_embeddings"] = False
    if "classifier" in weights.heads and not weights.config.labels:
        config["num_labels"] = int(weights.tensors["classifier.bias"].size)  # or transformers takes 2 for granted
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / SAFETENSORS, serialise(tensors, metadata={"format": "pt"}))
    write_atomically(folder / "config.json", json_bytes(config))
    if words := list(vocabulary):
        write_atomically(folder / "vocab.txt", "".join(f"{word}\n" for word in words).encode())
        write_atomically(folder / "tokenizer_config.json",
                         json_bytes({"do_lower_case": lower_case, "tokenizer_class": "BertTokenizer"}))


_BY_HEADS = {("qa",): "qa", ("classifier",): "classification", ("mlm",): "fill-mask", ("nsp",): "next-sentence",
             ("mlm", "nsp"): "pretraining"}


def _architecture(weights: Weights) -> str:
    task = (weights.config.task or _BY_HEADS.get(weights.heads, "")) if weights.heads else ""
    return ARCHITECTURES.get(task, "MobileBertModel")
