"""Cases that the Kotlin core and the Python package must treat alike, as JSON.

    python scripts/shared_cases.py --output out/cases               # what `make test-android` runs on
    python scripts/shared_cases.py --small --output DIRECTORY       # a few of each, as kept beside the Kotlin tests

``tokenizer-*.json`` have the form of ``tokenizer_cases.py``; in some ``settings`` holds the tokenizer of each name, in
the form of a file's provenance (what is not there is as in the uncased models). ``features.json``, ``answers.json``,
``labels.json``, ``embeddings.json`` and ``entities.json`` hold what goes in and what comes out. Vocabularies are named
by their SHA-256 and lie in ``vocabularies/``, except for that of the bundled checkpoint. Places are code points. With
MBL_TEST_DATA the texts are SQuAD's, otherwise the package's own.

``tolerances`` in a file names the numbers that each processor rounds in its own way (exp and sums of it), and how far
apart two may be. Everything else is exact everywhere: ids, places, texts, their order, and scores, whose addends are
multiples of a power of two. Equal scores stand in the order of the rule, not of a rounding.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import settings_cases
from tokenizer_cases import AWKWARD, cases, texts

from mobilebert_lite.architecture.form import ACTIVATIONS, Form
from mobilebert_lite.common.files import write_atomically
from mobilebert_lite.converters.checkpoints import demonstration
from mobilebert_lite.datasets.reading import QuestionExample, builtin_examples, evenly, read_examples
from mobilebert_lite.tasks import classification, embedding, question_answering, token_classification
from mobilebert_lite.tasks.classification import Classification, zero_shot
from mobilebert_lite.tasks.hypotheses import ZeroShot
from mobilebert_lite.tasks.question_answering import longest_question
from mobilebert_lite.tasks.token_classification import TokenClassification
from mobilebert_lite.text.examples import TextExample
from mobilebert_lite.text.features import Features, pack
from mobilebert_lite.text.tokenization import BEHAVIorS, Tokenizer, parse_vocabulary
from mobilebert_lite.text.tokenizer_settings import TokenizerSettings

DEMO = demonstration("qa") / "vocab.txt"
# Softmax and sigmoid in double precision: a few roundings of 1e-16.
TOLERANCES = {"probability": 1e-12}
LABELS = ("O", "B-city", "I-city", "B-date", "I-date", "loose")
# Classes of models for NLI, and how those without a name of their own are named.
_NLI: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (("contradiction", "neutral", "entailment"), {}), (("ENTAILMENT", "NEUTRAL", "CONTRADICTION"), {}),
    (("neutral", "entailed", "contradicted"), {}), (("not_entailment", "entailment"), {}),
    (("LABEL_0", "LABEL_1", "LABEL_2"), {"entailment": "label_2", "contradiction": "0"}))
_KINDS = (("lower", True), ("cased", False))
# Marks that Unicode puts into an order, among them ones that stay when accents go.
_ORDERED = "\u0301\u0316\u0334\u034f\u302e\u1b44\u08d4\u09bc\U0001d165\U0001d16d"


class Writer:
    """Where the cases go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "vocabularies").mkdir(parents=True, exist_ok=True)

    def vocabulary(self, path: Path) -> str:
        """The name of a vocabulary, which is kept beside the cases unless it is the bundled one."""
        name = hashlib.sha256(path.read_bytes()).hexdigest()
        if path != DEMO:
            write_atomically(self.folder / "vocabularies" / f"{name}.txt", path.read_bytes())
        return name

    def write(self, name: str, vocabulary: str, found: Any, **others: Any) -> None:
        """One file of cases."""
        value = {"vocabulary": vocabulary, **others, "cases": found}
        write_atomically(self.folder / name, f"{_json(value)}\n".encode())
        count = sum(map(len, found.values())) if isinstance(found, dict) else len(found)
        print(f"{name}: {count} cases")


def _json(value: Any) -> str:
    """One case a line."""
    if isinstance(value, dict):
        return "{" + ",\n".join(f"{json.dumps(key)}: {_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in value) + "]"
    return json.dumps(value)


def write_tokens(writer: Writer, name: str, vocabulary: Path, chosen: Sequence[str],
                 kinds: Sequence[tuple[str, bool]] = _KINDS, behaviors: Sequence[str] = BEHAVIorS) -> None:
    """What tokenizers make of texts."""
    writer.write(f"tokenizer-{name}.json", writer.vocabulary(vocabulary), {
        f"{behavior}-{kind}": cases(Tokenizer.from_file(vocabulary, lower, behavior), list(chosen))
        for behavior in behaviors for kind, lower in kinds})


def write_settings(writer: Writer, name: str, vocabulary: Path, chosen: Sequence[str],
                   combinations: Mapping[str, TokenizerSettings]) -> None:
    """What tokenizers of many settings make of texts."""
    words = parse_vocabulary(vocabulary.read_bytes())
    writer.write(f"tokenizer-{name}.json", writer.vocabulary(vocabulary), {
        f"reference-{kind}": settings_cases.cases(words, settings, chosen) for kind, settings in combinations.items()},
        settings={kind: settings_cases.said(settings) for kind, settings in combinations.items()})


def write_combinations(writer: Writer, chosen: Sequence[str]) -> None:
    """All combinations of settings, with a vocabulary of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocab.txt"
        path.write_text("\n".join(settings_cases.vocabulary()) + "\n", encoding="utf-8", newline="")
        write_settings(writer, "settings", path, chosen, settings_cases.COMBINATIONS)


def every_character(folder: Path) -> tuple[Path, list[str]]:
    """A vocabulary in which every character that can come out has words of its own, and texts with all that there are.

    Each character stands between letters, so that what splits words shows.
    """
    codes = [code for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    # Planes 3 to 13 are unassigned, and 15 and 16 private: their ends stand for the rest.
    codes = [code for code in codes if code < 0x31000 or (code >= 0xE0000 and code < 0xE1000) or code % 0x800 < 2]
    kept = [chr(code) for code in codes if code > 0x20]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *kept, *(f"##{one}" for one in kept)]
    path = folder / "vocabularies" / "characters.txt"
    path.write_text("\n".join(words) + "\n", encoding="utf-8", newline="")
    return path, ["a" + "a".join(map(chr, codes[i:i + 40])) for i in range(0, len(codes), 40)]


def ordered(count: int) -> list[str]:
    """Letters under several marks whose order is for Unicode to decide."""
    rng = random.Random(1)
    return ["".join(rng.choices("ae 가", k=1) + rng.choices(_ORDERED, k=rng.randint(1, 6)) + rng.choices("b ", k=1)
                    + rng.choices(_ORDERED, k=rng.randint(0, 4))) for _ in range(count)]


def questions(data: Path | None, count: int) -> list[QuestionExample]:
    """Questions with contexts; every third context with awkward characters in it."""
    examples = read_examples(data / "squad/dev-v2.0.json", "qa") if data else builtin_examples("qa")
    repeated = [examples[i % len(examples)] for i in range(count)] if len(examples) < count else examples
    rng = random.Random(2)
    found = []
    for i, example in enumerate(evenly(repeated, count)):
        if i % 3 == 0:
            words = example.context.split(" ")
            for piece in rng.choices(AWKWARD, k=3):
                words.insert(rng.randrange(len(words) + 1), piece)
            example = dataclasses.replace(example, context=" ".join(words))
        found.append(example)
    return found


def write_features(writer: Writer, vocabulary: Path, examples: Sequence[QuestionExample]) -> None:
    """Questions in windows; the same texts as pairs, alone, and in windows without a question."""
    rng = random.Random(3)
    tokenizer = Tokenizer.from_file(vocabulary)
    found: list[dict[str, Any]] = []
    for i, example in enumerate(examples):
        length, stride = rng.choice((32, 64, 128, 384)), rng.choice((8, 16, 64, 128))
        query = rng.choice((1, 8, longest_question(length)))
        windows = question_answering.windows(tokenizer, example.question, example.context, length, stride=stride,
                                             max_query=query)
        found.append({"kind": "question", "text": example.question, "pair": example.context, "length": length,
                      "stride": stride, "max_query": query, "windows": [_window(window) for window in windows]})
        if i % 3 == 0:
            for pair in (example.context, None):
                text = TextExample(example.question if pair else example.context, pair)
                [packed] = Classification().features(tokenizer, text, length)
                found.append({"kind": "pack", **_asked(text), "length": length, "windows": [_window(packed)]})
            kept = pack(tokenizer, example.context, example.question, length, keep_second=True)
            found.append({"kind": "pack", "text": example.context, "pair": example.question, "keep_second": True,
                          "length": length, "windows": [_window(kept)]})
            tagged = TokenClassification().features(tokenizer, TextExample(example.context), length)
            found.append({"kind": "text", "text": example.context, "length": length,
                          "windows": [_window(window) for window in tagged]})
    writer.write("features.json", writer.vocabulary(vocabulary), found)


def _asked(example: TextExample) -> dict[str, Any]:
    return {"text": example.text} if example.pair is None else {"text": example.text, "pair": example.pair}


def _window(window: Features) -> dict[str, Any]:
    used = window.length_used
    return {"ids": window.ids[:used].tolist(), "segment_ids": window.segment_ids[:used].tolist(),
            "offsets": window.offsets[:used].reshape(-1).tolist(), "words": window.words[:used].reshape(-1).tolist(),
            "max_context": "".join("1" if own else "0" for own in window.max_context[:used])}


def _numbers(rng: np.random.Generator, shape: int | tuple[int, ...], step: float) -> np.ndarray:
    """Float32 in multiples of ``step`` (a power of two: exact in JSON): where it is large, many are equal."""
    return (np.round(rng.normal(size=shape) * 4 / step) * step).astype(np.float32)


def write_answers(writer: Writer, vocabulary: Path, examples: Sequence[QuestionExample], length: int) -> None:
    """Logits of windows, and the answers they give."""
    rng = np.random.default_rng(4)
    tokenizer = Tokenizer.from_file(vocabulary)
    found = []
    for i, example in enumerate(examples):
        windows = question_answering.windows(tokenizer, example.question, example.context, length,
                                             max_query=longest_question(length))
        logits = [_numbers(rng, (2, length), (1.0, 2.0 ** -7)[i % 2]) for _ in windows]
        options = {"n_best": int(rng.choice((1, 3, 20))), "max_answer_tokens": int(rng.choice((1, 5, 30))),
                   "null_threshold": float(rng.choice((-4.0, 0.0, 2.5))), "allow_null": bool(i % 4),
                   "whole_words": bool(i % 3)}
        # Sometimes the first token, which stands for no answer, is better than most.
        for pair in logits:
            pair[:, 0] += 4 * (i % 3)
        answers = question_answering.decode(
            windows, [{"start_logits": pair[:1], "end_logits": pair[1:]} for pair in logits], example.context,
            **options)
        found.append({"question": example.question, "context": example.context, "length": length,
                      "max_query": longest_question(length), "options": options,
                      "logits": [pair.tolist() for pair in logits],
                      "answers": [dataclasses.asdict(answer) for answer in answers]})
    writer.write("answers.json", writer.vocabulary(vocabulary), found, tolerances=TOLERANCES)


def write_labels(writer: Writer, count: int) -> None:
    """Outputs of classifiers of every kind, and the labels or numbers they give."""
    rng = np.random.default_rng(5)
    found = []
    for i in range(count):
        form = Form(problem_type=tuple(ACTIVATIONS)[i % 3], logits=bool(i // 3 % 2))
        classes = int(rng.integers(1, 8))
        values = _numbers(rng, classes, 0.125)
        if form.activation:
            values = np.abs(values) / 16
        labels = [f"class {k}" for k in range(classes)] if i % 2 else []
        decode = classification.decode_numbers if form.problem_type == "regression" else classification.decode
        name = "probability" if form.activation else "logits"
        result = decode({name: values[None]}, labels, form)
        found.append({"problem_type": form.problem_type, "logits": form.logits, "output": values.tolist(),
                      "labels": labels, "result": [dataclasses.asdict(one) for one in result]})
    writer.write("labels.json", "", found, tolerances=TOLERANCES)


def write_embeddings(writer: Writer, count: int) -> None:
    """Vectors of a query and of documents, and the documents in the order of their cosines."""
    rng = np.random.default_rng(9)
    found = []
    for i in range(count):
        width = int(rng.integers(1, 9))
        query, documents = _numbers(rng, width, 0.125), _numbers(rng, (int(rng.integers(1, 6)), width), 0.125)
        documents = np.concatenate([documents, np.zeros((1, width), np.float32)])
        # Of those that a rounding could put in either order, one.
        _, unlike = np.unique(embedding.cosines(query[None], documents)[0].round(9), return_index=True)
        documents = documents[np.sort(unlike)]
        if i % 3 == 0:  # the same document twice, the earlier one comes first
            documents = np.concatenate([documents, documents[:1]])
        similarities = embedding.cosines(query[None], documents)[0].round(12)
        order = np.argsort(-similarities, kind="stable")
        found.append({"query": query.tolist(), "documents": documents.tolist(),
                      "result": [{"index": int(one), "similarity": float(similarities[one])} for one in order]})
    writer.write("embeddings.json", "", found, tolerances={"similarity": 1e-12})


def write_zero_shot(writer: Writer, count: int) -> None:
    """Outputs of models for NLI for the hypotheses of several classes, and the probabilities that these give."""
    rng = np.random.default_rng(8)
    found = []
    for i in range(count):
        names, said = _NLI[i % len(_NLI)]
        labels = [f"class {k}" for k in range(1 + int(rng.integers(5)))]
        asked = ZeroShot(tuple(labels), ("This example is {}.", "{}: so it is {}")[i % 2], bool(i // 2 % 2), **said)
        values = _numbers(rng, (len(labels), len(names)), 0.125)
        if logits := bool(i // 3 % 2):
            outputs = [{"logits": row[None]} for row in values]
        else:
            values = (np.abs(values) + 1) / 64
            outputs = [{"probability": row[None]} for row in values]
        found.append({"names": names, "labels": labels, "multi_label": asked.multi_label, **said, "logits": logits,
                      "template": asked.template, "hypotheses": [asked.hypothesis(label) for label in labels],
                      "outputs": values.tolist(),
                      "result": [dataclasses.asdict(one) for one in zero_shot.decode(outputs, names, asked)]})
    writer.write("zero-shot.json", "", found, tolerances=TOLERANCES)


def write_entities(writer: Writer, vocabulary: Path, chosen: Sequence[str], length: int) -> None:
    """Logits of tokens, the words they label and the entities these spell."""
    rng = np.random.default_rng(6)
    tokenizer = Tokenizer.from_file(vocabulary)
    found = []
    for text in chosen:
        windows = TokenClassification().features(tokenizer, TextExample(text), length)
        logits = [_numbers(rng, (length, len(LABELS)), 0.25) for _ in windows]
        words = token_classification.tag(windows, [{"logits": one[None]} for one in logits], tokenizer, LABELS)
        found.append({"text": text, "length": length, "labels": LABELS, "logits": [one.tolist() for one in logits],
                      "words": [dataclasses.asdict(word) for word in words],
                      "entities": [dataclasses.asdict(one) for one in token_classification.entities(text, words)]})
    writer.write("entities.json", writer.vocabulary(vocabulary), found, tolerances=TOLERANCES)


def write_small(writer: Writer) -> None:
    """A few of each, with the bundled vocabulary."""
    write_tokens(writer, "demo", DEMO, [*texts(0)[:20], *AWKWARD, *ordered(40)])
    write_combinations(writer, [*settings_cases.texts(40), *ordered(5)])
    write_all(writer, DEMO, questions(None, 6), length=24, labels=24)


def write_large(writer: Writer, data: Path | None) -> None:
    """All there are."""
    write_tokens(writer, "demo", DEMO, [*texts(1200), *ordered(800)])
    write_combinations(writer, [*texts(0)[:20], *AWKWARD, *settings_cases.texts(3000), *ordered(800)])
    path, every = every_character(writer.folder)
    write_tokens(writer, "characters", path, every)
    write_settings(writer, "characters-settings", path, every, settings_cases.NORMALIZERS)
    path.unlink()
    if not data:
        write_all(writer, DEMO, questions(None, 300), length=128, labels=120)
        return
    examples = evenly(read_examples(data / "squad/dev-v2.0.json", "qa"), 2000)
    chosen = [(example.context, example.question)[i % 2] for i, example in enumerate(examples)]
    awkward = json.loads((data / "tokenization/wordpiece_cases.json").read_text("utf-8"))["cases"]
    for name, lower in (("uncased", "lower"), ("multilingual_cased", "cased")):
        vocabulary = data / f"vocab/{name}.txt"
        # Written by Hugging Face's own classes, and so independent of the package.
        writer.write(f"tokenizer-{name}.json", writer.vocabulary(vocabulary), {f"reference-{lower}": awkward[name]})
        kinds = [(kind, flag) for kind, flag in _KINDS if kind == lower]
        write_tokens(writer, f"squad-{name}", vocabulary, chosen, kinds)
    write_all(writer, data / "vocab/uncased.txt", questions(data, 300), length=128, labels=120)


def write_all(writer: Writer, vocabulary: Path, examples: Sequence[QuestionExample], length: int, labels: int) -> None:
    """Features and decoding."""
    write_features(writer, vocabulary, examples)
    write_answers(writer, vocabulary, examples, length)
    write_labels(writer, labels)
    write_embeddings(writer, labels)
    write_zero_shot(writer, labels)
    write_entities(writer, vocabulary, [example.context for example in examples[::3]], length)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    data = Path(os.environ.get("MBL_TEST_DATA", "../shared")) / "data"
    writer = Writer(options.output)
    if options.small:
        write_small(writer)
    else:
        write_large(writer, data if (data / "squad").is_dir() else None)


if __name__ == "__main__":
    main()
