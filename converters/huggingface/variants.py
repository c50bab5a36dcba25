"""Which of a folder's files hold its weights, told from their names: whole, sharded, variants, adapters, trainings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from mobilebert_lite.errors import CheckpointError

SAFETENSORS, PICKLE, HDF5 = "model.safetensors", "pytorch_model.bin", "tf_model.h5"
# In the order in which transformers looks for them.
KINDS = (SAFETENSORS, PICKLE, HDF5)

ADAPTER_CONFIG = "adapter_config.json"
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")

_SHARD = r"-\d{5}-of-\d{5}"
# What transformers' Trainer calls the folders of a training.
_TRAINING = re.compile(r"checkpoint-(\d{1,18})\Z")


def _split(kind: str) -> tuple[str, str]:
    """``model``, ``.safetensors``."""
    stem, dot, suffix = kind.rpartition(".")
    return stem, dot + suffix


def _pattern(kind: str) -> re.Pattern[str]:
    """A whole file or an index, with the name of a variant or without."""
    stem, suffix = map(re.escape, _split(kind))
    variant = rf"(?!index\b)(?!.*{_SHARD})[^/]+?"
    return re.compile(rf"{stem}(?:\.(?P<whole>{variant}))?{suffix}(?:\.index(?:\.(?P<part>{variant}))?\.json)?\Z")


_PATTERNS = {kind: _pattern(kind) for kind in KINDS}


def kind_of(name: str) -> str | None:
    """Which of KINDS ``name`` is a file or an index of; None for any other file, and for single shards."""
    return next((kind for kind, pattern in _PATTERNS.items() if pattern.match(name)), None)


def is_index(name: str) -> bool:
    """Whether ``name`` maps tensors to shards."""
    return name.endswith(".json")


def choose(names: Iterable[str], place: str) -> str | None:
    """The file that says which tensors a folder of ``names`` holds: a plain one, else its only variant; None for none.

    Raises CheckpointError when there are several variants; ``place`` is for its message.
    """
    names = set(names)
    for kind in KINDS:
        if plain := [name for name in (kind, f"{kind}.index.json") if name in names]:
            return plain[0]
    for kind in KINDS:
        found = sorted(name for name in names if _PATTERNS[kind].match(name))
        if len(found) > 1:
            raise CheckpointError(f"{place} holds several variants of the weights: {', '.join(found)}; give the file "
                                  "that you want in place of the folder")
        if found:
            return found[0]
    return None


def variant_of(name: str) -> str:
    """``fp16`` for ``model.fp16.safetensors`` and for its index; empty for a plain file."""
    match = next((match for pattern in _PATTERNS.values() if (match := pattern.match(name))), None)
    return "" if match is None else match["whole"] or match["part"] or ""


def files_of(names: Collection[str], chosen: str) -> list[str]:
    """``chosen``, and the shards of ``names`` that belong to it when it is an index."""
    kind = kind_of(chosen)
    if kind is None or not is_index(chosen):
        return [chosen]
    stem, suffix = _split(kind)
    stem = ".".join(filter(None, (stem, variant_of(chosen))))
    shard = re.compile(rf"{re.escape(stem)}{_SHARD}{re.escape(suffix)}\Z")
    return [chosen, *sorted(name for name in names if shard.match(name))]


def last_training(names: Iterable[str]) -> str | None:
    """The ``checkpoint-N`` of the highest number among the first folders of ``names``."""
    numbers = {int(match[1]): match[0] for name in names if (match := _TRAINING.match(name.split("/")[0]))}
    return numbers[max(numbers)] if numbers else None
