"""A program for the rig with the command line and the output of TFLite's benchmark_model: it really runs the model, by
LiteRT on this machine's processor. What it measures is no phone's latency; `mbl` must say so wherever it shows it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

# Name -> default and type, as the original's --help prints them.
FLAGS = {"num_runs": ("50", "int32"), "min_secs": ("1", "float"), "max_secs": ("150", "float"),
         "num_threads": ("-1", "int32"), "warmup_runs": ("1", "int32"), "warmup_min_secs": ("0.5", "float"),
         "report_peak_memory_footprint": ("false", "bool"), "graph": ("", "string"), "input_layer": ("", "string"),
         "input_layer_shape": ("", "string"), "input_layer_value_files": ("", "string"),
         "signature_to_run_for": ("", "string"), "use_xnnpack": ("true", "bool"),
         "enable_op_profiling": ("false", "bool")}
# As LiteRT's own tool: no inputs, but random numbers.
RANDOM = bool(os.environ.get("RIG_RANDOM"))
if RANDOM:
    FLAGS = {name: flag for name, flag in FLAGS.items() if not name.startswith("input_layer")}


def main() -> int:
    print("INFO: STARTING!")
    options = {name: default for name, (default, _) in FLAGS.items()}
    for word in sys.argv[1:]:
        name, separator, value = word.removeprefix("--").partition("=")
        if not separator or name not in options:
            print(f"ERROR: Unconsumed cmdline flags: {word}" if word != "--help" else "usage: benchmark_model <flags>")
            for flag, (default, kind) in FLAGS.items():
                print(f"\t--{flag}={default}\t{kind}\toptional")
            return 1
        options[name] = value
    try:
        return benchmark(options)
    except (OSError, ValueError, RuntimeError) as error:
        print(f"ERROR: {str(error).splitlines()[0]}\nERROR: Benchmarking failed.")
        return 1


def benchmark(options: dict[str, str]) -> int:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    path = Path(options["graph"])
    began = time.perf_counter_ns()
    kind = OpResolverType.AUTO if options["use_xnnpack"] == "true" else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(path), num_threads=max(1, int(options["num_threads"])),
                              experimental_op_resolver_type=kind)
    print(f"INFO: Loaded model {path}")
    runner = interpreter.get_signature_runner(options["signature_to_run_for"] or None)
    inputs = read_inputs(options, runner.get_input_details())
    print(f"INFO: The input model file size (MB): {path.stat().st_size / 1e6:g}")
    print(f"INFO: Initialized session in {(time.perf_counter_ns() - began) / 1e6:g}ms.")
    warm_up = timed(runner, inputs, int(options["warmup_runs"]), float(options["warmup_min_secs"]))
    told = timed(runner, inputs, int(options["num_runs"]), float(options["min_secs"]))
    print(f"INFO: Inference timings in us: Init: 0, First inference: {(warm_up or told)[0]}, "
          f"Warmup (avg): {np.mean(warm_up or told):g}, Inference (avg): {np.mean(told):g}")
    if options["report_peak_memory_footprint"] == "true":
        peak = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines()
                    if line.startswith("VmHWM"))
        print(f"INFO: Overall peak memory footprint (MB) via periodic monitoring: {peak / 1024:g}")
    if options["enable_op_profiling"] == "true":
        from mobilebert_lite.benchmarks.host.profiler import profile

        print("INFO: Operator-wise Profiling Info for Regular Benchmark Runs:")
        print(profile(str(path), 1, options["use_xnnpack"] == "true", options["signature_to_run_for"], inputs, runs=5))
    return 0


def read_inputs(options: dict[str, str], details: dict[str, dict[str, object]]) -> dict[str, np.ndarray]:
    """By position, as the original does; it takes the names for a warning alone."""
    if RANDOM:
        rng = np.random.default_rng()
        return {name: rng.integers(-2**31, 2**31 - 1, detail["shape"]).astype(np.int32)  # type: ignore[call-overload]
                for name, detail in details.items()}
    names = options["input_layer"].split(",")
    shapes = [[int(size) for size in part.split(",")] for part in options["input_layer_shape"].split(":")]
    paths = [part.split(":")[-1] for part in options["input_layer_value_files"].split(",")]
    arrays = [np.fromfile(path, "<i4").reshape(shape) for path, shape in zip(paths, shapes, strict=True)]
    expected = {name: list(detail["shape"]) for name, detail in details.items()}  # type: ignore[call-overload]
    if {name: list(array.shape) for name, array in zip(names, arrays, strict=True)} != expected:
        raise ValueError(f"inputs {names} of {shapes} do not fit {expected}")
    return dict(zip(names, arrays, strict=True))


def timed(runner: object, inputs: dict[str, np.ndarray], count: int, seconds: float) -> list[int]:
    """Latencies in whole microseconds, and their statistics on a line."""
    assert callable(runner)
    found: list[int] = []
    until = time.perf_counter() + seconds
    while len(found) < count or time.perf_counter() < until:
        began = time.perf_counter_ns()
        runner(**inputs)
        found.append((time.perf_counter_ns() - began) // 1000)
    if not found:
        print("INFO: count=0\n")
    elif min(found) == max(found):
        print(f"INFO: count={len(found)} curr={found[-1]}\n")
    else:
        print(f"INFO: count={len(found)} first={found[0]} curr={found[-1]} min={min(found)} max={max(found)} "
              f"avg={np.mean(found):g} std={np.std(found):.0f}\n")
    return found


if __name__ == "__main__":
    sys.exit(main())
