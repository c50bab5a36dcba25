"""Answers of the TFLite Task Library: ``task_library.py MODEL API``, examples as JSON on stdin, answers on stdout.

Runs in the environment of tflite-support; prints one JSON list with an entry for each example.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from tflite_support.task import text


def answerer(model: str) -> Callable[..., list[Any]]:
    """(question, context) → [text, first token, last token, score] of each answer, the best first."""
    client = text.BertQuestionAnswerer.create_from_file(model)
    return lambda question, context: [[one.text, one.pos.start, one.pos.end, one.pos.logit]
                                      for one in client.answer(context, question).answers]


def classifier(model: str) -> Callable[..., list[Any]]:
    """(text) → [label, score] of each class, in the order of the library."""
    client = text.BertNLClassifier.create_from_file(model)
    return lambda given: [[one.category_name, one.score]
                          for one in client.classify(given).classifications[0].categories]


def embedder(model: str) -> Callable[..., list[Any]]:
    """(text) → the vector of each output."""
    client = text.TextEmbedder.create_from_file(model)
    return lambda given: [["", [float(x) for x in one.feature_vector.value]] for one in client.embed(given).embeddings]


def main(model: str, api: str) -> None:
    call = {"qa": answerer, "classification": classifier, "features": embedder, "embedding": embedder}[api](model)
    json.dump([call(*example) for example in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
