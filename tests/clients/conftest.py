"""Files converted once, and what each client made of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from compare import File, Outcome, of_library, of_runtime
from ours import Example, RememberingModel, real_texts

from mobilebert_lite.pipeline import Request, convert

COUNT = 205
LIBRARIES = ("task-library", "mediapipe")
# Name → checkpoint under the test data's checkpoints/trained (empty: the bundled one), task, lengths, the most tokens
# that a text may have: SNIPS trains about 47 positions, SST-2 63.
SOURCES: dict[str, tuple[str, str, tuple[int, ...], int]] = {
    "qa": ("snips_qa", "qa", (384,), 47),
    "sst2": ("sst2", "classification", (64,), 63),
    "intents": ("", "classification", (64,), 63),
    "intents, two lengths": ("", "classification", (64, 32), 63),
}
# As --quantize and --runtime ask for it.
MODES: dict[str, tuple[str, str | None]] = {"none": ("none", None), "int8": ("int8", None),
                                            "int8, runtime 2.14": ("int8", "2.14")}

Made = Callable[[str, str], File]
Find = Callable[[str, str, str], Outcome]


@pytest.fixture(scope="session")
def made(shared: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Made:
    """``made("sst2", "int8")``: the file of SOURCES in one of MODES, converted once."""
    folder = tmp_path_factory.mktemp("clients")

    @cache
    def make(name: str, mode: str) -> File:
        checkpoint, task, lengths, most = SOURCES[name]
        quantize, runtime = MODES[mode]
        weights = str(shared("checkpoints", "trained", checkpoint)) if checkpoint else None
        path = folder / f"{name} {mode}.tflite".replace(" ", "-").replace(",", "")
        convert(Request(path, weights, task=task, lengths=lengths, quantize=quantize, runtime=runtime))
        model = RememberingModel(path)
        both = [model.as_(behaviour) for behaviour in ("reference", "phone")]

        def fits(example: Example) -> bool:
            return all(len(example) + 1 + sum(map(len, each.tokens(example))) <= most for each in both)

        return File(path, model, real_texts(shared, task, COUNT, fits))

    return make


@pytest.fixture(scope="session")
def outcome(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Find:
    """``outcome("mediapipe", "sst2", "int8")``: what the client made of the file, asked once."""
    folder = tmp_path_factory.mktemp("arrays")

    @cache
    def find(client: str, name: str, mode: str) -> Outcome:
        file = made(name, mode)
        return of_library(client, file) if client in LIBRARIES else of_runtime(client, file, folder)

    return find
