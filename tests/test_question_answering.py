"""Windows against MLPerf's recorded features, and answers against hand-made logits."""

from __future__ import annotations

import dataclasses
import json
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mobilebert_lite.errors import DataError, MblError, RequestError
from mobilebert_lite.tasks import TASKS, find_task
from mobilebert_lite.tasks.base import Outputs
from mobilebert_lite.tasks.question_answering import (
    Answer,
    best_answer,
    best_span,
    contenders,
    decode,
    slack,
    token_to_orig_map,
    windows,
)
from mobilebert_lite.text.examples import QuestionExample, TextExample
from mobilebert_lite.text.features import Features
from mobilebert_lite.text.tokenization import Tokenizer

QA = find_task("qa")
CONTEXT = "the cat sat on the mat"


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A protobuf varint at ``at`` and where the next item starts."""
    value = shift = 0
    while True:
        byte = data[at]
        value, at, shift = value | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data: bytes) -> Iterator[bytes]:
    """The length-delimited fields of a protobuf message (tf.train.Example has no others that count here)."""
    at = 0
    while at < len(data):
        _, at = varint(data, at)
        size, at = varint(data, at)
        yield data[at:at + size]
        at += size


def int64s(packed: bytes) -> list[int]:
    values, at = [], 0
    while at < len(packed):
        value, at = varint(packed, at)
        values.append(value)
    return values


def records(path: Path) -> Iterator[dict[str, list]]:
    """tf.train.Example records of a zlib-compressed TFRecord file: name -> list of int or bytes."""
    data, at = zlib.decompress(path.read_bytes()), 0
    while at < len(data):
        size = struct.unpack_from("<Q", data, at)[0]
        (features,) = fields(data[at + 12:at + 12 + size])
        at += 12 + size + 4
        record = {}
        for entry in fields(features):
            name, feature = fields(entry)
            (values,) = fields(feature)
            # oneof: field 1 is bytes_list, field 3 int64_list.
            items = list(fields(values))
            record[name.decode()] = items if feature[0] >> 3 == 1 else int64s(items[0])
        yield record


def test_windows_are_those_of_the_reference(shared: Callable[..., Path], uncased: Tokenizer) -> None:
    squad = json.loads(shared("data", "squad", "dev-v1.1.json").read_text(encoding="utf-8"))
    asked = {qa["id"]: (qa["question"], paragraph["context"]) for article in squad["data"]
             for paragraph in article["paragraphs"] for qa in paragraph["qas"]}
    wanted: dict[str, list[dict]] = {}
    for record in records(shared("data", "mlperf", "squad_eval_mini.tfrecord")):
        wanted.setdefault(record["qas_id"][0].decode(), []).append(record)
    assert sum(map(len, wanted.values())) == 100
    for identity, group in wanted.items():
        ours = windows(uncased, *asked[identity], 384, stride=128, max_query=64)
        assert len(ours) == len(group)
        for window, record in zip(ours, group, strict=True):
            assert window.ids.tolist() == record["input_ids"]
            assert window.mask.tolist() == record["input_mask"]
            assert window.segment_ids.tolist() == record["segment_ids"]
            assert window.max_context[window.in_text].tolist() == [bool(x) for x in record["token_is_max_context"]]
            assert uncased.words(window.ids[:window.length_used]) == [word.decode() for word in record["tokens"]]
            words = token_to_orig_map(window, asked[identity][1])
            assert list(words.values()) == record["token_to_orig_map"]
            assert list(words) == np.flatnonzero(window.in_text).tolist()


@pytest.mark.parametrize(("context", "words"), [
    ("the cat's  mat", [0, 1, 1, 1, 2]),
    (" \n the\u202fcat", [0, 1]),
    ("the\u00a0cat\u3000sat on", [0, 0, 0, 1]),  # spaces to the tokenizer, but not to run_squad.py
])
def test_words_of_tokens(small: Tokenizer, context: str, words: list[int]) -> None:
    (window,) = windows(small, "who?", context, 16)
    assert token_to_orig_map(window, context) == dict(enumerate(words, 4))


def reference_max_context(spans: list[tuple[int, int]], current: int, position: int) -> bool:
    """The definition, one token at a time: the window with the largest smaller distance to its ends."""
    scores = [(min(position - start, end - 1 - position) + 0.01 * (end - start), -i)
              for i, (start, end) in enumerate(spans) if start <= position < end]
    return max(scores)[1] == -current


@pytest.mark.parametrize(("words", "length", "stride"), [(40, 20, 5), (41, 20, 7), (33, 13, 1), (30, 20, 128),
                                                         (3, 9, 2), (380, 384, 128), (700, 384, 128)])
def test_every_token_has_one_window_of_maximum_context(small: Tokenizer, words: int, length: int, stride: int) -> None:
    context = " ".join("abcdefghij"[i % 10] for i in range(words))
    found = windows(small, "who sat?", context, length, stride=stride)
    spans = [(int(w.offsets[w.in_text][0, 0]) // 2, int(w.offsets[w.in_text][-1, 0]) // 2 + 1) for w in found]
    room = length - 3 - 3
    assert spans[0][0] == 0
    assert spans[-1][1] == words
    assert all(b[0] - a[0] == min(stride, room) and a[1] - a[0] == room for a, b in pairwise(spans))
    for i, window in enumerate(found):
        tokens = range(*spans[i])
        assert window.max_context[window.in_text].tolist() == [reference_max_context(spans, i, t) for t in tokens]
        assert not window.max_context[~window.in_text].any()
    assert sum(int(w.max_context.sum()) for w in found) == words


def test_a_window_holds_question_and_context(small: Tokenizer) -> None:
    (window,) = windows(small, "who?", "the  cat", 12)
    assert small.words(window.ids) == ["[CLS]", "who", "?", "[SEP]", "the", "cat", "[SEP]"] + ["[PAD]"] * 5
    assert window.mask.tolist() == [1] * 7 + [0] * 5
    assert window.segment_ids.tolist() == [0] * 4 + [1] * 3 + [0] * 5
    assert window.offsets.tolist() == [[-1, -1]] * 4 + [[0, 3], [5, 8]] + [[-1, -1]] * 6
    assert window.length_used == 7
    inputs = window.inputs()
    assert {name: (value.shape, value.dtype) for name, value in inputs.items()} == {
        name: ((1, 12), np.dtype("int32")) for name in ("ids", "mask", "segment_ids")}


def test_the_question_is_cut(small: Tokenizer) -> None:
    (window,) = windows(small, "who sat on the mat?", "the cat", 20, max_query=2)
    assert small.words(window.ids[:4]) == ["[CLS]", "who", "sat", "[SEP]"]


def test_a_context_that_just_fits_is_one_window(small: Tokenizer) -> None:
    assert len(windows(small, "who?", CONTEXT, 2 + 3 + 6)) == 1
    assert len(windows(small, "who?", CONTEXT, 2 + 3 + 5)) == 2


@pytest.mark.parametrize(("question", "context", "length", "options", "message"), [
    ("", CONTEXT, 20, {}, "question is empty"),
    ("who?", "", 20, {}, "context is empty"),
    (" \n", CONTEXT, 20, {}, "question ' .n' holds no words"),
    ("who?", "\u200b", 20, {}, "context .* holds no words"),
    ("who?", CONTEXT, 5, {}, "length 5 cannot hold a question of 2 tokens.* use 6 or more"),
    ("who?", CONTEXT, 20, {"stride": 0}, "stride 0"),
    ("who?", CONTEXT, 20, {"max_query": 0}, "max_query 0"),
])
def test_windows_that_cannot_be_made(small: Tokenizer, question: str, context: str, length: int, options: dict,
                                     message: str) -> None:
    with pytest.raises(DataError, match=message):
        windows(small, question, context, length, **options)


def test_the_shortest_possible_window(small: Tokenizer) -> None:
    found = windows(small, "who?", CONTEXT, 6)
    assert len(found) == 6
    assert all(window.max_context.sum() == 1 for window in found)


def test_a_long_context_is_fast(small: Tokenizer) -> None:
    context = "the cat sat on a mat " * 5000
    before = time.perf_counter()
    found = windows(small, "who?", context, 384)
    rng = np.random.default_rng(0)
    outputs = [{name: rng.normal(size=(1, 384)) for name in QA.outputs} for _ in found]
    answer = decode(found, outputs, context)[0]
    # Takes 0.1 s; a quadratic search over 30,000 tokens or 230 windows takes minutes.
    assert time.perf_counter() - before < 10
    assert len(found) == 1 + -(-(30_000 - 379) // 128)
    assert answer.text == context[answer.start:answer.end]


def logits(window: Features, start: dict[int, float], end: dict[int, float]) -> dict[str, np.ndarray]:
    """Outputs that are -5 but for the given positions."""
    outputs = {name: np.full((1, len(window.ids)), -5.0, np.float32) for name in ("start_logits", "end_logits")}
    for name, values in (("start_logits", start), ("end_logits", end)):
        for position, value in values.items():
            outputs[name][0, position] = value
    return outputs


@pytest.fixture(scope="module")
def pieces() -> Tokenizer:
    """A vocabulary in which most words are several pieces."""
    return Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "?", "in", "g", "##dan", "##sk", "-", "o",
                      "##li", "##wa", ",", "don", "'", "t", "w", "##a", "##lk", "."])


@pytest.fixture
def window(small: Tokenizer) -> Features:
    """[CLS] who ? [SEP] the cat sat on the mat [SEP]: the context is 4 to 9."""
    return windows(small, "who?", CONTEXT, 16)[0]


def test_the_best_span_is_cut_from_the_context(window: Features) -> None:
    answers = decode([window], [logits(window, {4: 3, 7: 1}, {5: 2, 9: 2.5})], CONTEXT, allow_null=False,
                     whole_words=False)
    assert [(a.text, a.start, a.end, a.score) for a in answers[:3]] == [
        (CONTEXT, 0, 22, 5.5), ("the cat", 0, 7, 5.0), ("on the mat", 12, 22, 3.5)]
    assert sum(a.probability for a in answers) == pytest.approx(1)
    assert answers[0].probability / answers[1].probability == pytest.approx(np.exp(0.5))
    assert len(answers) <= 20


@pytest.mark.parametrize(("start", "end"), [
    (1, 5),    # starts in the question
    (4, 10),   # ends at the final [SEP]
    (6, 5),    # ends before it starts
    (0, 5),    # starts at [CLS]
    (4, 15),   # ends in the padding
])
def test_illegal_spans_are_no_answers(window: Features, start: int, end: int) -> None:
    outputs = [logits(window, {4: 1, start: 9}, {4: 1, end: 9})]
    # The only start and the only end that n_best = 1 leaves do not fit together.
    answers = decode([window], outputs, CONTEXT, n_best=1, allow_null=False)
    assert [(a.text, a.probability) for a in answers] == [("", 1.0)]
    answers = decode([window], outputs, CONTEXT, n_best=2, allow_null=False)
    assert answers[0].score == 10
    assert {a.text for a in answers} <= {"the", "the cat"}


def test_order_and_probability_of_equal_and_of_large_scores(window: Features) -> None:
    outputs = [logits(window, {0: 500, 5: 1000, 6: 0}, {0: 500, 5: 1000, 6: 1000})]
    answers = decode([window], outputs, CONTEXT, n_best=3, whole_words=False)
    # The shorter span's end comes first, and a span (1000) comes before the null answer with the same score.
    assert [(a.text, a.score) for a in answers] == [("cat", 2000), ("cat sat", 2000), ("sat", 1000), ("", 1000)]
    assert [a.probability for a in answers] == pytest.approx([0.5, 0.5, 0, 0])


def test_answers_have_a_longest_length(window: Features) -> None:
    outputs = [logits(window, {4: 9}, {6: 8, 7: 9})]
    assert decode([window], outputs, CONTEXT, max_answer_tokens=4)[0].text == "the cat sat on"
    assert decode([window], outputs, CONTEXT, max_answer_tokens=3)[0].text == "the cat sat"


def test_a_start_counts_only_in_its_window_of_maximum_context(small: Tokenizer) -> None:
    found = windows(small, "who?", CONTEXT, 9, stride=2)
    # Windows of 4 tokens: "the cat sat on" and "sat on the mat"; "sat" has more context in the first, at 6.
    assert [w.max_context[4:8].tolist() for w in found] == [[True, True, True, False], [False, True, True, True]]
    assert [a.text for a in decode(found, [logits(found[0], {6: 1}, {6: 1}), logits(found[1], {4: 9}, {4: 9})],
                                   CONTEXT, n_best=1)] == ["sat", ""]


def test_windows_are_merged_and_equal_texts_joined(small: Tokenizer) -> None:
    found = windows(small, "who?", CONTEXT, 9, stride=2)
    outputs = [logits(found[0], {4: 1}, {4: 1}), logits(found[1], {6: 2}, {6: 2})]
    answers = decode(found, outputs, CONTEXT)
    assert (answers[0].text, answers[0].start, answers[0].score) == ("the", 15, 4.0)
    assert [a.text for a in answers].count("the") == 1


def test_contenders_are_what_ties_with_the_best_by_place(window: Features) -> None:
    """Read logits span -5 to 5 at both ends: a tie is within 2 % of 20."""
    outputs = [logits(window, {4: 5, 6: 3, 8: 4.8}, {4: 5, 6: 5, 8: 4.9})]
    assert slack(window, outputs[0]) == pytest.approx(0.4)
    # "the" stands at two places, which decode joins; "sat" is worse by 2, and so no tie.
    assert [(a.text, a.start, a.end, a.score) for a in contenders([window], outputs, CONTEXT)] == [
        ("the", 0, 3, 10), ("the cat sat", 0, 11, 10), ("the cat sat on the", 0, 18, pytest.approx(9.9)),
        ("the", 15, 18, pytest.approx(9.7))]
    assert [(a.text, a.start) for a in contenders([window], outputs, CONTEXT, max_answer_tokens=1)] == [
        ("the", 0), ("the", 15)]
    assert [(a.text, a.start) for a in decode([window], outputs, CONTEXT, whole_words=False)][:3] == [
        ("the", 0), ("the cat sat", 0), ("the cat sat on the", 0)]
    # Either may be the answer that there is none.
    outputs[0]["start_logits"][0, 0] = outputs[0]["end_logits"][0, 0] = 4.9
    assert ("", -1) in [(a.text, a.start) for a in contenders([window], outputs, CONTEXT)]
    assert ("", -1) not in [(a.text, a.start) for a in contenders([window], outputs, CONTEXT, allow_null=False)]
    with pytest.raises(MblError, match="0 outputs for 1 windows"):
        contenders([window], [], CONTEXT)


def test_the_null_answer_speaks_for_the_least_convinced_window(small: Tokenizer) -> None:
    found = windows(small, "who?", CONTEXT, 9, stride=2)
    outputs = [logits(found[0], {0: 9, 5: 1}, {0: 9, 5: 1}), logits(found[1], {0: 2}, {0: 1.5})]
    answers = decode(found, outputs, CONTEXT)
    assert answers[0] == Answer("", -1, -1, 3.5, answers[0].probability)
    assert answers[0].is_null
    assert (answers[1].text, answers[1].score) == ("cat", 2.0)
    assert not answers[1].is_null


@pytest.mark.parametrize(("threshold", "text"), [(0.0, ""), (1.49, ""), (1.5, "cat"), (2.0, "cat")])
def test_the_threshold_decides_between_null_and_span(window: Features, threshold: float, text: str) -> None:
    outputs = [logits(window, {0: 2, 5: 1}, {0: 1.5, 5: 1})]
    answers = decode([window], outputs, CONTEXT, null_threshold=threshold)
    assert answers[0].text == text
    assert best_answer(answers, threshold).text == text
    assert {a.text for a in answers[:2]} == {"", "cat"}
    assert decode([window], outputs, CONTEXT, n_best=1, null_threshold=threshold)[0].text in (text, "")
    assert decode([window], outputs, CONTEXT, allow_null=False)[0].text == "cat"
    assert not any(a.is_null for a in decode([window], outputs, CONTEXT, allow_null=False))


def test_best_answer_needs_answers() -> None:
    with pytest.raises(MblError, match="no answers"):
        best_answer([])


@pytest.mark.parametrize("name", ["start_logits", "end_logits"])
def test_bad_logits_are_named(window: Features, name: str) -> None:
    for bad in (np.nan, np.inf):
        outputs = logits(window, {}, {})
        outputs[name][0, 5] = bad
        with pytest.raises(MblError, match=f"'{name}' holds 1 NaN or infinite values out of 16"):
            decode([window], [outputs], CONTEXT)
    with pytest.raises(MblError, match=rf"'{name}' is \[1, 12\]; expected \[1, 16\]"):
        decode([window], [{**logits(window, {}, {}), name: np.zeros((1, 12))}], CONTEXT)
    with pytest.raises(MblError, match=f"no output '{name}'"):
        decode([window], [{k: v for k, v in logits(window, {}, {}).items() if k != name}], CONTEXT)
    with pytest.raises(MblError, match="batch of 1"):
        decode([window], [{**logits(window, {}, {}), name: np.zeros(16)}], CONTEXT)


def test_every_window_needs_its_outputs(window: Features) -> None:
    with pytest.raises(MblError, match="0 outputs for 1 windows"):
        decode([window], [], CONTEXT)
    with pytest.raises(MblError, match="0 outputs for 0 windows"):
        decode([], [], CONTEXT)
    with pytest.raises(DataError, match="n_best 0"):
        decode([window], [logits(window, {}, {})], CONTEXT, n_best=0)


def reference_decode(found: list[Features], outputs: list[dict[str, np.ndarray]], context: str) -> list[str]:
    """The official rules as nested loops: texts by descending score, null included."""
    candidates = []
    for window, output in zip(found, outputs, strict=True):
        start, end = (output[name][0].astype(float).tolist() for name in ("start_logits", "end_logits"))
        starts, ends = (sorted(range(len(x)), key=lambda i, x=x: x[i], reverse=True)[:20] for x in (start, end))
        candidates += [(start[i] + end[j], context[window.offsets[i, 0]:window.offsets[j, 1]])
                       for i in starts for j in ends
                       if window.max_context[i] and window.offsets[j, 0] >= 0 and i <= j < i + 30]
    candidates.append((min(o["start_logits"][0, 0] + o["end_logits"][0, 0] for o in outputs), ""))
    texts: list[str] = []
    for _, text in sorted(candidates, key=lambda pair: pair[0], reverse=True):
        if len(texts) < 20 and text not in texts:
            texts.append(text)
    return texts if "" in texts else [*texts, ""]


CATS = "the cat sat on a mat, who sat on the cat? " * 12


def random_outputs(found: Sequence[Features]) -> Iterator[list[Outputs]]:
    """For windows of 64 tokens; the fewer digits, the more scores are equal."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        yield [{name: rng.normal(size=(1, 64)).astype(np.float32).round(1 + seed % 4) for name in QA.outputs}
               for _ in found]


def test_answers_are_those_of_the_rules_spelt_out(small: Tokenizer) -> None:
    found = windows(small, "who sat?", CATS, 64, stride=20)
    for outputs in random_outputs(found):
        answers = decode(found, outputs, CATS, whole_words=False)
        assert [a.text for a in sorted(answers, key=lambda a: -a.score)] == reference_decode(found, outputs, CATS)


def test_answers_are_whole_words(pieces: Tokenizer) -> None:
    """Where logits point into words, the words are given; the tokens only where they are asked for."""
    context = "In Gdansk-Oliwa, don't walk."
    (window,) = windows(pieces, "who?", context, 40)
    place = {pieces.words([int(i)])[0]: n for n, i in enumerate(window.ids) if window.in_text[n]}
    for first, last, whole, cut in (("##dan", "##dan", "Gdansk", "dan"), ("g", "##li", "Gdansk-Oliwa", "Gdansk-Oli"),
                                    ("'", "##a", "'t walk", "'t wa"), ("-", "-", "-", "-"),
                                    ("##lk", ".", "walk.", "lk.")):
        outputs = [logits(window, {place[first]: 9}, {place[last]: 9})]
        for expected, options in ((whole, {}), (cut, {"whole_words": False})):
            best = decode([window], outputs, context, **options)[0]
            assert (best.text, best.score) == (expected, 18)
            assert context[best.start:best.end] == expected
            tied = contenders([window], outputs, context, **options)[0]
            assert (tied.text, tied.start, tied.end) == (best.text, best.start, best.end)


def test_a_word_that_windows_cut_is_still_whole(pieces: Tokenizer) -> None:
    found = windows(pieces, "who?", "walk Gdansk walk", 8, stride=4)
    # [CLS] who ? [SEP], then four tokens less the last [SEP]: "w ##a ##lk", "g ##dan ##sk", …
    outputs = [logits(window, {}, {}) for window in found]
    at = next(i for i, window in enumerate(found) if "##dan" in pieces.words(window.ids[window.max_context]))
    inside = int(np.flatnonzero(found[at].ids == pieces.encode("gdan").ids[1])[0])
    outputs[at] = logits(found[at], {inside: 9}, {inside: 9})
    assert decode(found, outputs, "walk Gdansk walk")[0].text == "Gdansk"


def test_no_answer_shares_a_word_with_a_better_one(small: Tokenizer) -> None:
    found = windows(small, "who sat?", CATS, 64, stride=20)
    for outputs in random_outputs(found):
        answers = decode(found, outputs, CATS)
        every = decode(found, outputs, CATS, n_best=400, whole_words=False)
        spans = [a for a in answers if not a.is_null]
        assert len(spans) > 5
        assert spans[0] == dataclasses.replace(every[0] if not every[0].is_null else every[1],
                                               probability=spans[0].probability)
        taken = [place for a in spans for place in range(a.start, a.end)]
        assert len(taken) == len(set(taken))
        assert len({a.text for a in answers}) == len(answers) <= 21
        assert sum(a.probability for a in answers) == pytest.approx(1)


def test_models_agree_when_the_best_span_is_the_same(window: Features) -> None:
    reference = logits(window, {5: 3}, {6: 3})
    assert best_span(window, reference) == (5, 6)
    assert best_span(window, logits(window, {}, {})) == (0, 0)
    assert QA.agrees(window, reference, logits(window, {5: 1}, {6: 1}))
    assert not QA.agrees(window, reference, logits(window, {5: 3}, {7: 3}))
    assert not QA.agrees(window, reference, logits(window, {4: 3}, {6: 3}))
    # What no answer can use does not count: the question, an end before the start.
    assert QA.agrees(window, reference, logits(window, {5: 3, 1: 9}, {6: 3, 4: 4, 2: 9, 10: 9}))
    assert not QA.agrees(window, reference, logits(window, {0: 4, 5: 3}, {0: 4, 6: 3}))
    assert QA.agrees(window, logits(window, {0: 4}, {0: 4}), logits(window, {0: 1}, {0: 1, 3: 2}))


def test_a_near_tie_is_no_disagreement(window: Features) -> None:
    # The spans 5-6 and 7-7 score 20 and 19.9, the logits spread over 10 + 10: a difference of 0.5 % of that.
    reference = logits(window, {5: 10, 7: 9.9}, {6: 10, 7: 10})
    assert QA.agrees(window, reference, logits(window, {5: 3, 7: 4}, {6: 3, 7: 4}))
    worse = logits(window, {5: 10, 7: 9}, {6: 10, 7: 10})
    assert not QA.agrees(window, worse, logits(window, {5: 3, 7: 4}, {6: 3, 7: 4}))


def test_nothing_agrees_with_nan(window: Features) -> None:
    good, bad = logits(window, {5: 3}, {6: 3}), logits(window, {5: 3, 12: np.nan}, {6: 3})
    assert QA.agrees(window, good, good)
    assert not QA.agrees(window, good, bad)
    assert not QA.agrees(window, bad, good)
    assert not QA.agrees(window, bad, bad)


def test_the_best_span_has_at_most_30_tokens(small: Tokenizer) -> None:
    (window,) = windows(small, "who?", "cat " * 40, 60)
    assert best_span(window, logits(window, {4: 5}, {33: 5, 34: 9})) == (4, 33)
    assert best_span(window, logits(window, {4: 5}, {33: 5, 34: 9}), max_answer_tokens=31) == (4, 34)


def test_features_cut_the_question_for_short_sequences(small: Tokenizer) -> None:
    question = "who sat on the mat, a cat?"
    example = QuestionExample("1", question, CONTEXT)
    found = QA.features(small, example, QA.min_length)
    assert small.words(found[0].ids) == ["[CLS]", "who", "sat", "on", "the", "[SEP]", "the", "[SEP]"]
    assert len(QA.features(small, example, 64)) == 1
    with pytest.raises(DataError, match="length 4 cannot hold"):
        QA.features(small, example, 4)
    long = QuestionExample("1", "cat " * 100, CONTEXT)
    first_segment = [QA.features(small, long, length)[0].ids.tolist().index(small.sep_id) for length in (100, 128, 384)]
    assert first_segment == [1 + 50, 1 + 64, 1 + 64]
    with pytest.raises(DataError, match="takes a QuestionExample, not a TextExample"):
        QA.features(small, TextExample("cat"), 64)


def test_tasks_are_found_by_every_name() -> None:
    assert list(TASKS) == ["qa", "classification", "token-classification", "multiple-choice", "next-sentence",
                           "fill-mask", "pretraining", "features", "embedding"]
    for task in TASKS.values():
        assert all(find_task(name) is task for name in (task.name, *task.aliases))
    assert QA.outputs == ("end_logits", "start_logits")
    with pytest.raises(RequestError, match=r"unknown task 'QA'; known are qa, classification, token-.*, question-"):
        find_task("QA")
