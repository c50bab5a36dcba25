"""Folders of sentence-transformers: ``modules.json`` lists what follows the network, and each module has a folder.

Modules that make a vector otherwise than this package can are refused by name. Source: ``modules/pooling.py``,
``dense.py``, ``normalize.py`` and ``transformer.py`` of sentence-transformers 6.2, which also read what its earlier
versions wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.config import read_json
from mobilebert_lite.architecture.pooling import POOLINGS, Pooling
from mobilebert_lite.architecture.weights import Weights, checked
from mobilebert_lite.common.fields import parse_json, read_object
from mobilebert_lite.common.files import json_bytes, read_text, write_atomically
from mobilebert_lite.converters.huggingface import tensor_files
from mobilebert_lite.converters.huggingface.cleaning import Note
from mobilebert_lite.converters.huggingface.variants import SAFETENSORS
from mobilebert_lite.errors import CheckpointError, DataError

MODULES, SETTINGS, TRANSFORMER = "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"
CONFIG = "config.json"
_TOKENIZER = "tokenizer_config.json"
# The task of a network with these modules (tasks.TASKS).
TASK = "embedding"
# What versions before 1.0 called the network.
_NETWORKS = ("Transformer", "BERT")
# Does nothing once training is over.
_SILENT = ("Dropout",)
# Flag of a pooling of earlier versions → its name now.
_FLAGS = {"pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max", "pooling_mode_mean_tokens": "mean",
          "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
          "pooling_mode_weightedmean_tokens": "weightedmean", "pooling_mode_lasttoken": "lasttoken"}
# Classes of torch.nn → pooling.ACTIVATIONS.
_ACTIVATIONS = {"torch.nn.modules.linear.Identity": "linear", "torch.nn.modules.activation.Tanh": "tanh",
                "torch.nn.modules.activation.ReLU": "relu", "torch.nn.modules.activation.GELU": "gelu",
                "torch.nn.modules.activation.Sigmoid": "sigmoid"}
_VECTOR = "sentence_embedding"


@dataclass(frozen=True)
class Module:
    """One line of ``modules.json``: its class without the package, and its folder."""

    kind: str
    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration; empty where it has none."""
        path = self.folder / CONFIG
        return read_json(path) if path.is_file() else {}


def find(folder: Path) -> Path | None:
    """The folder whose ``modules.json`` counts for the network in ``folder``: itself, or the one above that names it.
    """
    if (folder / MODULES).is_file():
        return folder
    above = folder.absolute().parent
    named = (above / MODULES).is_file() and any(one.kind in _NETWORKS and one.folder.name == folder.absolute().name
                                                for one in read_modules(above))
    return above if named else None


def network(folder: Path) -> Path | None:
    """Where the network of the modules in ``folder`` lies, if it is a folder of its own."""
    if not (folder / MODULES).is_file():
        return None
    place = next((one.folder for one in read_modules(folder) if one.kind in _NETWORKS), folder)
    return place if place != folder and place.is_dir() else None


def read_modules(folder: Path) -> list[Module]:
    """The modules of ``folder`` in their order. Raises CheckpointError for a list that cannot be read."""
    path = folder / MODULES
    try:
        listed = parse_json(read_text(path))
        rows = sorted((read_object(one, str(path)) for one in listed), key=lambda one: one["idx"])
        found = [Module(str(one["type"]).rpartition(".")[2], folder / str(one["path"])) for one in rows]
    except (ValueError, KeyError, TypeError, DataError) as error:
        raise CheckpointError(f"{path} is no list of modules with idx, path and type: {error}") from None
    if outside := [one.folder for one in found if not one.folder.resolve().is_relative_to(folder.resolve())]:
        raise CheckpointError(f"{path} leads out of its folder, to {outside[0]}")
    return found


def with_modules(weights: Weights, folder: Path, note: Note) -> Weights:
    """``weights`` of the network in ``folder`` with what the modules beside it make of its output.

    Unchanged where there are none. Raises CheckpointError naming a module, an order, or a setting that no file can be
    made for.
    """
    place = find(folder)
    modules = [one for one in read_modules(place) if one.kind not in (*_NETWORKS, *_SILENT)] if place else []
    if place is None or not modules:
        return weights
    kinds = tuple(one.kind for one in modules)
    _check_order(kinds, place)
    pooling = Pooling(_mode(modules[0], weights), "Normalize" in kinds, max_length=_max_length(folder, weights),
                      lower_case=_flag(_read(folder / TRANSFORMER), "do_lower_case", folder / TRANSFORMER))
    tensors = dict(weights.tensors)
    for module in modules[1:]:
        _check_ports(module)
        if module.kind == "Dense":
            pooling = replace(pooling, dense=_activation(module))
            tensors |= _dense(module, note)
    for line in _prompts(place):
        note(line)
    note(f"{MODULES}: {pooling}" + (f", texts of at most {pooling.max_length} tokens" if pooling.max_length else ""))
    whole = checked(replace(weights.config, task=TASK), tensors, weights.source)
    return replace(whole, pooling=pooling)


def _check_order(kinds: Sequence[str], place: Path) -> None:
    known = (("Pooling",), ("Pooling", "Normalize"), ("Pooling", "Dense"), ("Pooling", "Dense", "Normalize"))
    if kinds in known:
        return
    odd = [kind for kind in kinds if kind not in known[-1]]
    what = (f"the module {', '.join(odd)}" if odd else f"the modules {', '.join(kinds)} in this order")
    raise CheckpointError(f"{place / MODULES}: {what} cannot be converted; a network may be followed by Pooling, then "
                          "Dense, then Normalize, the last two or either of them left out. To convert the encoder "
                          f"alone, copy its folder without {MODULES}")


def _mode(module: Module, weights: Weights) -> str:
    """How the pooling pools. Raises CheckpointError for a kind that is not offered, several, or another width."""
    config, path = module.config, module.folder / CONFIG
    said = config.get("pooling_mode") or [mode for flag, mode in _FLAGS.items() if _flag(config, flag, path)] or "mean"
    modes = [said] if isinstance(said, str) else said
    unknown = sorted(set(config) - {*_FLAGS, "pooling_mode", "embedding_dimension", "word_embedding_dimension",
                                    "include_prompt"})
    if unknown:
        raise CheckpointError(f"{path}: unknown settings {', '.join(unknown)} of the pooling")
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise CheckpointError(f"{path}: pooling {' and '.join(map(str, modes))} cannot be converted; known are "
                              f"{', '.join(POOLINGS)}, one of them")
    width = config.get("embedding_dimension", config.get("word_embedding_dimension", weights.config.hidden_size))
    if width != weights.config.hidden_size:
        raise CheckpointError(f"{path}: it pools vectors of {width}, but hidden_size is {weights.config.hidden_size}")
    return str(modes[0])


def _max_length(folder: Path, weights: Weights) -> int:
    """Tokens at which texts are cut; 0 where nothing below the last position says. Since version 6 the tokenizer's
    setting counts."""
    for path, key in ((folder / TRANSFORMER, "max_seq_length"), (folder / _TOKENIZER, "model_max_length")):
        length = _read(path).get(key)
        if isinstance(length, int) and not isinstance(length, bool) and length > 2:
            return min(length, weights.config.max_position_embeddings)
    return 0


def _check_ports(module: Module) -> None:
    """Raise CheckpointError for a module that reads or writes something else than the vector of the text."""
    for key in ("module_input_name", "module_output_name"):
        if (name := module.config.get(key, _VECTOR) or _VECTOR) != _VECTOR:
            raise CheckpointError(f"{module.folder / CONFIG}: {module.kind} with {key} {name!r} cannot be converted; "
                                  f"only {_VECTOR} can")


def _activation(module: Module) -> str:
    config, path = module.config, module.folder / CONFIG
    name = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    if name not in _ACTIVATIONS:
        raise CheckpointError(f"{path}: Dense with activation_function {name} cannot be converted; known are "
                              f"{', '.join(_ACTIVATIONS)}")
    if _flag(config, "use_residual", path):
        raise CheckpointError(f"{path}: Dense with use_residual cannot be converted")
    return _ACTIVATIONS[name]


def _dense(module: Module, note: Note) -> dict[str, np.ndarray]:
    """Kernel and bias; a layer without a bias has one of zeros."""
    tensors, _ = tensor_files.read_all(module.folder, note)
    weight = tensors.pop("linear.weight", None)
    if weight is None or weight.ndim != 2 or set(tensors) - {"linear.bias"}:
        raise CheckpointError(f"{module.folder} is no Dense module: it must hold linear.weight and linear.bias, and "
                              f"also holds {', '.join(tensors) or 'nothing'}")
    return {"embedding.kernel": weight.T, "embedding.bias": tensors.get("linear.bias", np.zeros(len(weight)))}


def _prompts(place: Path) -> list[str]:
    """What users must do themselves, as the library does it for them."""
    settings = _read(place / SETTINGS)
    prompts, default = settings.get("prompts") or {}, settings.get("default_prompt_name")
    found = []
    if isinstance(prompts, Mapping) and (used := {name: text for name, text in prompts.items() if text}):
        first = f"; {default!r} before every text" if default in used else ""
        found.append(f"{SETTINGS}: texts are to begin with a prompt, which the file does not add: "
                     + ", ".join(f"{name} {text!r}" for name, text in used.items()) + first)
    if (compared := settings.get("similarity_fn_name") or "cosine") != "cosine":
        found.append(f"{SETTINGS}: vectors are to be compared by {compared}; `mbl run` and `mbl eval` take the cosine")
    return found


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _flag(config: Mapping[str, Any], name: str, path: Path) -> bool:
    value = config.get(name) or False
    if not isinstance(value, bool):
        raise CheckpointError(f"{path}: {name} is {value!r}; it must be true or false")
    return value


def save_modules(weights: Weights, folder: Path) -> None:
    """The modules of ``weights``, which have a pooling, beside the network in ``folder``, for sentence-transformers 2.3
    and later."""
    from safetensors.numpy import save as serialize

    pooling = weights.pooling or Pooling()
    kinds = ["Transformer", "Pooling", *["Dense"] * bool(pooling.dense), *["Normalize"] * pooling.normalize]
    places = [f"{i}_{kind}" if i else "" for i, kind in enumerate(kinds)]
    rows = [{"idx": i, "name": str(i), "path": place, "type": f"sentence_transformers.models.{kind}"}
            for i, (kind, place) in enumerate(zip(kinds, places, strict=True))]
    write_atomically(folder / MODULES, json.dumps(rows, indent=2).encode())
    length = {"max_seq_length": pooling.max_length} if pooling.max_length else {}
    write_atomically(folder / TRANSFORMER, json_bytes({**length, "do_lower_case": pooling.lower_case}))
    for place in places[1:]:
        (folder / place).mkdir(exist_ok=True)
    flags = {flag: mode == pooling.mode for flag, mode in _FLAGS.items() if mode in POOLINGS}
    write_atomically(folder / "1_Pooling" / CONFIG,
                     json_bytes({"word_embedding_dimension": weights.config.hidden_size, **flags}))
    if pooling.dense:
        kernel, bias = (weights.tensors[f"embedding.{part}"] for part in ("kernel", "bias"))
        activation = next(name for name, ours in _ACTIVATIONS.items() if ours == pooling.dense)
        write_atomically(folder / "2_Dense" / CONFIG, json_bytes(
            {"in_features": kernel.shape[0], "out_features": kernel.shape[1], "bias": True,
             "activation_function": activation}))
        write_atomically(folder / "2_Dense" / SAFETENSORS, serialize(
            {"linear.weight": np.ascontiguousarray(kernel.T), "linear.bias": bias}, metadata={"format": "pt"}))
