"""A run in words: its setting, and what must stand beside its figures."""

from __future__ import annotations

from mobilebert_lite.benchmarks.reports.result import CPU, Run


def setting(run: Run) -> str:
    """The configuration in a few words: ``384 tokens, 1 thread``."""
    one = run.configuration
    words = [f"{one.length} tokens" if one.length else "mixed lengths",
             f"{one.threads} thread{'s' if one.threads > 1 else ''}"]
    words += [one.accelerator] if one.accelerator != CPU else [] if one.xnnpack else ["no XNNPACK"]
    return ", ".join(words)


def marks(run: Run) -> str:
    """What must stand beside every figure: EMULATED, incomplete."""
    return " ".join([*(["EMULATED"] if run.emulated else []), *([] if run.complete else ["incomplete"])])


# A warning that begins with one of these says that the latencies are not the files' own alone.
BUSY, NOISY = "busy", "noisy"


def disturbances(*runs: Run) -> list[str]:
    """``busy`` and ``noisy``, where a warning of one of ``runs`` says so."""
    return [word for word in (BUSY, NOISY)
            if any(said.startswith(f"{word}: ") for run in runs for said in run.warnings)]
