"""Times of GPUs and NPUs: only where the runtime's log names a delegate that is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilebert_lite.benchmarks.measuring import acceleration
from mobilebert_lite.benchmarks.measuring.acceleration import Taken, refusal, shared
from mobilebert_lite.benchmarks.measuring.runner import Input, RunnerError
from mobilebert_lite.benchmarks.phone.benchmark_model import flags, parse
from mobilebert_lite.benchmarks.phone.runner import PhoneRun
from mobilebert_lite.benchmarks.reports.result import Configuration

XNNPACK = ("VERBOSE: Replacing 1177 out of 1177 node(s) with delegate (TfLiteXNNPackDelegate) node, yielding 1 "
           "partitions for subgraph 0.")
GPU = "INFO: Replacing {} out of 1177 node(s) with delegate ({}) node, yielding 2 partitions for subgraph 0."
# What LiteRT's tool says where its library is missing, and goes on with the CPU.
MISSING = ["INFO: Use gpu: [1]", "INFO: [gpu_registry.cc:109] Attempting to load GPU accelerator(libLiteRtGpu.so).",
           "WARNING: [gpu_registry.cc:152] GPU accelerator could not be loaded and registered.",
           "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", XNNPACK]


@pytest.mark.parametrize("accelerator", ["gpu", "npu"])
def test_the_cpu_is_no_accelerator(accelerator: str) -> None:
    found = parse(MISSING)
    said = refusal(accelerator, found.delegations, found.error)
    assert f"nothing ran on the {accelerator}" in said
    assert "TfLiteXNNPackDelegate" in said
    assert "could not be loaded" in said
    assert "names no delegate" in refusal(accelerator, ())
    assert refusal("cpu", found.delegations) == refusal("cpu", ()) == ""


@pytest.mark.parametrize("name", ["TfLiteGpuDelegateV2", "LiteRtGpuDelegate", "LITERT_CL", "TfLiteNnapiDelegate",
                                  "DispatchDelegate", "TfLiteHexagonDelegate"])
def test_what_an_accelerator_took(name: str) -> None:
    """XNNPACK takes the rest, and counts for nothing."""
    whole = parse([GPU.format(1177, name)]).delegations
    assert refusal("gpu", whole) == shared("gpu", whole) == ""
    part = parse([GPU.format(900, name), XNNPACK.replace("1177 out", "277 out")]).delegations
    assert refusal("gpu", part) == ""
    assert f"({name}) took 900 of 1177 nodes" in shared("gpu", part)
    assert acceleration.of("gpu", part) == Taken(name, 1177, 900, 2)
    assert acceleration.of("cpu", part) == Taken("TfLiteXNNPackDelegate", 1177, 277, 1)
    nothing = parse([GPU.format(0, name), XNNPACK]).delegations
    assert "nothing ran on the gpu" in refusal("gpu", nothing)


def test_older_builds_count_no_nodes() -> None:
    applied = "Explicitly applied {} delegate, and the model graph will be {} executed by the delegate{}."
    whole = parse([applied.format("GPU", "completely", "")]).delegations
    assert (refusal("gpu", whole), shared("gpu", whole)) == ("", "")
    part = parse([applied.format("NNAPI", "partially", " w/ 3 delegate kernels")]).delegations
    assert refusal("npu", part) == ""
    assert "in 3 parts" in shared("npu", part)
    assert "which is the CPU" in refusal("gpu", parse([applied.format("XNNPACK", "completely", "")]).delegations)


class _Runner:
    """What a command is made from."""

    def __init__(self, names: str) -> None:
        self.flags, self.profile = flags("\n".join(f"\t--{name}=x" for name in names.split())), False
        self.binary = self
        self.path = Path("benchmark_model")


def command(names: str, configuration: Configuration, signature: str = "qa_384") -> list[str]:
    run, one = object.__new__(PhoneRun), Input(signature, {"ids": np.zeros((1, 4), np.int32)}, 4)
    run.__dict__ |= {"_runner": _Runner(names), "_fed": True, "_models": ["m.tflite"], "_inputs": [one],
                     "_configuration": configuration, "_usual": "qa_384"}
    return run._command(one)


LITERT = "num_runs num_threads graph signature_to_run_for use_cpu use_gpu use_npu"


def test_options_that_the_tool_has_or_needs_not() -> None:
    assert command(LITERT, Configuration(384, 4)) == [
        "./benchmark_model", "--graph=m.tflite", "--num_threads=4", "--signature_to_run_for=qa_384"]
    assert "--use_gpu=true" in command(LITERT, Configuration(384, 4, "gpu"))
    assert command("graph", Configuration(384, 1)) == ["./benchmark_model", "--graph=m.tflite"]
    assert "--disable_nnapi_cpu=true" in command("graph use_nnapi disable_nnapi_cpu num_threads",
                                                 Configuration(384, 1, "npu"))


@pytest.mark.parametrize(("names", "configuration", "signature", "said"), [
    (LITERT, Configuration(384, 1, xnnpack=False), "qa_384", "--no-xnnpack cannot be followed"),
    ("graph num_threads", Configuration(128, 1), "qa_128", "--seq-len cannot be followed"),
    ("graph", Configuration(384, 4), "qa_384", "--threads cannot be followed"),
    ("graph num_threads", Configuration(384, 1, "gpu"), "qa_384", "cannot use the gpu")])
def test_options_that_the_tool_lacks(names: str, configuration: Configuration, signature: str, said: str) -> None:
    with pytest.raises(RunnerError, match=said):
        command(names, configuration, signature)
