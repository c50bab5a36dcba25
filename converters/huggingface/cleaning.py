"""What wrappers and trainings put around the tensors of a model: parts of names, and leftovers that nothing reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from mobilebert_lite.errors import WeightsError, shorten

T = TypeVar("T")
# What the user is told on the way.
Note = Callable[[str], None]


def silent(message: str) -> None:
    """Tell nobody."""


# What wrappers of PyTorch put into a name, wherever they wrap something.
_WRAPPERS = {"_orig_mod": "torch.compile", "_fsdp_wrapped_module": "FSDP", "_checkpoint_wrapped_module":
             "activation checkpointing", "_forward_module": "Fabric"}
# Weights of a loss, of classes in it, and the counter of averaged weights: no output depends on them.
_LEFTOVERS = re.compile(r"(?:.*\.)?(?:(?:\w*_)?(?:loss(?:es)?|criteri(?:on|a))(?:_?(?:fn|fct|func|function)|_\w+|\d+)?"
                        r"(?:\.\w+)*|(?:class|label|pos)_?weights?|n_averaged)\Z", re.IGNORECASE)
# The encoder's attribute in transformers' classes, and the tensor by which another one is found.
_ENCODER, _ANCHOR = "mobilebert.", "embeddings.word_embeddings.weight"
# Of what all names share: each wrapper adds one.
_MOST_PARTS = 8
_BARE = ("embeddings.", "encoder.", "pooler.")


def clean(tensors: Mapping[str, T], known: Callable[[str], bool], note: Note) -> dict[str, T]:
    """``tensors`` under the names of transformers' classes: without leftovers, wrappers and a prefix that all share.

    ``known`` says which names fit in the end; one that does not is kept, so that the strict check reports it. ``note``
    is told what was left out. Raises WeightsError where there are several encoders.
    """
    # A head that its writer calls class_weight is a head.
    left = [name for name in tensors if _LEFTOVERS.match(name) and not known(name)]
    if left:
        note(f"leaving out {shorten(left)}: weights of a training, which no output depends on")
    gone = set(left)
    kept = {name: tensor for name, tensor in tensors.items() if name not in gone}
    for part, writer in _WRAPPERS.items():
        if any(part in name.split(".") for name in kept):
            note(f"leaving out {part} in names: {writer} put it there")
    bare = {".".join(part for part in name.split(".") if part not in _WRAPPERS): value for name, value in kept.items()}
    if prefix := _shared(list(bare), known):
        note(f"leaving out {prefix} at the beginning of all names"
             + (": DataParallel put it there" if "module" in prefix.split(".") else ""))
    short = {name.removeprefix(prefix): value for name, value in bare.items()}
    if encoder := _encoder(list(short), known):
        note(f"taking {encoder}… for the encoder, {_ENCODER}…")
        short = {_renamed(name, encoder): value for name, value in short.items()}
    return {f"{_ENCODER}{name}" if name.startswith(_BARE) else name: value for name, value in short.items()}


def _renamed(name: str, encoder: str) -> str:
    return _ENCODER + name.removeprefix(encoder) if name.startswith(encoder) else name


def _shared(names: Sequence[str], known: Callable[[str], bool]) -> str:
    """The shortest dotted prefix of all ``names`` without which most of them are known; empty where none helps."""
    if not names:
        return ""
    first, last = min(names).split("."), max(names).split(".")
    parts = 0
    while parts < min(len(first), len(last), _MOST_PARTS) - 1 and first[parts] == last[parts]:
        parts += 1
    prefixes = ["".join(f"{part}." for part in first[:count]) for count in range(parts + 1)]
    fitting = [sum(known(name.removeprefix(prefix)) for name in names) for prefix in prefixes]
    return prefixes[fitting.index(max(fitting))]


def _encoder(names: Sequence[str], known: Callable[[str], bool]) -> str:
    """What stands in place of ``mobilebert.``, where everything fits once it is replaced; empty otherwise."""
    found = sorted({name.removesuffix(_ANCHOR) for name in names if name.endswith(f".{_ANCHOR}")})
    if len(found) > 1:
        raise WeightsError(f"the checkpoint holds {len(found)} encoders, under {', '.join(found)}; save the one you "
                           "want by itself")
    if not found or found[0] == _ENCODER:
        return ""
    return found[0] if all(known(_renamed(name, found[0])) for name in names) else ""
