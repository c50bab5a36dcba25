"""What the demo checkpoints learn from: SNIPS utterances, and their slots as questions.

SNIPS (snipsco/nlu-benchmark, CC0) in the form of three parallel files: words, BIO slots, intents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from mobilebert_lite.text.examples import QuestionExample, TextExample

# SNIPS writes "what s" and "don t"; people write an apostrophe.
CONTRACTIONS = {"s", "t", "d", "m", "ll", "re", "ve"}
# Of texts: they get one question whose slot they lack. It makes about 15 % of all questions.
UNANSWERABLE_SHARE = 0.65

# Ways to ask for any slot, "artist" or "party size number".
GENERAL = ("which {} ?", "which {} is it ?", "what {} is it ?", "what {} ?", "tell me the {}", "name the {}", "{} ?",
           "what is the name of the {} ?", "what is the {} in this text ?", "which {} is mentioned ?")
# Ways to ask for one slot in particular.
PARTICULAR = {
    "artist": ("who is the artist ?", "who is the singer ?", "which artist should be played ?", "who is the musician ?",
               "who sings it ?", "who made the music ?", "by whom is the music ?", "which band is it ?"),
    "album": ("which album should be played ?", "what record is it ?"),
    "track": ("which song should be played ?", "what is the title of the song ?"),
    "playlist": ("which playlist should it be added to ?", "what is the playlist called ?", "to which playlist ?",
                 "where should the song be added ?"),
    "playlist_owner": ("whose playlist is it ?", "who owns the playlist ?", "who is the owner of the playlist ?"),
    "music_item": ("what kind of music item is it ?", "what should be added to the playlist ?"),
    "genre": ("what kind of music is it ?", "which music style ?", "what style of music should be played ?"),
    "service": ("on which service ?", "which app should play it ?", "where should the music be played ?",
                "which streaming service should be used ?"),
    "year": ("from which year is it ?", "which decade is it ?", "when was the music made ?"),
    "timeRange": ("when ?", "when is it ?", "at what time ?", "for when is it ?", "what time is it ?", "which date ?",
                  "when will it be ?", "on what day ?", "what is the date ?", "what is the time ?"),
    "city": ("in which city ?", "which town is it ?", "what city is it in ?"),
    "state": ("in which state ?", "which us state is it ?"),
    "country": ("in which country ?", "what country is it in ?"),
    "geographic_poi": ("which park is it ?", "which landmark is it ?"),
    "location_name": ("which cinema is it ?", "what is the name of the cinema ?", "which theatre ?"),
    "object_location_type": ("what kind of place shows the movies ?",),
    "current_location": ("where is the speaker ?",),
    "spatial_relation": ("how far away should it be ?", "how near ?"),
    "condition_description": ("what kind of weather ?", "which weather condition ?", "what is the weather like ?",
                              "what weather is it ?"),
    "condition_temperature": ("how warm or cold is it ?", "what temperature is it ?", "what is the temperature ?"),
    "party_size_number": ("how many people ?", "for how many people ?", "how many guests are there ?",
                          "how many persons are coming ?", "how many seats ?", "how big is the party ?"),
    "party_size_description": ("who is coming ?", "who will eat there ?", "for whom is the table ?"),
    "restaurant_name": ("what is the restaurant called ?", "what is the name of the restaurant ?",
                        "at which restaurant ?"),
    "restaurant_type": ("what kind of restaurant ?", "what type of restaurant is it ?"),
    "served_dish": ("which dish should be served ?", "what food do they serve ?", "what do they want to eat ?"),
    "cuisine": ("which kind of food ?", "what kind of cuisine ?"),
    "facility": ("which facility should it have ?", "what should the restaurant offer ?"),
    "rating_value": ("what rating is given ?", "how many stars or points does it get ?", "what is the rating ?",
                     "which rating does the book get ?", "how is it rated ?"),
    "best_rating": ("what is the highest rating ?", "what is the best possible rating ?", "out of how many ?"),
    "rating_unit": ("in which unit is the rating ?",),
    "movie_name": ("which movie ?", "what is the film called ?", "what is the movie called ?", "which film ?"),
    "movie_type": ("what kind of movies ?", "which kind of films ?"),
    "object_type": ("what kind of thing is it ?", "what kind of work is it ?"),
    "object_name": ("what is the book called ?", "which work is it ?"),
    "sort": ("in which order ?", "how good should it be ?"),
}
# Ways to ask for whichever one of these slots is there.
SHARED = (
    ({"city", "state", "country", "geographic_poi", "location_name", "current_location", "poi", "spatial_relation"},
     ("where ?", "where is it ?", "which place is it ?", "in which place ?", "what is the location ?")),
    ({"track", "album", "entity_name", "object_name", "movie_name"},
     ("what is it called ?", "what is the title ?", "what is the name ?", "which title ?")),
    ({"rating_value", "best_rating", "rating_unit"}, ()),
    ({"object_type", "movie_type", "music_item", "restaurant_type", "object_location_type"}, ()),
    ({"playlist", "service", "restaurant_name", "cuisine", "served_dish", "genre"}, ()),
)


Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Utterance:
    """One line of SNIPS; ``slots`` are (name, first word, word after the last)."""

    words: tuple[str, ...]
    slots: tuple[tuple[str, int, int], ...]
    intent: str


@dataclass(frozen=True)
class Question:
    """``start`` and ``end`` are character offsets into ``context``; both 0 when it holds no answer."""

    text: str
    context: str
    start: int = 0
    end: int = 0


def read_snips(folder: Path, split: str) -> list[Utterance]:
    """The utterances of train, dev or test."""
    columns = [(folder / f"{split}.{kind}").read_text(encoding="utf-8").splitlines()
               for kind in ("seq.in", "seq.out", "label")]
    return [Utterance(tuple(words.split()), tuple(_slots(tags.split())), intent.strip())
            for words, tags, intent in zip(*columns, strict=True)]


def _slots(tags: list[str]) -> Iterable[tuple[str, int, int]]:
    for first, tag in enumerate(tags):
        if tag.startswith("B-"):
            end = first + 1
            while end < len(tags) and tags[end] == f"I-{tag[2:]}":
                end += 1
            yield tag[2:], first, end


def slot_words(slot: str) -> str:
    """``timeRange`` → ``time range``, ``party_size_number`` → ``party size number``."""
    return re.sub(r"([A-Z])", r" \1", slot).replace("_", " ").lower()


def texts_of(utterances: Sequence[Utterance]) -> list[str]:
    """Every utterance, and every question about one of their slots once."""
    questions = [template.format(slot_words(slot)) for slot in sorted(slot_names(utterances))
                 for template in ("what is the {} ?", *GENERAL)]
    questions += [text for _, texts in (*PARTICULAR.items(), *SHARED) for text in texts]
    return [*(text for text, _ in intents(utterances)), *questions]


def slot_names(utterances: Iterable[Utterance]) -> set[str]:
    """Every slot that occurs."""
    return {slot for utterance in utterances for slot, _, _ in utterance.slots}


class Writer:
    """Varies utterances and asks about them; every choice comes from ``rng``."""

    def __init__(self, utterances: Sequence[Utterance], rng: np.random.Generator) -> None:
        self.utterances, self.rng = utterances, rng
        self.slots = sorted(slot_names(utterances))
        self.values: dict[str, list[tuple[str, ...]]] = {slot: [] for slot in self.slots}
        self.by_intent: dict[str, list[str]] = {}
        for one in utterances:
            for slot, first, end in one.slots:
                self.values[slot].append(one.words[first:end])
                self.by_intent.setdefault(one.intent, []).append(slot)

    def swap_values(self, one: Utterance, share: float) -> Utterance:
        """Some slots get the words that another utterance has in the same slot."""
        words: list[str] = []
        slots, done = [], 0
        for slot, first, end in one.slots:
            words += one.words[done:first]
            done = end
            new = self.pick(self.values[slot]) if self.rng.random() < share else one.words[first:end]
            slots.append((slot, len(words), len(words) + len(new)))
            words += new
        return Utterance((*words, *one.words[done:]), tuple(slots), one.intent)

    def pick(self, choices: Sequence[Choice]) -> Choice:
        """One of ``choices``."""
        return choices[int(self.rng.integers(len(choices)))]

    def write(self, utterances: Sequence[Utterance]) -> tuple[str, dict[str, list[tuple[int, int]]]]:
        """Utterances as one text, and where each slot stands in it (character offsets)."""
        text, places = "", {}
        apostrophes, stops = self.rng.random() < 0.4, len(utterances) > 1 or self.rng.random() < 0.4
        for one in utterances:
            spans: list[tuple[int, int]] = []
            for i, word in enumerate(one.words):
                between = "'" if apostrophes and i and word in CONTRACTIONS else " "
                text += between if text else ""
                spans.append((len(text), len(text) + len(word)))
                text += word
            for slot, first, end in one.slots:
                places.setdefault(slot, []).append((spans[first][0], spans[end - 1][1]))
            if stops and self.rng.random() < 0.9:
                text += self.pick((".", ".", " .", "?", "!", ",", ";"))
        return text, places

    def ask(self, utterances: Sequence[Utterance], limit: int | None = None) -> list[Question]:
        """A question for each slot that stands at one place only, and sometimes for one that is not there."""
        text, places = self.write(utterances)
        single = [slot for slot, spans in places.items() if len(spans) == 1]
        self.rng.shuffle(single)
        questions = [Question(self.question(slot, places), text, *places[slot][0]) for slot in single[:limit]]
        if self.rng.random() < UNANSWERABLE_SHARE:
            candidates = self.slots if self.rng.random() < 0.6 else self.by_intent[utterances[0].intent]
            absent = self.pick(candidates)
            if absent not in places:
                questions.append(Question(self.question(absent, places), text))
        return questions

    def question(self, slot: str, places: dict[str, list[tuple[int, int]]]) -> str:
        """One way to ask for ``slot``; free ones only where no other slot in ``places`` could be meant."""
        kind, text = self.rng.random(), f"what is the {slot_words(slot)} ?"
        if 0.45 < kind < 0.7:
            text = self.pick(GENERAL).format(slot_words(slot))
        elif kind >= 0.7:
            group, shared = next((row for row in SHARED if slot in row[0]), (set(), ()))
            alone = not group & (places.keys() - {slot})
            choices = (*PARTICULAR.get(slot, ()), *shared) if alone else PARTICULAR.get(slot, ())
            if choices and (alone or slot in places):
                text = self.pick(choices)
        ending = self.rng.random()
        if ending < 0.15:
            return text.removesuffix(" ?")
        return text.replace(" ?", "?") if ending < 0.5 else text


def qa_epoch(writer: Writer, swap: float = 0.35, joined: float = 0.15) -> list[Question]:
    """Questions about every utterance once, and about texts of several utterances (``joined`` per utterance); a share
    ``swap`` of the slots is filled from another utterance."""
    questions = []
    for one in writer.utterances:
        questions += writer.ask([writer.swap_values(one, swap)])
        if writer.rng.random() < joined:
            # Mostly short, sometimes some 200 words.
            count = writer.pick((2, 2, 3, 3, 4, 5, 6, 8, 12, 16))
            chosen = [writer.swap_values(writer.pick(writer.utterances), swap) for _ in range(count)]
            questions += writer.ask(chosen, limit=3)
    return questions


def intents(utterances: Sequence[Utterance]) -> list[tuple[str, str]]:
    """(text, intent) of every utterance."""
    return [(" ".join(one.words), one.intent) for one in utterances]


def varied_intents(writer: Writer) -> list[tuple[str, str]]:
    """The same with punctuation and apostrophes, at random."""
    return [(writer.write([one])[0], one.intent) for one in writer.utterances]


def question_examples(questions: Sequence[Question]) -> list[QuestionExample]:
    """``questions`` in the form that is trained on and scored."""
    return [QuestionExample(str(i), one.text, one.context, (one.context[one.start:one.end],) if one.end else (),
                            (one.start,) if one.end else (), not one.end) for i, one in enumerate(questions)]


def text_examples(texts: Sequence[tuple[str, str]]) -> list[TextExample]:
    """(text, intent) in the form that is trained on and scored."""
    return [TextExample(text, id=str(i), label=intent) for i, (text, intent) in enumerate(texts)]
