"""From a checkpoint and texts to a smaller checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.architecture.masking import Masking, default_masking
from mobilebert_lite.architecture.weights import Weights
from mobilebert_lite.common.files import check_folder, json_bytes, making_folder, write_atomically
from mobilebert_lite.compression.batches import TextBatch, batches, tokens
from mobilebert_lite.compression.choice import STRUCTURES, Ranking, choose, rank
from mobilebert_lite.compression.cost import multiplications
from mobilebert_lite.compression.limit import Limit
from mobilebert_lite.compression.refit import rebuild
from mobilebert_lite.compression.statistics import observe
from mobilebert_lite.converters.checkpoints import Checkpoint, load_checkpoint
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.datasets.reading import DataOptions, evenly, read
from mobilebert_lite.datasets.samples import narrowed, sequences
from mobilebert_lite.errors import RequestError
from mobilebert_lite.tasks import Task
from mobilebert_lite.tasks.choose import choose_form, choose_task
from mobilebert_lite.text.features import Features
from mobilebert_lite.version import __version__

REPORT = "compression.json"
Say = Callable[[str], None]
Counting = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
# Tokens that a fit needs for each number that it finds; with fewer the fit learns the texts and not the network.
_TOKENS_PER_UNIT = 4
# What is tried to find the greatest speedup within a limit.
_TRIES, _GREATEST = 5, 3.0


@dataclass(frozen=True)
class CompressRequest:
    """What `mbl compress` is asked for.

    weights: folder, file or hub id of the checkpoint.
    data: texts as the model will meet them; they need no labels.
    output: folder of the smaller checkpoint, new or empty.
    speedup: how many times fewer multiplications; None: as many as ``limit`` allows.
    limit: the score that must hold; None: none is measured.
    only: which structures may go, of choice.STRUCTURES.
    texts: this many of the data, evenly over the file.
    length: tokens of a sequence, which multiplications are counted for; None: as `mbl convert` takes it.
    """

    weights: str
    data: Path
    output: Path
    speedup: float | None = None
    limit: Limit | None = None
    only: Sequence[str] = STRUCTURES
    texts: int = 1000
    length: int | None = None
    task: str | None = None
    revision: str | None = None
    format: str | None = None
    config: Path | None = None
    vocabulary: Path | None = None
    labels: Path | None = None
    reading: DataOptions = field(default_factory=DataOptions)


@dataclass(frozen=True)
class Compressible:
    """All that a compression works on."""

    checkpoint: Checkpoint
    task: Task
    masking: Masking
    length: int
    texts: list[TextBatch]
    # Fewer of them, in which the parts of the network are watched.
    watched: list[TextBatch]

    @property
    def weights(self) -> Weights:
        """The full network."""
        return self.checkpoint.weights


def compress(request: CompressRequest, say: Say, counting: Counting) -> dict[str, Any]:
    """Do what ``request`` says, and return the report that lies beside the new checkpoint.

    Raises a subclass of MblError, and leaves nothing behind, when anything is wrong.
    """
    started = time.monotonic()
    check_folder(request.output)
    material = prepare(request, say)
    ranking = ranked(material, counting)
    small, measured = _smaller(request, material, ranking, say, counting)
    report = {**described(material, small), **measured, "options": {"only": sorted(request.only),
              "texts": request.texts, "speedup": request.speedup}, "seconds": round(time.monotonic() - started, 1)}
    with making_folder(request.output) as folder:
        tokenizer = material.checkpoint.tokenizer
        huggingface.save(small, folder, vocabulary=tokenizer.vocabulary, settings=tokenizer.settings)
        write_atomically(folder / REPORT, json_bytes(report, sort_keys=False))
    return report


def prepare(request: CompressRequest, say: Say = lambda message: None) -> Compressible:
    """Read checkpoint and texts. Raises a subclass of MblError for what cannot be read or does not fit."""
    checkpoint = load_checkpoint(request.weights, request.task, revision=request.revision, format=request.format,
                                 vocabulary=request.vocabulary, labels=request.labels, config=request.config,
                                 progress=say)
    weights = checkpoint.weights
    weights = replace(weights, config=weights.config.with_labels(checkpoint.labels or weights.config.labels))
    checkpoint = replace(checkpoint, weights=weights)
    task = choose_task(weights, request.task, request.weights)
    found = read(request.data, task, request.reading)
    if found.skipped:
        say(found.told())
    task = task.with_form(choose_form(weights, task, found.examples))
    longest = weights.config.max_position_embeddings
    length = min(request.length or task.usual_length(weights), longest)
    if request.length and request.length > longest:
        raise RequestError(f"--seq-len {request.length} is above max_position_embeddings, {longest}")
    examples = narrowed(evenly(found.examples, request.texts), task.form.choices)
    found_texts = sequences(checkpoint.tokenizer, task, examples, length, "text")
    texts = batches(_limited(found_texts, _FITTED), 8)
    needed = _TOKENS_PER_UNIT * max((units for block in weights.config.blocks for units in block.feed_forward),
                                    default=0)
    if tokens(texts) < needed:
        say(f"{request.data} has {tokens(texts):,} tokens; {needed:,} or more make a better fit")
    masking = default_masking(weights.source.format, weights.source.masking)
    return Compressible(checkpoint, task, masking, length, texts,
                    # A graph is made for each length, which takes longer than padding.
                    batches(_limited(found_texts, _WATCHED), 32))


# Tokens that are worth their time: to fit 512 inputs of a layer, and to rank them.
_FITTED, _WATCHED = 16_000, 6_000


def _limited(texts: Sequence[Features], most: int) -> Sequence[Features]:
    used = sum(text.length_used for text in texts)
    return evenly(texts, max(1, len(texts) * most // used) if used > most else None)


def ranked(material: Compressible, counting: Counting) -> Ranking:
    """In which order the parts of the network can go."""
    with counting("reading what the parts of the network do") as progress:
        seen = observe(material.weights, material.task, material.masking, material.watched, progress=progress)
    with counting("ranking them") as progress:
        return rank(material.weights, seen, progress)


def smaller(material: Compressible, ranking: Ranking, speedup: float, only: Sequence[str],
            counting: Counting) -> Weights:
    """The network that takes ``speedup`` times fewer multiplications. Raises RequestError where there is none."""
    kept = choose(ranking, material.task, material.length, speedup, only)
    with counting(f"fitting the rest, {speedup:.2f}×") as progress:
        return rebuild(material.weights, kept, material.masking, material.texts, progress)


def _smaller(request: CompressRequest, material: Compressible, ranking: Ranking, say: Say,
             counting: Counting) -> tuple[Weights, dict[str, Any]]:
    """The network, and what its score is where one is asked for. Raises VerificationError where none holds."""
    limit = request.limit
    if limit is None:
        assert request.speedup is not None
        return smaller(material, ranking, request.speedup, request.only, counting), {}
    judge = limit.judge(material.checkpoint, material.task, material.masking, material.length)
    whole = judge.score(material.weights)
    say(f"{judge.metric} of the full network: {whole:.2f}")

    def tried(speedup: float) -> tuple[Weights, float]:
        small = smaller(material, ranking, speedup, request.only, counting)
        score = judge.score(small)
        say(f"{speedup:.2f}×: {judge.metric} {score:.2f}")
        return small, score

    small, score = (tried(request.speedup) if request.speedup is not None else
                    _greatest(tried, lambda score: whole - score <= limit.max_drop))
    limit.check(judge.metric, whole, score)
    return small, {"score": {"metric": judge.metric, "full": whole, "small": score, "max_drop": limit.max_drop}}


def _greatest(tried: Callable[[float], tuple[Weights, float]], holds: Callable[[float], bool]
              ) -> tuple[Weights, float]:
    """The fastest network whose score holds, by halving a range of speedups; where none does, the slowest.

    Raises RequestError where no network can be made at all.
    """
    low, high = 1.0, _GREATEST
    best: tuple[Weights, float] | None = None
    worse: tuple[Weights, float] | None = None
    refused: RequestError | None = None
    for _ in range(_TRIES):
        speedup = (low * high) ** 0.5
        try:
            found = tried(speedup)
        except RequestError as error:
            high, refused = speedup, error
            continue
        if holds(found[1]):
            low, best = speedup, found
        else:
            high, worse = speedup, found
    made = best or worse
    if made is None:
        raise refused or RequestError("no smaller network can be made")
    return made


def described(material: Compressible, small: Weights) -> dict[str, Any]:
    """What became of the network."""
    full = material.weights
    before, after = (multiplications(one, material.task, material.length) for one in (full, small))
    return {"toolkit": f"mobilebert-lite {__version__}", "task": material.task.name, "length": material.length,
            "source": {"name": Path(full.source.path).name, "sha256": full.source.sha256},
            "multiplications": {"full": before, "small": after, "speedup": round(before / after, 4)},
            "parameters": {"full": full.parameters, "small": small.parameters},
            "blocks": {"full": len(full.config.blocks), "small": len(small.config.blocks)},
            "shapes": [block.shape.to_json() for block in small.config.blocks],
            "tokens": tokens(material.texts)}
