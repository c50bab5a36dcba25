"""Operator versions against the versions of TFLite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR, NOTE, VERSIONS, WARNING, Problem, some
from mobilebert_lite.tflite.op_versions import as_tuple, first_runtime

# The oldest runtime that was seen to read buffers behind the flatbuffer.
_OUTSIDE_BUFFERS = "2.14.0"


def too_new(facts: Facts, runtime: str) -> list[str]:
    """``FULLY_CONNECTED v12 needs runtime ≥ 2.17.0`` for each operator version that ``runtime`` lacks."""
    found = {(operator.name, operator.version) for _, operator in facts.operators}
    since = {one: first_runtime(*one) for one in sorted(found)}
    return [f"{name} v{version} needs runtime ≥ {first}" for (name, version), first in since.items()
            if first and as_tuple(first) > as_tuple(runtime)]


def loads(facts: Facts) -> Iterator[Problem]:
    """Whether the file loads in the runtime asked for, and from which one on it does."""
    if facts.runtime is None:
        yield Problem(NOTE, "operators", f"needs TFLite {facts.accepting_runtime} or later: "
                      + (some(too_new(facts, _before(facts.accepting_runtime))) or "every operator is as old as that"),
                      "for older runtimes, convert with --min-runtime VERSION")
    else:
        for line in too_new(facts, facts.runtime):
            yield Problem(ERROR, "operators", f"{line}; {facts.runtime} refuses the file",
                          f"convert with --min-runtime {facts.runtime}")
    builtin = {(operator.name, operator.version) for _, operator in facts.operators if not operator.custom}
    if unknown := sorted(f"{name} v{version}" for name, version in builtin if first_runtime(name, version) is None):
        yield Problem(NOTE, "operators", f"{some(unknown)}: not known here since which runtime", "try the file there")


def under_stamped(facts: Facts) -> Iterator[Problem]:
    """No operator stamped with a version that is too low for its operands."""
    low = Counter((operator.name, operator.version, operator.needed) for _, operator in facts.operators
                  if operator.version < operator.needed)
    for (name, version, needed), count in sorted(low.items()):
        since = first_runtime(name, needed) or "?"
        # Where everything that would load the file has the later kernel too, nothing goes wrong.
        oldest = facts.runtime or facts.accepting_runtime
        harmful = since != "?" and as_tuple(since) > as_tuple(oldest)
        outcome = (f"runtimes before {since} load the file and compute it wrongly, NaN perhaps, where they should "
                   "refuse it" if harmful else "no runtime that loads the file is misled by it")
        yield Problem(ERROR if harmful else WARNING, f"{count} {name}",
                      f"stamped v{version}, but the operands need v{needed} (runtime ≥ {since}): {outcome}",
                      f"stamp v{needed}", VERSIONS)


def wrong_before(facts: Facts) -> Iterator[Problem]:
    """No runtime that loads the file and computes one of its operators wrongly."""
    oldest = facts.runtime or facts.accepting_runtime
    found = {(operator.name, operator.right_since) for _, operator in facts.operators if operator.right_since}
    for name, since in sorted(found):
        if as_tuple(since) > as_tuple(oldest):
            yield Problem(ERROR if facts.runtime else NOTE, name, f"runtimes before {since} that load the file compute "
                          "it wrongly, without an error",
                          f"run it in {since} or later, or convert with --min-runtime {oldest}")


def over_stamped(facts: Facts) -> Iterator[Problem]:
    """No version so high that runtimes refuse the file without need."""
    if as_tuple(facts.accepting_runtime) > as_tuple(facts.needed_runtime):
        high = sorted({f"{operator.name} v{operator.version} (v{operator.needed} is enough)"
                       for _, operator in facts.operators if operator.version > operator.needed})
        yield Problem(WARNING, "operators", f"{some(high)}: runtimes from {facts.needed_runtime} to "
                      f"{facts.accepting_runtime} refuse the file without need", "stamp what is needed", VERSIONS)


def stated_runtime(facts: Facts) -> Iterator[Problem]:
    """``min_runtime_version`` in the file is what its operators need."""
    stated = facts.stamped_runtime
    if stated is not None and stated != facts.needed_runtime:
        yield Problem(WARNING, "min_runtime_version", f"it says {stated or 'nothing'}; the operators need "
                      f"{facts.needed_runtime}", "state that", VERSIONS)


def outside_buffers(facts: Facts) -> Iterator[Problem]:
    """Weights inside the flatbuffer."""
    if facts.outside_buffers:
        old = facts.runtime is not None and as_tuple(facts.runtime) < as_tuple(_OUTSIDE_BUFFERS)
        yield Problem(ERROR if old else NOTE, f"{facts.outside_buffers} buffers", "they stand behind the flatbuffer, "
                      f"where runtimes before {_OUTSIDE_BUFFERS} do not look", "bring them inside", VERSIONS)


def _before(version: str) -> str:
    """A version just before ``version``."""
    major, minor, patch = as_tuple(version)
    return f"{major}.{minor}.{patch - 1}" if patch else f"{major}.{minor - 1}.99999"
