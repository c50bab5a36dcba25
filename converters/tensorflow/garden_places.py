"""Where the parts of a model stand among the objects of a Model Garden checkpoint, and what in it is no part of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mobilebert_lite.errors import CheckpointError, shorten

# Counters, the tokenizer's setting, and what an optimizer keeps for itself.
_NOT_WEIGHTS = re.compile(r"(save_counter|global_step|current_step|do_lower_case|([a-z0-9]+_)*optimizer/.*"
                          r"|.*/\.OPTIMIZER_SLOT/.*)\Z")
# The first block tells where the encoder stands; a task's head stands beside it.
_BLOCK = re.compile(r"(?P<encoder>.*?)layer_with_weights-1/block_layers/attention/0/_query_dense/kernel\Z")
_HEAD = re.compile(r"(?P<head>.*?)layer_with_weights-1/(layer_with_weights-0/|out_proj/)?kernel\Z")
_MLM = re.compile(r"(?P<mlm>.*?)output_bias\.Sbias\Z")
# A head for whole texts with a tanh layer of its own, which is what a pooler is.
_POOLED = re.compile(r"(?P<pooled>.*/)out_proj/kernel\Z")
# The same layer where it was saved for fine-tuning, without its outputs; a dot in a name is doubled.
_STEM = re.compile(r"\w+\.\.pooler_dense/(kernel|bias)\Z")
# MobileBertMaskedLM with output_weights_use_proj: another product than the one with the word table.
_PROJECTED = "output_weights_proj"
# Where the Trainer puts the encoder that is to be fine-tuned, and where distillation keeps the other one.
_EXPORTED, _TEACHER = "encoder/", "teacher"


@dataclass(frozen=True)
class Places:
    """Where the parts of a model stand among the objects of a checkpoint; prefixes that end in a slash, or empty."""

    encoder: str
    head: str
    mlm: str
    # Of the head that has a pooler of its own; empty without one.
    pooled: str = ""
    # Of encoders that are not converted.
    others: tuple[str, ...] = ()
    # Whether the masked LM head is of the kind that is not converted.
    projected: bool = False


def find_places(names: Iterable[str]) -> Places | None:
    """Where encoder and heads stand; None when the paths do not say. Raises CheckpointError for two encoders."""
    names = sorted(names)
    encoders = [match["encoder"] for name in names if (match := _BLOCK.match(name))]
    if not encoders:
        return None
    encoder = _wanted(encoders)
    others = tuple(other for other in encoders if other != encoder)
    names = [name for name in names if not _around_another(name, encoder, others)]
    heads = [encoder.removesuffix("layer_with_weights-0/")] if encoder.endswith("layer_with_weights-0/") else [
        match["head"] for name in names if (match := _HEAD.match(name)) and not name.startswith(encoder)]
    mlm = [match["mlm"] for name in names if (match := _MLM.match(name))]
    pooled = [match["pooled"] for name in names
              if (match := _POOLED.match(name)) and f"{match['pooled']}dense/kernel" in names]
    masked = (mlm or ["masked_lm/"])[0]
    return Places(encoder, (heads or ["model/"])[0], masked, (pooled or [""])[0], others,
                  f"{masked}{_PROJECTED}" in names)


def _wanted(encoders: list[str]) -> str:
    """The one to convert, where distillation has saved its teacher too."""
    if _EXPORTED in encoders:
        return _EXPORTED
    students = [encoder for encoder in encoders if not encoder.startswith(_TEACHER)] or encoders
    if len(students) > 1:
        raise CheckpointError(f"the checkpoint holds {len(students)} encoders, at {', '.join(students)}; "
                              "save the one you want by itself")
    return students[0]


def _around_another(name: str, encoder: str, others: Iterable[str]) -> bool:
    """Whether ``name`` belongs to a model around another encoder: one that begins in another place."""
    roots = {other.split("/")[0] for other in others} - {encoder.split("/")[0]}
    return name.split("/")[0] in roots


def sort_out(names: Mapping[str, str]) -> tuple[dict[str, str], Places | None, list[str]]:
    """``names`` (path → anything) of the model alone, its places, and a line for each kind that was left out.

    Raises CheckpointError for two encoders.
    """
    names = {short: name for short, name in names.items() if not _NOT_WEIGHTS.match(short)}
    places = find_places(names)
    left_out: dict[str, list[str]] = {}
    for name in names:
        if (what := _no_part(name, places)) is not None:
            left_out.setdefault(what, []).append(name)
    gone = {name for some in left_out.values() for name in some}
    notes = [f"left out: {len(some)} {what} ({shorten(sorted(some), 2)})" for what, some in left_out.items()]
    return {short: name for short, name in names.items() if short not in gone}, places, notes


def _no_part(name: str, places: Places | None) -> str | None:
    """What ``name`` is, where it is no part of the model; None where it is one."""
    if _STEM.match(name):
        return "variables of a head without its outputs"
    if places is None:
        return None
    if _around_another(name, places.encoder, places.others):
        return "variables around another encoder"
    if places.projected and name.startswith(places.mlm) and not name.endswith("embedding_table"):
        return f"variables of a masked LM head with {_PROJECTED}, which is not supported,"
    if places.pooled and _is_pooler(name, places):
        return "variables of the encoder's pooler, which no head reads,"
    return None


def _is_pooler(name: str, places: Places) -> bool:
    rest = name.removeprefix(places.encoder)
    return (name.startswith(places.encoder) and re.fullmatch(r"layer_with_weights-\d+/(kernel|bias)", rest) is not None
            and not name.startswith(places.pooled))
