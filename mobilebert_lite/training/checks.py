"""What is wrong with the data, found before hours are spent on it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebert_lite.datasets.words import LABEL
from mobilebert_lite.errors import shorten
from mobilebert_lite.tasks.token_classification import OUTSIDE
from mobilebert_lite.text.examples import ChoiceExample, QuestionExample, TokenExample
from mobilebert_lite.training.batches import EncodedRow

# The commonest class may have this many times the examples of the rarest.
IMBALANCE = 10
# Classes with fewer examples than this are hardly learnt.
FEW = 5
# Share of texts that may lose tokens.
CUT = 0.01


@dataclass(frozen=True)
class DataFinding:
    """One thing that is wrong."""

    # leakage, contradiction, duplicates, answer, scheme, imbalance, rare, unseen or length.
    kind: str
    message: str
    # Examples that it is true of.
    count: int


def check(splits: Mapping[str, Sequence[Any]], rows: Sequence[EncodedRow], length: int) -> list[DataFinding]:
    """What is wrong with ``splits``: name → examples, the training data first; ``rows`` are made of that.

    Empty texts are not among them: reading the files refuses those, with file and line.
    """
    train = next(iter(splits.values()))
    return [*_leakage(splits), *_repeated(train), *_answers(splits), *_scheme(train), *_balance(train),
            *_unseen(splits), *_lengths(train, rows, length)]


def identity(example: Any) -> tuple[str, ...]:
    """What makes two examples the same to a reader: case, accents' form and white space do not count."""
    if isinstance(example, QuestionExample):
        texts: Sequence[str] = (example.question, example.context)
    elif isinstance(example, ChoiceExample):
        texts = (example.prompt, *example.choices)
    else:
        texts = (example.text, getattr(example, "pair", None) or "")
    return tuple(" ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in texts)


def _leakage(splits: Mapping[str, Sequence[Any]]) -> Iterator[DataFinding]:
    names = list(splits)
    keys = {name: {identity(example) for example in examples} for name, examples in splits.items()}
    for i, first in enumerate(names):
        for second in names[i + 1:]:
            shared = [example for example in splits[second] if identity(example) in keys[first]]
            if shared:
                share = 100 * len(shared) / len(splits[second])
                yield DataFinding("leakage", f"{len(shared)} of {len(splits[second])} examples of {second} "
                                  f"({share:.1f} %) also occur in {first}, such as {_shown(shared[0])}", len(shared))


def _repeated(examples: Sequence[Any]) -> Iterator[DataFinding]:
    answers: dict[tuple[str, ...], set[Any]] = {}
    count: Counter[tuple[str, ...]] = Counter()
    for example in examples:
        answers.setdefault(identity(example), set()).add(_answer(example))
        count[identity(example)] += 1
    torn = [key for key, found in answers.items() if len(found) > 1]
    if torn:
        yield DataFinding("contradiction", f"{len(torn)} texts stand there with different labels, such as "
                      f"{torn[0][0][:60]!r}", len(torn))
    again = sum(number - 1 for key, number in count.items() if key not in set(torn))
    if again:
        yield DataFinding("duplicates", f"{again} of {len(examples)} training examples repeat another", again)


def _answer(example: Any) -> Any:
    if isinstance(example, QuestionExample):
        return example.answers
    return example.labels if isinstance(example, TokenExample) else example.label


def _answers(splits: Mapping[str, Sequence[Any]]) -> Iterator[DataFinding]:
    for name, examples in splits.items():
        lost = [example for example in examples if isinstance(example, QuestionExample) and any(
            start < 0 or example.context[start:start + len(text)] != text
            for text, start in zip(example.answers, example.answer_starts, strict=True))]
        if lost:
            yield DataFinding("answer", f"{len(lost)} questions of {name} have an answer that does not stand in its "
                          f"context where it should: {shorten([example.id for example in lost])}", len(lost))


def _scheme(examples: Sequence[Any]) -> Iterator[DataFinding]:
    """Entities are what B-, I- and their like say; a label without them is an entity by itself."""
    counts = Counter(label for one in examples if isinstance(one, TokenExample) for label in one.labels)
    if not counts:
        return
    other = sorted(label for label in counts if not LABEL.match(label))
    if other:
        yield DataFinding("scheme", f"labels outside the scheme O, B-…, I-… (also E-, S-, L-, U-): {shorten(other)}; "
                          "each counts as a kind of entity", sum(counts[label] for label in other))
    if OUTSIDE not in counts:
        yield DataFinding("scheme", f"no word has the label {OUTSIDE}, so every word counts as part of an entity",
                          counts.total())


def _balance(examples: Sequence[Any]) -> Iterator[DataFinding]:
    if isinstance(examples[0], QuestionExample):
        unanswerable = sum(not example.answers for example in examples)
        if unanswerable > len(examples) * IMBALANCE / (IMBALANCE + 1):
            yield DataFinding("imbalance", f"{unanswerable} of {len(examples)} questions have no answer", unanswerable)
        return
    counts = Counter(label for example in examples for label in (
        [one for one in example.labels if one != "O"] if isinstance(example, TokenExample)
        else _labels(example)))
    if not counts:
        return
    (most, largest), (least, smallest) = counts.most_common()[0], counts.most_common()[-1]
    # Of words most are of no entity, and some kinds of entities are rare everywhere.
    some = len(counts) <= len(examples) // FEW
    if some and not isinstance(examples[0], TokenExample) and largest > IMBALANCE * smallest:
        yield DataFinding("imbalance", f"label {most!r} has {largest} examples, {least!r} only {smallest}", smallest)
    rare = sorted(label for label, number in counts.items() if number < FEW)
    if rare and some:
        yield DataFinding("rare", f"fewer than {FEW} examples of {shorten(rare)}", len(rare))


def _unseen(splits: Mapping[str, Sequence[Any]]) -> Iterator[DataFinding]:
    (_, train), *others = splits.items()
    if isinstance(train[0], QuestionExample):
        return
    known = set().union(*(_labels(example) for example in train))
    for name, examples in others:
        new = sorted(set().union(*(_labels(example) for example in examples)) - known)
        if new:
            yield DataFinding("unseen", f"{name} has labels without a training example: {shorten(new)}", len(new))


def _labels(example: Any) -> set[str]:
    if isinstance(example, TokenExample):
        return set(example.labels)
    # The place of the right choice is no class.
    return set() if isinstance(example, ChoiceExample) or example.label is None else {example.label}


def _lengths(examples: Sequence[Any], rows: Sequence[EncodedRow], length: int) -> Iterator[DataFinding]:
    """Long questions and word lists are read in windows; a class can only be told from what is read at once."""
    if not examples or isinstance(examples[0], QuestionExample | TokenExample):
        windows = len(rows) - len(examples)
        if windows > len(examples):
            yield DataFinding("length", f"{len(examples)} texts make {len(rows)} windows of {length} tokens; a longer "
                          "sequence would see more at once", windows)
        return
    cut = sum(len(row.ids) >= length for row in rows)
    if cut > CUT * len(rows):
        yield DataFinding("length", f"{cut} of {len(rows)} texts fill or exceed {length} tokens and lose their ends; "
                      "a longer sequence would hold them", cut)


def _shown(example: Any) -> str:
    return repr(identity(example)[0][:60])
