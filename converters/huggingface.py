"""Hugging Face checkpoints: ``config.json`` with ``model.safetensors``, sharded or whole, or ``pytorch_model.bin``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.config import ARCHITECTURES, MobileBertConfig, read_json, to_huggingface
from mobilebert_lite.config_files import HUGGINGFACE, TENSORFLOW, read_config
from mobilebert_lite.converters import configuration
from mobilebert_lite.converters.name_maps import huggingface_rows, read_tensors, write_tensors
from mobilebert_lite.errors import CheckpointError, DependencyError, WeightsError
from mobilebert_lite.files import json_bytes, sha256_of, write_atomically
from mobilebert_lite.weights import Source, Weights, checked

SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"

# Written by transformers, read by nothing: the positions 0, 1, 2, … and a second name of a tied tensor.
_IGNORED = ("embeddings.position_ids",)
_TIED = {"cls.predictions.decoder.weight": "mobilebert.embeddings.word_embeddings.weight",
         "cls.predictions.decoder.bias": "cls.predictions.bias"}
# Tasks whose classifier reads the pooler in transformers; that of single tokens does not.
_POOLED = ("classification", "multiple-choice")


def load(folder: Path, config_path: Path | None = None) -> Weights:
    """Read the checkpoint in ``folder``, with the configuration at ``config_path`` in place of its own.

    Raises ConfigError, CheckpointError (unreadable files) or WeightsError (tensors that do not fit).
    """
    beside = configuration.beside(folder, names=(HUGGINGFACE, TENSORFLOW)) or folder / HUGGINGFACE
    config = read_config(config_path or beside, tensorflow=False)
    tensors, files = _read_all(folder)
    ours = read_tensors(huggingface_rows(config), _cleaned(config, tensors))
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
        if name.endswith(_IGNORED):
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


def _read_all(folder: Path) -> tuple[dict[str, np.ndarray], list[Path]]:
    """All tensors in the folder and the files they came from."""
    index = folder / f"{SAFETENSORS}.index.json"
    if (folder / SAFETENSORS).exists():
        files = [folder / SAFETENSORS]
    elif index.exists():
        files = _shards(folder, index)
    elif (folder / PICKLE).exists():
        return _read_pickle(folder / PICKLE), [folder / PICKLE]
    else:
        raise CheckpointError(f"no weights in {folder}: expected {SAFETENSORS}, {index.name} or {PICKLE}")
    tensors: dict[str, np.ndarray] = {}
    for file in files:
        tensors.update(read_safetensors(file))
    return tensors, files


def _shards(folder: Path, index: Path) -> list[Path]:
    weight_map: Any = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise CheckpointError(f"{index} has no weight_map from tensor to file")
    names = sorted(set(weight_map.values()))
    escaping = [name for name in names if Path(name).name != name or name in ("", "..")]
    if escaping:
        raise CheckpointError(f"{index} names a file outside the folder: {escaping[0]}")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise CheckpointError(f"{folder} lacks the shards {', '.join(missing)} that {index.name} names")
    return [folder / name for name in names]


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Every tensor of a safetensors file as float32. Raises CheckpointError when it is damaged."""
    try:
        import ml_dtypes  # noqa: F401  teaches NumPy bfloat16
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise DependencyError(f"reading safetensors needs {error.name}: "
                              "pip install 'mobilebert-lite[convert]'") from None
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: np.asarray(file.get_tensor(name)).astype(np.float32) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file ({error}); download it again") from None


def _read_pickle(path: Path) -> dict[str, np.ndarray]:
    """Through torch's restricted unpickler only: a pickle can run any code."""
    try:
        import torch
    except ImportError:
        raise DependencyError(f"{path} is a pickle, which is read only through torch's weights_only loader: "
                              "install torch, or save the model again as safetensors") from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.to(torch.float32).numpy() for name, tensor in state.items()}
    except Exception as error:  # torch raises many kinds here, all of them about the file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} cannot be read with weights_only loading: {reason}") from None


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

    tensors = {name: np.ascontiguousarray(tensor.astype(dtype))
               for name, tensor in write_tensors(huggingface_rows(weights.config), weights.tensors).items()}
    if not weights.heads:
        tensors = {name.removeprefix("mobilebert."): tensor for name, tensor in tensors.items()}
    config = {**to_huggingface(weights.config), "architectures": [_architecture(weights)], "dtype": dtype}
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
