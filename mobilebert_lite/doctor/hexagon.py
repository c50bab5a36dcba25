"""Qualcomm's NPUs, most of which compute with floats too (in float16): the compiler itself is asked.

A file that compiles is then run in the simulator, since a float graph whose values exceed float16 gives wrong answers
there, with no error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import numpy as np

from mobilebert_lite.doctor import npu
from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR, NOTE, WARNING, Check, Problem
from mobilebert_lite.doctor.probing import PROBE, probe, random_inputs
from mobilebert_lite.errors import ConversionError, ModelFileError
from mobilebert_lite.npu import toolchain
from mobilebert_lite.npu.compiled import is_compiled
from mobilebert_lite.npu.compiler import Compiled, compile_content
from mobilebert_lite.npu.session import SimulatedSession
from mobilebert_lite.npu.socs import Soc
from mobilebert_lite.running.isolation.session import IsolatedSession

# Sequences that are compared, and of their largest output what an NPU may differ by.
_SEQUENCES, _DIFFERENCE = 4, 0.1
_AGAIN = "convert the checkpoint with `mbl convert --npu`"


def checks(soc: Soc) -> tuple[Check, ...]:
    """What must hold for the NPU of ``soc``."""
    return (Check("compiles", "Qualcomm's compiler takes the file, and all of it", partial(_compiles, soc)),)


def _compiles(soc: Soc, facts: Facts) -> Iterator[Problem]:
    if is_compiled(facts.content):
        made = facts.provenance.get("npu", {}).get("soc")
        if made != soc.name:
            yield Problem(ERROR, "file", f"it is compiled for {made or 'another processor'}",
                          "compile the file that it was made from")
        return
    if not toolchain.is_installed():
        yield from _without_compiler(soc, facts)
        return
    try:
        content = probe(facts.content)
        compiled = compile_content(content, soc)
    except ConversionError as error:
        yield Problem(ERROR, "file", str(error), _mend(soc))
        return
    for (name, place), count in Counter((one.operator.split(" #")[0], one.place) for one in compiled.left).items():
        yield Problem(WARNING, f"{count} {name}", f"{'it stays' if count == 1 else 'they stay'} on the CPU"
                      + (f" ({place})" if place else ""), _mend(soc))
    yield from _answers(soc, facts, content, compiled)


def _mend(soc: Soc) -> str:
    return _AGAIN if soc.floats else f"{_AGAIN}, in a mode of integers (--quantize int8-full or int16x8)"


def _without_compiler(soc: Soc, facts: Facts) -> Iterator[Problem]:
    """What is known without asking it."""
    for check in npu.CHECKS:
        if check is not npu.INTEGERS or not soc.floats:
            yield from check.find(facts)
    yield Problem(NOTE, "file", f"the compiler for {soc} was not asked, because it is not installed",
                  f"install it: {toolchain.INSTALL}")


def _answers(soc: Soc, facts: Facts, content: bytes, compiled: Compiled) -> Iterator[Problem]:
    """Whether it computes there what it computes on the CPU."""
    worst = 0.0
    try:
        with closing(IsolatedSession(content)) as cpu, closing(SimulatedSession(compiled.content, soc)) as simulated:
            for seed in range(_SEQUENCES):
                inputs = random_inputs(facts, seed)
                expected, actual = cpu.run(PROBE, inputs), simulated.run(PROBE, inputs)
                worst = max(worst, *(_difference(value, actual[name]) for name, value in expected.items()))
    except ModelFileError as error:
        yield Problem(WARNING, "file", f"it compiles, but cannot be simulated: {error}", _AGAIN)
        return
    if worst > _DIFFERENCE:
        yield Problem(ERROR, "outputs", f"on random texts the simulated outputs are up to {min(worst, 9.99):.0%} of "
                      "the largest one away from those on the CPU; values beyond the range of float16 do this",
                      f"{_AGAIN}: its files keep float16 in range")


def _difference(expected: np.ndarray, actual: np.ndarray) -> float:
    if not np.isfinite(actual).all():
        return float("inf")
    wide = expected.astype(np.float64)
    return float(np.abs(actual - wide).max() / max(np.abs(wide).max(), 1e-12))
