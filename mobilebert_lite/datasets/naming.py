"""Labels that are numbers, by the names of their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mobilebert_lite.architecture.form import MULTI_LABEL, SINGLE_LABEL
from mobilebert_lite.datasets.reading import ReadExamples
from mobilebert_lite.datasets.rows import Example
from mobilebert_lite.errors import DataError
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.examples import TextExample, TokenExample

# The label of a test set that has none, as ``datasets`` writes it.
_UNKNOWN = "-1"


def name_labels(found: ReadExamples, task: Task, labels: Sequence[str]) -> list[Example]:
    """The examples of a file for a model with classes called ``labels``.

    Numbers are those of the file's own classes where it names them, otherwise the model's. They are looked up where
    several stand together: at words, and where several classes hold. A single number stays, for it says as much; but
    where the file and the model call the same classes by the same names, the names count and not their order.
    Raises DataError for numbers of words without names.
    """
    names = found.class_names or tuple(labels)
    known = set(labels)
    spelled = {name.casefold(): name for name in labels}
    # Of the file's classes by number, as the model spells them; none where the model has others.
    same = [spelled.get(name.casefold(), "") for name in found.class_names]
    own = tuple(same) if same and all(same) else names
    lookup = {str(number): name for number, name in enumerate(own) if str(number) not in known}
    # Of a single class, 0 and 1 say whether it holds.
    several = lookup if len(own) > 1 else {}
    single = lookup if same and all(same) else {}
    blank = bool(found.class_names) or all(
        isinstance(one, TextExample) and one.label == _UNKNOWN for one in found.examples)
    return [_words(one, lookup, known) if isinstance(one, TokenExample)
            else _text(one, task, several, single, blank=blank) if isinstance(one, TextExample) else one
            for one in found.examples]


def are_numbers(examples: Sequence[Example]) -> bool:
    """Whether all words' labels are numbers."""
    return any(isinstance(one, TokenExample) and one.labels for one in examples) and all(
        label.isdecimal() for one in examples if isinstance(one, TokenExample) for label in one.labels)


def _words(example: TokenExample, lookup: dict[str, str], known: set[str]) -> TokenExample:
    wrong = [label for label in example.labels if label.isdecimal() and label not in lookup and label not in known]
    if wrong:
        raise DataError(f"example {example.id}: label {wrong[0]!r} is a number, and " + (
            f"there are names for 0 to {len(lookup) - 1} only" if lookup else
            "nothing says which class it is; --labels FILE gives names, one a line, the first for 0"))
    return replace(example, labels=tuple(lookup.get(label, label) for label in example.labels))


def _text(example: TextExample, task: Task, lookup: dict[str, str], single: dict[str, str], *,
          blank: bool) -> TextExample:
    if example.label is None:
        return example
    problem = task.form.problem_type
    if problem == SINGLE_LABEL:
        if blank and example.label == _UNKNOWN:
            return replace(example, label=None)
        return replace(example, label=single.get(example.label, example.label))
    if problem != MULTI_LABEL:
        return example
    parts = [part.strip() for part in example.label.split(",") if part.strip()]
    return replace(example, label=",".join(lookup.get(part, part) for part in parts))
