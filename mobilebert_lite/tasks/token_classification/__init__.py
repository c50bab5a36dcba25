"""Token classification: a label for every word, and the entities that runs of labels spell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mobilebert_lite.errors import AnswerError, DataError
from mobilebert_lite.tasks import wording
from mobilebert_lite.tasks.base import Outputs, ReadyModel, Task, near_best, output_row
from mobilebert_lite.tasks.classification import label_names
from mobilebert_lite.tasks.question_answering.windows import owners_of, stretches_of
from mobilebert_lite.text.examples import TextExample, TokenExample
from mobilebert_lite.text.features import Features, TextPlaces, encode_texts, join
from mobilebert_lite.text.tokenization import Tokenizer

STRIDE = 128
# Labels whose logits differ by less than this share of the logits' spread are a tie that rounding decides.
NEAR_TIE = 0.02
OUTSIDE = "O"


@dataclass(frozen=True)
class Tagged:
    """A word of a text with its label."""

    # Code points of the text, end exclusive.
    start: int
    end: int
    label: str
    probability: float


@dataclass(frozen=True)
class Entity:
    """Words that belong together."""

    label: str
    text: str
    # Code points of the text, end exclusive.
    start: int
    end: int
    # Mean over its words.
    probability: float


class TokenClassification(Task):
    """A label for every token; the first token of a word speaks for the word."""

    name = "token-classification"
    aliases = ("ner",)
    heads = ("classifier",)
    architecture = "MobileBertForTokenClassification"
    peft = "TOKEN_CLS"
    has_labels = True
    example_type = TokenExample
    outputs = per_token = vectors = ("logits",)
    purpose = "a label for every token of a text"
    trainable = True

    def pools(self, head: str) -> bool:
        """The classifier reads the tokens themselves."""
        return head not in self.heads and super().pools(head)

    def features(self, tokenizer: Tokenizer, example: TokenExample | TextExample, length: int) -> list[Features]:
        """The text in windows that fit into ``length`` tokens, ``STRIDE`` (or their own length) apart."""
        if not isinstance(example, TextExample):
            self._check(example)
        if length < self.min_length:
            raise DataError(f"sequence length {length}: at least {self.min_length} is needed")
        (encoded,) = encode_texts(tokenizer, {"text": example.text})
        ids, places = np.array(encoded.ids, np.int32), TextPlaces.of(encoded)
        stretches = list(stretches_of(len(ids), length - 2, STRIDE))
        owners = owners_of(stretches, len(ids))
        return [join(tokenizer, [ids[start:end]], places.part(start, end), owners[start:end] == i, length)
                for i, (start, end) in enumerate(stretches)]

    def answer(self, model: ReadyModel, example: TokenExample | TextExample) -> list[Entity]:
        """``find``."""
        return find(model, example.text)

    def describe(self, output: str) -> str:
        """Labels of tokens are the classes."""
        return wording.scores(output, "each label at each token")

    def axes(self, output: str) -> tuple[str, ...]:
        """Labels of tokens are the classes."""
        return "batch", "token", "label"

    def _same(self, features: Features, reference: Outputs, candidate: Outputs) -> bool:
        """The same label for every token, or one that the reference finds as good to within ``NEAR_TIE``."""
        kept = features.in_text
        expected, actual = (output_row(outputs, "logits")[kept] for outputs in (reference, candidate))
        return near_best(expected, actual, NEAR_TIE)


def tag_text(model: ReadyModel, text: str) -> list[Tagged]:
    """Every word of ``text`` with its label. Raises DataError without words."""
    read = [model.run(window) for window in model.task.features(model.tokenizer, TextExample(text), model.longest)]
    return tag([window for window, _ in read], [outputs for _, outputs in read], model.tokenizer, model.labels)


def find(model: ReadyModel, text: str) -> list[Entity]:
    """What runs of labels name in ``text``, in its order. Raises DataError without words."""
    return entities(text, tag_text(model, text))


def tag(windows: Sequence[Features], outputs: Sequence[Outputs], tokenizer: Tokenizer,
        labels: Sequence[str] = ()) -> list[Tagged]:
    """Every word of the text in its order, by the label of its first token.

    ``outputs[i]["logits"]`` is float [1, S, N] for ``windows[i]``. Raises DataError when there are labels, but not N,
    and MblError for NaN.
    """
    tagged: list[Tagged] = []
    for window, output in zip(windows, outputs, strict=True):
        logits = output_row(output, "logits")
        if logits.ndim != 2 or len(logits) != len(window.ids):
            raise AnswerError(f"output 'logits' is {[1, *logits.shape]}; expected a row for each of {len(window.ids)}")
        names = label_names(labels, logits.shape[1])
        for place in np.flatnonzero(window.max_context):
            start, end = (int(value) for value in window.offsets[place])
            [word] = tokenizer.words([int(window.ids[place])])
            if word.startswith(tokenizer.settings.continuing_prefix) and tagged and tagged[-1].end == start:
                tagged[-1] = Tagged(tagged[-1].start, end, tagged[-1].label, tagged[-1].probability)
                continue
            powers = np.exp(logits[place] - logits[place].max())
            best = int(powers.argmax())
            tagged.append(Tagged(start, end, names[best], float(powers[best] / powers.sum())))
    return tagged


def entities(text: str, tagged: Sequence[Tagged]) -> list[Entity]:
    """The entities of ``tagged``, in the order of the text; words outside of any are left out."""
    found = []
    for kind, first, last in chunks([word.label for word in tagged]):
        words = tagged[first:last]
        start, end = words[0].start, words[-1].end
        found.append(Entity(kind, text[start:end], start, end, float(np.mean([word.probability for word in words]))))
    return found


def chunks(labels: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(kind, first, past the last) of each run of labels that spells one entity.

    B-x begins one, I-x continues an x before it and begins one otherwise (conlleval). A label without B- or I- is a
    kind by itself, and goes on as long as it repeats.
    """
    start, kind = 0, ""
    for i, label in enumerate([*labels, OUTSIDE]):
        prefix, _, rest = label.partition("-")
        inside, begins = (rest, prefix == "B") if prefix in ("B", "I") and rest else (label, False)
        inside = "" if label == OUTSIDE else inside
        if kind and (begins or inside != kind):
            yield kind, start, i
            kind = ""
        if inside and not kind:
            start, kind = i, inside


TASK = TokenClassification()
