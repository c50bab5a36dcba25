"""Answers of MediaPipe's text tasks: ``mediapipe_text.py MODEL API``, examples as JSON on stdin, answers on stdout.

Runs in the environment of mediapipe; prints one JSON list with an entry for each example.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from mediapipe.tasks import python
from mediapipe.tasks.python import text


def classify(base: python.BaseOptions, examples: list[list[str]]) -> list[Any]:
    """For each (text): [label, score] of each class, the best first."""
    with text.TextClassifier.create_from_options(text.TextClassifierOptions(base_options=base)) as client:
        return [[[one.category_name, one.score] for one in client.classify(given).classifications[0].categories]
                for [given] in examples]


def embed(base: python.BaseOptions, examples: list[list[str]]) -> list[Any]:
    """For each (text): [name, vector] of each output."""
    with text.TextEmbedder.create_from_options(text.TextEmbedderOptions(base_options=base)) as client:
        return [[[one.head_name, [float(x) for x in one.embedding]] for one in client.embed(given).embeddings]
                for [given] in examples]


def main(model: str, api: str) -> None:
    call = {"classification": classify, "features": embed, "embedding": embed}[api]
    json.dump(call(python.BaseOptions(model_asset_path=model), json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
