"""What the demo app's instrumentation is asked for: the host's side of android_demo's ``Request.kt``."""

from __future__ import annotations

from dataclasses import dataclass

from mobilebert_lite.benchmarks.reports.result import CPU, GPU, NPU

PACKAGE = "org.mobilebertlite.demo"
COMPONENT = f"{PACKAGE}/.benchmark.BenchmarkInstrumentation"
# Ours -> the app's.
ACCELERATORS = {CPU: "cpu", GPU: "gpu", NPU: "nnapi"}


@dataclass(frozen=True)
class AppRequest:
    """One run of the instrumentation, which is one process on the phone."""

    # Paths on the phone that the app may read; ``expected`` is a file of texts with the host's answers.
    model: str
    expected: str
    accelerator: str = CPU
    threads: int = 1
    # Inferences before, and timed; more than ``runs`` when they take less than ``seconds`` together.
    warm_up: int = 5
    runs: int = 50
    seconds: float = 0.0
    # None: for each text the shortest that holds it.
    signature: str | None = None
    # Whether the answers are compared with the host's.
    check: bool = True
    # The text to begin with.
    first: int = 0

    def arguments(self) -> dict[str, str]:
        """Name -> value, as ``am instrument -e`` takes them."""
        found = {"model": self.model, "expected": self.expected, "accelerator": ACCELERATORS[self.accelerator],
                 "threads": str(self.threads), "warmup": str(self.warm_up), "runs": str(self.runs),
                 "seconds": f"{self.seconds:g}", "check": str(self.check).lower(), "first": str(self.first)}
        return found if self.signature is None else {**found, "signature": self.signature}

    def command(self) -> list[str]:
        """Word by word, not quoted yet. ``-w`` waits for the end, ``-r`` passes every line on as it comes."""
        words = [word for name, value in self.arguments().items() for word in ("-e", name, value)]
        return ["am", "instrument", "-w", "-r", *words, COMPONENT]
