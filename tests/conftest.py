"""Fixtures that several test files use."""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import heads
import numpy as np
import pytest
import skips
from commands import use_few_texts
from hypothesis import HealthCheck, settings
from made import made_once

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.text.tokenization import Tokenizer

ROOT = Path(__file__).resolve().parent.parent

# Property tests draw the same examples everywhere and have no deadlines: neither luck nor a busy machine fails one.
# MBL_EXAMPLES=20 looks further: that many times the examples, other ones every time.
MORE = int(os.environ.get("MBL_EXAMPLES", "1"))
# Whether slow suites try every combination (`make test-all`), or those that show what the others would show again.
EXHAUSTIVE = os.environ.get("MBL_EXHAUSTIVE", "0") != "0"
settings.register_profile("tests", max_examples=100 * MORE, derandomize=MORE == 1, deadline=None, database=None,
                          suppress_health_check=list(HealthCheck))
settings.load_profile("tests")


def examples(count: int) -> settings:
    """How many examples a property test draws, where it is not a hundred."""
    return settings(max_examples=count * MORE)


def pytest_configure(config: pytest.Config) -> None:
    """Ctrl-C as from a terminal: shells make what they start in the background, and its children, deaf to it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    skips.register(config)


def pytest_collection_finish() -> None:
    """What is imported by now stays: a million objects that no later collection of garbage goes through."""
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Callable[..., Path]:
    """``shared("data", "vocab")``: a path in the folder of test data (MBL_TEST_DATA); skips where it is absent."""
    folder = Path(os.environ.get("MBL_TEST_DATA", "../shared"))
    folder = folder if folder.is_absolute() else ROOT / folder

    def find(*parts: str) -> Path:
        path = folder.joinpath(*parts)
        if not path.exists():
            what = "it is not there" if not folder.exists() else f"{'/'.join(parts)} is not in it"
            pytest.skip(f"needs the folder of test data, MBL_TEST_DATA (by default {folder}): {what}")
        return path

    return find


@pytest.fixture(scope="session", autouse=True)
def few_texts() -> None:
    """See ``commands.use_few_texts``."""
    use_few_texts()


def need_old_runtime() -> None:
    """Skip where tflite-runtime has no package."""
    if sys.version_info >= (3, 12):
        pytest.skip("tflite-runtime has no package for this Python")


@pytest.fixture(scope="session")
def uncased(shared: Callable[..., Path]) -> Tokenizer:
    """The official uncased vocabulary."""
    return Tokenizer.from_file(shared("data", "vocab", "uncased.txt"))


@pytest.fixture(scope="session")
def small() -> Tokenizer:
    """A vocabulary of a few words for tests without data: ids 0 to 3 are special, letters and digits follow."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789?.,'"
    return Tokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{letter}" for letter in letters),
                      "the", "cat", "sat", "on", "mat", "who"])


# Words of the built-in calibration texts, so that these become words as well as letters.
WORDS = """
about add after again all an and another any apart are as asked at back battery be because been before blood blue but
by called can cell charge cost could cycles day days degrees delivery depends do does each even every few fifteen
first five for forty four fourth from full gets give good goods had half has have he heat high his hour hours how if
in iron is it item its keep last layer left less life light little long made make many may metres minutes month more
my never new next night nine not now of off on one only or other our out pair people phone place race rate red right
room run salt second see should since single six small so some something speeds stay sun take tell ten text than that
the their them then there these they third this three through time to today took twenty twice two until up use was
water way we week well were what when where which while who why will with within year years you your
"""
LABELS = ("music", "weather", "alarm", "none of these")


@pytest.fixture(scope="session")
def tiny_vocabulary() -> tuple[str, ...]:
    """About 280 words: any text of ASCII letters, digits and punctuation has its tokens, without [UNK]."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *".,?!'\"-:;&/()%",
            *(f"##{letter}" for letter in letters), *WORDS.split())


@pytest.fixture(scope="session")
def tiny_config(tiny_vocabulary: tuple[str, ...]) -> MobileBertConfig:
    """Two narrow blocks with every part of a MobileBERT."""
    return MobileBertConfig(
        vocab_size=len(tiny_vocabulary), hidden_size=64, num_hidden_layers=2, intermediate_size=64, embedding_size=16,
        intra_bottleneck_size=16, max_position_embeddings=64, num_feedforward_networks=2)


@pytest.fixture(scope="session")
def tiny_qa(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...],
            tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A question-answering checkpoint as transformers writes it."""
    from mobilebert_lite.architecture.weights import random_weights
    from mobilebert_lite.converters.huggingface import checkpoint as huggingface

    folder = tmp_path_factory.mktemp("checkpoint") / "tiny_qa"
    # Of the first 16 seeds the one whose best answers stand out: random noise of 1 % changes none of them.
    huggingface.save(random_weights(tiny_config, {"qa": 2}, seed=15), folder, vocabulary=tiny_vocabulary)
    return folder


@pytest.fixture(scope="session")
def tiny_classifier(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...],
                    tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classification checkpoint with a pooler and LABELS."""
    from mobilebert_lite.architecture.weights import random_weights
    from mobilebert_lite.converters.huggingface import checkpoint as huggingface

    folder = tmp_path_factory.mktemp("checkpoint") / "tiny_classifier"
    weights = random_weights(tiny_config.with_labels(LABELS), {"classifier": len(LABELS)}, pooler=True, seed=0)
    huggingface.save(weights, folder, vocabulary=tiny_vocabulary)
    return folder


# Asked for in rising order; files hold the longest first.
LENGTHS = (32, 48)


@pytest.fixture(scope="session")
def tiny_questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen of the built-in questions with contexts of one window; all of them take some ten seconds a conversion."""
    from mobilebert_lite.datasets.reading import builtin_examples

    path = tmp_path_factory.mktemp("calibration") / "questions.jsonl"
    path.write_text("".join(json.dumps({"question": example.question, "context": example.context[:60]}) + "\n"
                            for example in builtin_examples("qa")[::3]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def converted(tiny_qa: Path, tiny_classifier: Path, tiny_questions: Path,
              tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """``converted("qa", "int8")``: the tiny checkpoint of that task as a file of LENGTHS, made once for all suites."""
    folders = {"qa": tiny_qa, "classification": tiny_classifier}
    output = tmp_path_factory.mktemp("converted")

    @cache
    def make(task: str, mode: str) -> Path:
        def write(path: Path) -> None:
            from mobilebert_lite.conversion.pipeline import ConvertRequest, convert

            convert(ConvertRequest(path, str(folders[task]), lengths=LENGTHS, quantize=mode,
                            calibration=tiny_questions if task == "qa" else None))

        name = f"{task}-{mode}.tflite"
        # A copy: whatever a test does to it, other suites do not see.
        return Path(shutil.copyfile(made_once(f"tiny-{name}", write), output / name))

    return make


@pytest.fixture(scope="session")
def file_of(tiny_config: MobileBertConfig, tiny_vocabulary: Sequence[str],
            tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """``file_of("regression", "int8")``: that checkpoint of heads.HEADS as a file, verified by the conversion."""
    from mobilebert_lite.conversion.pipeline import ConvertRequest, convert

    folder = tmp_path_factory.mktemp("heads")

    @cache
    def make(name: str, mode: str) -> Path:
        tiny, path = heads.HEADS[name], folder / f"{name}-{mode}.tflite"
        checkpoint = heads.save(name, tiny_config, tiny_vocabulary, folder)
        report = convert(ConvertRequest(path, str(checkpoint), lengths=(heads.LENGTH,), quantize=mode,
                                        logits=tiny.logits, positions=tiny.positions))
        assert report.task == tiny.task  # without being told
        assert report.verification[0].texts >= 8
        return path

    return make


@pytest.fixture(scope="session")
def tiny_inputs() -> dict[int, list[dict[str, np.ndarray]]]:
    """Length -> inputs for the tiny models: random words in two segments, with and without padding."""
    rng = np.random.default_rng(0)
    return {length: [_two_segments(rng, length, used) for used in (length, length - 1, length // 2, 8)]
            for length in LENGTHS}


def _two_segments(rng: np.random.Generator, length: int, used: int) -> dict[str, np.ndarray]:
    places = np.arange(length)
    mask = places < used
    arrays = {"ids": np.where(mask, rng.integers(5, 270, length), 0), "mask": mask,
              "segment_ids": mask & (places >= used // 2)}
    return {name: array.astype(np.int32)[None] for name, array in arrays.items()}
