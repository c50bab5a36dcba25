"""Files compiled for NPUs: written only when all of them runs there, and their answers hold in the simulator."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mobilebert_lite.conversion import verify
from mobilebert_lite.conversion.answers import Expected
from mobilebert_lite.conversion.checking import compared
from mobilebert_lite.datasets import samples
from mobilebert_lite.errors import ConversionError, VerificationError, shorten
from mobilebert_lite.npu.compiled import rewrite
from mobilebert_lite.npu.compiler import Compiled, Left, compile_content
from mobilebert_lite.npu.session import SimulatedSession
from mobilebert_lite.npu.socs import Soc
from mobilebert_lite.tasks import Task
from mobilebert_lite.tflite import container
from mobilebert_lite.tflite.edits import set_metadata


@dataclass(frozen=True)
class NpuFile:
    """A verified file for one NPU.

    content: the file.
    compiled: what the compiler said.
    verification: how far its answers in the simulator are from those that it should give, one for each signature.
    output: path of the file; empty while it is written nowhere.
    """

    content: bytes
    compiled: Compiled
    verification: tuple[verify.Verification, ...]
    output: str = ""

    def to_json(self) -> dict[str, Any]:
        """For reports."""
        return {"output": self.output, "bytes": len(self.content), **self.compiled.to_json(),
                "simulated": [one.to_json() for one in self.verification]}


def threshold(mode: str) -> verify.Threshold:
    """Of a file of ``mode`` on an NPU, which computes what is float in float16."""
    own, half = verify.load_threshold(mode), verify.load_threshold("fp16")
    return verify.Threshold(min(own.agreement, half.agreement), max(own.error, half.error))


def compile_verified(content: bytes, soc: Soc, task: Task, expected: Expected, mode: str, *,
                     allow_partial: bool = False) -> NpuFile:
    """``content``, an ordinary file of ``mode``, for ``soc``.

    Raises ConversionError for a file that would not run whole, unless ``allow_partial``, and VerificationError when
    answers in the simulator are not those ``expected``.
    """
    compiled = compile_content(content, soc)
    if compiled.left and not allow_partial:
        raise ConversionError(f"{soc} would leave {len(compiled.left)} of {compiled.operators} operators to the CPU: "
                              f"{told(compiled.left)}; choose another --quantize mode, or --allow-partial")
    try:
        results = simulated(compiled, task, expected)
        verify.require(results, threshold(mode))
    except VerificationError as error:
        raise VerificationError(f"simulated {soc}: {error}") from None
    return NpuFile(_packaged(content, compiled, results), compiled, tuple(results))


def simulated(compiled: Compiled, task: Task, expected: Expected) -> list[verify.Verification]:
    """How far the answers of a compiled file are from those ``expected``, on some of their texts."""
    with closing(SimulatedSession(compiled.content, compiled.soc)) as session:
        return compared(session, task, _few(expected))


def of_lengths(lengths: Collection[int]) -> str | None:
    """What to know of a compiled file of several ``lengths``; None for one."""
    if len(lengths) < 2:
        return None
    return (f"each of the {len(lengths)} lengths stores its own weights in a compiled file: LiteRT's compiler has an "
            "option that shares them, of which it says: \"this is unsupported on mobile platforms\"")


def told(left: Sequence[Left]) -> str:
    """``3 SOFTMAX in attention``: what stays on the CPU by kind and part of the network."""
    counts = Counter((one.operator.split(" #")[0], one.place.split(",")[0]) for one in left)
    return shorten([f"{count} {name}" + (f" in {place}" if place else "") for (name, place), count
                    in counts.most_common()])


def beside(output: Path, soc: Soc) -> Path:
    """``model-sm8750.tflite`` for ``model.tflite``."""
    return output.with_name(f"{output.stem}-{soc.name}{output.suffix}")


def _few(expected: Expected) -> Expected:
    found = {}
    for name, pairs in expected.items():
        found[name] = pairs[::-(-len(pairs) // samples.SIMULATION.at(pairs[0][0].ids.size))]
    return found


def _packaged(content: bytes, compiled: Compiled, results: Sequence[verify.Verification]) -> bytes:
    """The compiled file with what ``content`` carries, and with what was found."""
    provenance = container.read_provenance(content)
    provenance["npu"] = {**compiled.to_json(), "simulated": verify.summary(results)}

    def change(model: Any) -> None:
        set_metadata(model, container.ENTRY, json.dumps(provenance, sort_keys=True).encode())

    return container.append_files(rewrite(compiled.content, change), container.read_files(content))


def placed(file: NpuFile, output: Path) -> NpuFile:
    """``file`` after it was written to ``output``."""
    return replace(file, output=str(output))
