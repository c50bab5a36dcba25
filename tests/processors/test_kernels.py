"""Our files compute the same on other processors as on this one. Speed is not to be had from an emulator.

Three ARM processors stand for the kernels that XNNPACK chooses among on phones: Cortex-A53 (Pixel 3's little cores'
generation: NEON alone), Cortex-A76 (Pixel 4's big cores: dot products, sdot), Neoverse V1 (as Pixel 8 and later: int8
matrix products, smmla); and as many x86 processors for those of other people's computers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from conftest import EXHAUSTIVE
from emulated import X86, Job, Outputs, instructions, run_on
from made import made_once

from mobilebert_lite.conversion import verify
from mobilebert_lite.conversion.pipeline import ConvertRequest, convert
from mobilebert_lite.running.model import Model
from mobilebert_lite.tasks import Task
from mobilebert_lite.text.examples import QuestionExample, TextExample
from mobilebert_lite.text.features import Features

pytestmark = pytest.mark.timeout(1200)

ARM = ("cortex-a53", "cortex-a76", "neoverse-v1")
MODES = ("none", "fp16", "dynamic", "int8", "int8-full", "int16x8", "int4")
TASKS = ("qa", "classification")
# Emulation is slow: the oldest ARM kernels run the default alone, the rarer modes one task.
CASES = [(cpu, mode, task) for cpu in ARM for mode in MODES for task in TASKS
         if (cpu != "cortex-a53" or mode == "int8") and (task == "qa" or mode not in ("fp16", "int16x8", "int4"))]
CASES += [(cpu, mode, task) for cpu in X86 for mode in ("none", "dynamic", "int8") for task in TASKS]
# Each processor with the mode that phones run, and the oldest and the newest with modes that round elsewhere.
SAMPLE = [("cortex-a53", "int8", "classification"), ("cortex-a76", "int8", "qa"), ("neoverse-v1", "none", "qa"),
          ("neoverse-v1", "dynamic", "qa"), ("neoverse-v1", "int8", "classification"), ("Nehalem", "none", "qa"),
          ("Nehalem", "dynamic", "qa"), ("Nehalem", "int8", "qa"), ("Nehalem", "int8", "classification"),
          ("SandyBridge", "int8", "qa"), ("Haswell", "int8", "qa")]
ASKED = CASES if EXHAUSTIVE else SAMPLE


def of(*case: str) -> Any:
    """A case with the marker of its processor, which is its first part."""
    return pytest.param(*case, marks=pytest.mark.processors if case[0] in X86 else pytest.mark.arm)


LENGTH = 64
COMMANDS = (
    "Play some jazz by Miles Davis on Spotify", "Add Sabrina Salerno to the Grime Instrumentals playlist",
    "Book a table for four at an Italian restaurant in Boston", "Will it rain in Lisbon tomorrow morning?",
    "Rate this novel five stars", "Find the schedule for Star Wars at the cinema nearby",
    "Put Blue Moon on my evening playlist", "Give the current book 3 out of 6 points",
)
QUESTIONS = ("Who is the artist?", "Where?", "When?", "What is the name of the playlist?")


@dataclass(frozen=True)
class Demo:
    """The bundled checkpoint of a task in one mode, and texts of its own domain."""

    task: Task
    features: list[Features]
    job: Job
    # What this machine's processor computes.
    here: Outputs

    def compared(self, reference: Outputs, candidate: Outputs) -> verify.Verification:
        """Agreement and error, as conversion measures them."""
        return verify.compare(self.task, self.job.model.stem, self.features, reference, candidate)


@pytest.fixture(scope="session")
def demo() -> Callable[[str, str], Demo]:
    """``demo("qa", "int8")``."""
    @cache
    def make(task: str, mode: str) -> Demo:
        path = made_once(f"demo-{task}-{mode}-{LENGTH}.tflite",
                         lambda new: convert(ConvertRequest(new, task=task, lengths=(LENGTH,), quantize=mode)))
        model = Model(path)
        examples = [QuestionExample(str(place), QUESTIONS[place % len(QUESTIONS)], text) if task == "qa"
                    else TextExample(text) for place, text in enumerate(COMMANDS)]
        features = [model.task.features(model.tokenizer, example, LENGTH)[0] for example in examples]
        job = Job(path, f"{task}_{LENGTH}", [one.inputs() for one in features])
        return Demo(model.task, features, job, job.here())

    return make


@pytest.fixture(scope="session")
def there(demo: Callable[[str, str], Demo]) -> Callable[[str], dict[tuple[str, str], Outputs]]:
    """``there("cortex-a76")``: (task, mode) -> outputs there; one process for all files of a processor."""
    @cache
    def run(cpu: str) -> dict[tuple[str, str], Outputs]:
        kinds = [(task, mode) for other, mode, task in ASKED if other == cpu]
        outputs = run_on(cpu, [demo(*kind).job for kind in kinds])
        return dict(zip(kinds, outputs, strict=True))

    return run


@pytest.mark.parametrize(("cpu", "mode", "task"), [of(*case) for case in ASKED])
def test_as_true_as_on_this_processor(cpu: str, mode: str, task: str, demo: Callable[[str, str], Demo],
                                      there: Callable[[str], dict[tuple[str, str], Outputs]]) -> None:
    """Roundings fall differently where kernels add in another order, and one that falls differently moves those after
    it: outputs differ about as much as each differs from float32. What must hold is that those of other processors
    are as near to float32.
    """
    made, found = demo(task, mode), there(cpu)[task, mode]
    reference = demo(task, "none").here
    verify.require([made.compared(reference, found)], verify.load_threshold(mode))
    error, error_here = distance(made, reference, found), distance(made, reference, made.here)
    # 1e-5: sums of up to 512 float32 products in another order. 1.25: eight texts leave the mean error that uncertain.
    assert error <= max(1e-5, 1.25 * error_here)


def distance(made: Demo, reference: Outputs, outputs: Outputs) -> float:
    """Root of the mean square difference over tokens that are not padding, per largest magnitude."""
    def values(rows: Outputs) -> np.ndarray:
        return np.concatenate([(row[name][:, one.mask == 1] if name in made.task.per_token else row[name]).ravel()
                               for one, row in zip(made.features, rows, strict=True) for name in sorted(row)])

    expected, actual = values(reference), values(outputs)
    return float(np.sqrt(np.mean((expected - actual) ** 2)) / np.abs(expected).max())


KERNELS = [
    ("cortex-a76", "int8", {"sdot"}, {"smmla"}), ("neoverse-v1", "int8", {"smmla"}, set()),
    ("cortex-a53", "int8", set(), {"sdot", "smmla"}), ("neoverse-v1", "dynamic", {"smmla"}, set()),
    ("neoverse-v1", "none", set(), {"sdot", "smmla"})]


@pytest.mark.arm
@pytest.mark.parametrize(("cpu", "mode", "used", "unused"), KERNELS if EXHAUSTIVE else KERNELS[:1])
def test_which_kernels_run(cpu: str, mode: str, used: set[str], unused: set[str], demo: Callable[[str, str], Demo]
                           ) -> None:
    """The int8 products are those of the processor's generation, and float files have none."""
    job = demo("classification", mode).job
    found = instructions(cpu, Job(job.model, job.signature, job.inputs[:1]))
    assert used <= set(found)
    assert not unused & set(found)


@pytest.fixture(scope="session")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """One static int8 FULLY_CONNECTED of 128 × 512, with ReLU: XNNPACK's alone."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    kernel = tf.constant(rng.normal(0, 0.05, (128, 512)).astype(np.float32))
    bias = tf.constant(rng.normal(0, 0.1, 512).astype(np.float32))

    class Dense(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((32, 128), tf.float32, "x")])
        def __call__(self, x: Any) -> dict[str, Any]:
            return {"y": tf.nn.relu(tf.matmul(x, kernel) + bias)}

    module = Dense()
    path = tmp_path_factory.mktemp("dense") / "dense.tflite"
    saved = path.with_suffix(".saved")
    tf.saved_model.save(module, str(saved), signatures={"dense": module.__call__.get_concrete_function()})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved), signature_keys=["dense"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    rows = [{"x": rng.normal(0, 1, (32, 128)).astype(np.float32)} for _ in range(8)]
    converter.representative_dataset = lambda: (("dense", row) for row in rows)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    path.write_bytes(converter.convert())
    return Job(path, "dense", rows)


@pytest.mark.parametrize("cpu", [of(cpu) for cpu in (*ARM, *X86) if EXHAUSTIVE or cpu in ("cortex-a76", "Nehalem")])
def test_static_int8_products_are_the_same_to_the_bit(cpu: str, dense: Job) -> None:
    """Integer sums have no order; XNNPACK scales them to int8 in float32 with one rounding everywhere."""
    [found] = run_on(cpu, [dense])
    for expected, actual in zip(dense.here(), found, strict=True):
        assert len(np.unique(expected["y"])) > 100
        np.testing.assert_array_equal(actual["y"], expected["y"])
