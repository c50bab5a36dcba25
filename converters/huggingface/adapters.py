"""LoRA adapters of peft: ``adapter_config.json`` and ``adapter_model.safetensors`` or ``.bin``, merged into their base.

Each adapted matrix becomes W + s · B · A, with s = lora_alpha / r (rslora: / √r), which is what peft computes.
Sources: Hu et al. 2021 (arXiv:2106.09685), Kalajdzievski 2023 (arXiv:2312.03732, rslora); LoraConfig of peft.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mobilebert_lite.architecture.config import read_json
from mobilebert_lite.architecture.weights import Source, Weights
from mobilebert_lite.common.files import sha256_of
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface import hub, tensor_files
from mobilebert_lite.converters.huggingface.cleaning import Note, silent
from mobilebert_lite.converters.huggingface.variants import ADAPTER_CONFIG, ADAPTERS, PICKLE, SAFETENSORS
from mobilebert_lite.errors import CheckpointError, WeightsError, shorten
from mobilebert_lite.tasks import TASKS

# peft's kind of a task -> ours.
_TASKS = {task.peft: name for name, task in TASKS.items() if task.peft}
# Fields that are read, and those that do not change what an adapter computes. Any other that is set is refused: dora
# scales the columns of the sum, arrow mixes several adapters, and so on.
_KNOWN = frozenset((
    "peft_type", "task_type", "base_model_name_or_path", "r", "lora_alpha", "alpha_pattern", "rank_pattern",
    "use_rslora", "bias", "lora_bias", "modules_to_save", "init_lora_weights", "auto_mapping", "peft_version",
    "revision", "inference_mode", "target_modules", "exclude_modules", "lora_dropout", "layers_to_transform",
    "layers_pattern", "megatron_core", "qalora_group_size", "loftq_config", "eva_config", "corda_config",
    "lora_ga_config", "velora_config", "runtime_config", "ensure_weight_tying",
    # peft ignores it for dense layers and tables, of which alone a MobileBERT is made.
    "fan_in_fan_out"))
# Ways of starting that take something out of the base, which its own weights still have.
_CHANGING_STARTS = ("pissa", "olora", "corda", "loftq", "lora_ga")

_WORDS = "mobilebert.embeddings.word_embeddings.weight"
_WAY = "save the merged model (in peft: merge_and_unload(), then save_pretrained)"
_BARE = ("embeddings.", "encoder.", "pooler.")
_WRAPPED = "base_model.model."
# What peft puts into names: where a matrix goes that it wraps, copies that were trained whole, names of adapters.
_PART = re.compile(r"(?P<module>.+)\.lora_(?P<kind>A|B|embedding_A|embedding_B)(?:\.(?!(?:weight|bias)\Z)\w+)?"
                   r"(?:\.(?P<field>weight|bias))?\Z")
_WHOLE = re.compile(r"(?P<module>.+?)(?:\.base_layer|\.modules_to_save(?:\.\w+)?)?\.(?P<field>weight|bias)\Z")


@dataclass(frozen=True)
class AdapterSettings:
    """How an adapter is scaled: ``alpha`` for all modules, or by patterns of their names."""

    alpha: float
    alphas: Mapping[str, float]
    rank_stabilized: bool

    def scale(self, module: str, rank: int) -> float:
        """s for ``module``, whose matrices have ``rank``."""
        found = next((key for key in self.alphas if re.match(rf"(.*\.)?({key})\Z", module)), None)
        alpha = self.alpha if found is None else self.alphas[found]
        return alpha / (math.sqrt(rank) if self.rank_stabilized else rank)


def read_settings(path: Path) -> tuple[AdapterSettings, str]:
    """The settings in ``adapter_config.json``, and our name of the task it was trained for (empty when unknown).

    Raises CheckpointError for adapters of other kinds.
    """
    raw = read_json(path)
    kind = raw.get("peft_type")
    if kind != "LORA":
        raise CheckpointError(f"{path}: peft_type is {kind!r}; LORA adapters are merged; for others {_WAY}")
    start = raw.get("init_lora_weights")
    reasons = sorted(name for name, value in raw.items() if value and name not in _KNOWN)
    if isinstance(start, str) and start.lower().startswith(_CHANGING_STARTS):
        reasons.append(f"init_lora_weights {start}")
    if reasons:
        raise CheckpointError(f"{path}: {', '.join(reasons)} is more than LoRA alone; {_WAY}")
    alphas = raw.get("alpha_pattern") or {}
    try:
        settings = AdapterSettings(float(raw["lora_alpha"]), {str(key): float(value) for key, value in alphas.items()},
                            bool(raw.get("use_rslora")))
        for key in settings.alphas:
            re.compile(key)
    except (KeyError, TypeError, AttributeError, ValueError, re.error) as error:
        raise CheckpointError(f"{path}: lora_alpha and alpha_pattern must be numbers, the second by patterns of names "
                              f"({type(error).__name__}: {error})") from None
    return settings, _TASKS.get(str(raw.get("task_type")), "")


def find_base(folder: Path) -> Path:
    """The folder of the model that the adapter in ``folder`` belongs to: the same, what it names, or one nearby.

    Raises CheckpointError where it is nowhere.
    """
    if tensor_files.find(folder):
        return folder
    path = folder / ADAPTER_CONFIG
    named = read_json(path).get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise CheckpointError(f"{path} names no base model, and there is none beside it; put the adapter's files into "
                              "the folder of its base")
    name, above = Path(named).name, folder.resolve().parent
    places = [Path(named), folder / named, above / name,
              *([above] if above.name == name or not hub.is_id(named) else [])]
    found = next((place for place in places if place.is_dir() and tensor_files.find(place)), None)
    if found is not None:
        return found
    try:
        return hub.resolve(named)
    except CheckpointError as error:
        raise CheckpointError(f"{path} is an adapter of {named}, which is not to be had ({error}); put the adapter's "
                              f"files into the folder of its base, beside {SAFETENSORS} or {PICKLE}") from None


def load(folder: Path, base: Path, config_path: Path | None = None, note: Note = silent) -> Weights:
    """The model in ``base`` with the adapter in ``folder`` merged into it. Heads that it was not trained with go.

    Raises ConfigError, CheckpointError (files, adapters of other kinds) or WeightsError (tensors that do not fit).
    """
    settings, task = read_settings(folder / ADAPTER_CONFIG)
    file = next((folder / name for name in ADAPTERS if (folder / name).is_file()), None)
    if file is None:
        raise CheckpointError(f"{folder} has {ADAPTER_CONFIG}, but neither {' nor '.join(ADAPTERS)}")
    own = folder / "config.json"
    if config_path is None and own.is_file():
        config_path = own  # a training may keep the labels there
    found = huggingface.read(base, config_path, note)
    config, tensors = found.config, found.tensors
    parts = tensor_files.read_file(file)
    alone = any(name.removeprefix(_WRAPPED).startswith(_BARE) for name in parts)
    if task or alone:
        config = replace(config, task=task)
        kept = ("mobilebert.",) if alone else ("mobilebert.", "classifier.", "qa_outputs.")
        tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(kept)}
    merged = merge(tensors, parts, settings, str(file))
    if len(merged.get(_WORDS, ())) != len(tensors.get(_WORDS, ())):
        config = replace(config, vocab_size=len(merged[_WORDS]))  # words that were added for it came with their table
    source = Source("huggingface", str(folder), sha256_of([*found.files, file]))
    return huggingface.fitted(replace(found, config=config, tensors=merged), source)


def merge(tensors: Mapping[str, np.ndarray], parts: Mapping[str, np.ndarray], settings: AdapterSettings, place: str
          ) -> dict[str, np.ndarray]:
    """``tensors`` of the base, under transformers' names, with an adapter's ``parts`` merged in.

    Raises WeightsError for parts that do not fit the base; ``place`` is for its message.
    """
    merged = dict(tensors)
    pairs: dict[str, dict[str, np.ndarray]] = {}
    for name, value in parts.items():
        inner = name.removeprefix(_WRAPPED)
        if match := _PART.match(inner):
            kind = match["kind"] + (".bias" if match["field"] == "bias" else "")
            pairs.setdefault(match["module"].removesuffix(".base_layer"), {})[kind] = value
        elif match := _WHOLE.match(inner):
            if ".original_module." not in inner:
                merged[_full(f"{match['module']}.{match['field']}")] = value
        else:
            raise WeightsError(f"{place} holds {name}, which is no part of LoRA alone; {_WAY}")
    for module, pair in pairs.items():
        _add(merged, module, pair, settings, place)
    return merged


def _full(name: str) -> str:
    """A name in an encoder alone as it is in a model around it."""
    return f"mobilebert.{name}" if name.startswith(_BARE) else name


def _add(merged: dict[str, np.ndarray], module: str, pair: Mapping[str, np.ndarray], settings: AdapterSettings,
         place: str) -> None:
    table = "embedding_A" in pair
    first, second = (pair.get(f"{'embedding_' if table else ''}{side}") for side in "AB")
    name, extra = _full(module), pair.get("B.bias")
    weight = merged.get(f"{name}.weight")
    if first is None or second is None or first.ndim != 2 or second.ndim != 2:
        raise WeightsError(f"{place}: {module} has {shorten(sorted(pair))} of an adapter, but two matrices are needed")
    if weight is None:
        raise WeightsError(f"{place} adapts {module}, which its base does not have; give the base it was trained on")
    if second.shape[1] != first.shape[0] or weight.shape != (
            (first.shape[1], second.shape[0]) if table else (second.shape[0], first.shape[1])):
        raise WeightsError(f"{place}: {module} of the base is {list(weight.shape)}, which B {list(second.shape)} and A "
                           f"{list(first.shape)} do not fit; give the base it was trained on")
    scale = settings.scale(module, first.shape[0])
    change = scale * (second.astype(np.float64) @ first.astype(np.float64))
    merged[f"{name}.weight"] = (weight + (change.T if table else change)).astype(np.float32)
    if extra is not None:
        merged[f"{name}.bias"] = (merged[f"{name}.bias"] + scale * extra.astype(np.float64)).astype(np.float32)
