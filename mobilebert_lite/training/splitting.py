"""Examples on several sides: copies of a text together, and each class in its share.

As scikit-learn's StratifiedGroupKFold, for parts of any size: the groups are dealt out, the largest first, each to the
part that lacks its classes most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilebert_lite.errors import DataError
from mobilebert_lite.text.examples import QuestionExample, TokenExample
from mobilebert_lite.training.similar import groups


def hold_out(examples: Sequence[Any], share: float, most: int, seed: int, by_class: bool = True
             ) -> tuple[list[Any], list[Any]]:
    """Training and held-out examples, in the order of the file: ``share`` of them, and about ``most`` at most.

    ``by_class``: keep the shares of the classes. Raises DataError where there are too few, or all are copies.
    """
    share = min(share, most / max(1, len(examples)))
    if len(examples) * share < 1:
        raise DataError(f"{len(examples)} examples are too few to hold some out; give others to score on with --eval")
    parts = divide(examples, (1 - share, share), seed, by_class)
    train, out = ([example for example, part in zip(examples, parts, strict=True) if part == side] for side in (0, 1))
    if not (train and out):
        raise DataError(f"the {len(examples)} examples are copies of one another (but for case, punctuation or a "
                        "word), so that none can be held out that is new; give others to score on with --eval")
    return train, out


def folds(examples: Sequence[Any], count: int, seed: int, by_class: bool = True) -> list[tuple[list[Any], list[Any]]]:
    """``count`` times training and test examples; each example is tested once.

    Raises DataError where there are fewer groups of copies than folds.
    """
    parts = divide(examples, [1 / count] * count, seed, by_class)
    if len(set(parts)) < count:
        raise DataError(f"the {len(examples)} examples make {len(set(parts))} parts without copies of one another; "
                        f"--folds is {count}")
    return [([example for example, part in zip(examples, parts, strict=True) if part != fold],
             [example for example, part in zip(examples, parts, strict=True) if part == fold])
            for fold in range(count)]


def divide(examples: Sequence[Any], shares: Sequence[float], seed: int, by_class: bool = True) -> list[int]:
    """The number of the part of each example; the parts have about ``shares`` of the examples, and of each class."""
    kinds = [_kind(example) if by_class else "" for example in examples]
    members: dict[int, list[int]] = {}
    for place, group in enumerate(groups(examples).tolist()):
        members.setdefault(group, []).append(place)
    order = np.random.default_rng([seed, 2]).permutation(len(members))
    lots = list(members.values())
    all_counts = _counts(kinds)
    # Large groups first, and of equal ones the rarest kinds, which the largest part, to learn from, is to have.
    lots = sorted((lots[i] for i in order), key=lambda lot: (-len(lot), min(all_counts[kinds[place]] for place in lot)))
    lacking = [{kind: share * number for kind, number in all_counts.items()} for share in shares]
    found = [0] * len(examples)
    for lot in lots:
        counts = _counts([kinds[place] for place in lot])
        part = max(range(len(shares)), key=lambda part: _need(lacking[part], counts, shares[part]))
        for kind, number in counts.items():
            lacking[part][kind] -= number
        for place in lot:
            found[place] = part
    return found


def _counts(kinds: Sequence[str]) -> Counter[str | None]:
    """How many there are of each kind, and under None of all: where every kind is rare, a part would else get none."""
    counts: Counter[str | None] = Counter(kinds)
    counts[None] = len(kinds)
    return counts


def _need(lacking: dict[str | None, float], counts: Counter[str | None], share: float) -> tuple[float, float, float]:
    """How much a part that lacks so many examples of each kind gains by ``counts`` of them, the greatest first.

    What it has too many of counts first; then what it lacks, measured by its share.
    """
    excess = sum(max(0.0, number - lacking[kind]) for kind, number in counts.items())
    wanted = sum(number * lacking[kind] for kind, number in counts.items())
    return -round(excess, 6), round(wanted / share, 6), share


def _kind(example: Any) -> str:
    """What is to have its share on each side: the class, whether there is an answer, or which labels words have."""
    if isinstance(example, QuestionExample):
        return str(bool(example.answers))
    if isinstance(example, TokenExample):
        return " ".join(sorted({label.split("-", 1)[-1] for label in example.labels}))
    return str(example.label)
