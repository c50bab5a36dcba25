"""The Kotlin tokenizer and features beside Python's: one thread each, in turn, on the same SQuAD texts.

    python benchmarks/suites/kotlin_text.py --classpath CLASSPATH

`make bench-kotlin` builds the classes and calls it. The first rounds, in which the virtual machine compiles, are left
out. Tokens must come out equally many. Data: MBL_TEST_DATA (default ../shared).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"}

from results import save

from mobilebert_lite.datasets.reading import QuestionExample, evenly, read_examples
from mobilebert_lite.tasks.question_answering import windows
from mobilebert_lite.text.tokenization import Tokenizer

DATA = Path(os.environ.get("MBL_TEST_DATA", "../shared")) / "data"
VOCABULARY = DATA / "vocab/uncased.txt"
WARM, LENGTH = 8, 384


class Kotlin:
    """The other process, which does one round when asked."""

    def __init__(self, classpath: str, texts: Path) -> None:
        self._process = subprocess.Popen(
            ["java", "-Xmx1g", "-cp", classpath, "org.mobilebertlite.core.TextBenchmarkKt", str(VOCABULARY),
             str(texts)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        # Vocabulary and character table, in milliseconds.
        self.start = self._answer()[0] / 1e6

    def __call__(self, what: str) -> tuple[int, int, int]:
        """Nanoseconds, allocated bytes and how many came out."""
        assert self._process.stdin
        self._process.stdin.write(f"{what}\n")
        return self._answer()

    def _answer(self) -> tuple[int, int, int]:
        assert self._process.stdout
        nanoseconds, allocated, count = self._process.stdout.readline().split()
        return int(nanoseconds), int(allocated), int(count)


def python_side(examples: list[QuestionExample]) -> dict[str, Callable[[], int]]:
    """The same work in Python; the tokenizer inside is Hugging Face's, in Rust."""
    tokenizer = Tokenizer.from_file(VOCABULARY)
    return {
        "tokens": lambda: sum(len(tokenizer.encode(text).ids) for example in examples
                              for text in (example.question, example.context)),
        "features": lambda: sum(len(windows(tokenizer, example.question, example.context, LENGTH))
                                for example in examples)}


def compare(kotlin: Kotlin, what: str, run: Callable[[], int], rounds: int) -> dict[str, Any]:
    """One kind of work on both sides in turn."""
    for _ in range(WARM):
        kotlin(what)
    ours, theirs, allocated, count = [], [], 0, 0
    for _ in range(rounds):
        started = time.perf_counter_ns()
        expected = run()
        theirs.append(time.perf_counter_ns() - started)
        nanoseconds, allocated, count = kotlin(what)
        ours.append(nanoseconds)
        if count != expected:
            raise SystemExit(f"Error: {count} {what} in Kotlin, {expected} in Python")
    return {"count": count, "kotlin_seconds": min(ours) / 1e9, "python_seconds": min(theirs) / 1e9,
            "ratio": median(b / a for a, b in zip(ours, theirs, strict=True)), "bytes_each": allocated / count}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classpath", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=1000, help="questions with their contexts")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not DATA.exists():
        print(f"no data at {DATA}; set MBL_TEST_DATA to the folder above", file=sys.stderr)
        return 2
    examples = list(evenly(read_examples(DATA / "squad/dev-v2.0.json", "qa"), options.count))
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as texts:
        json.dump([{"question": example.question, "context": example.context} for example in examples], texts)
        texts.flush()
        kotlin = Kotlin(options.classpath, Path(texts.name))
        result = {what: compare(kotlin, what, run, options.rounds) for what, run in python_side(examples).items()}
    print(f"{len(examples)} SQuAD questions with contexts, one thread; Kotlin starts in {kotlin.start:.0f} ms")
    for what, row in result.items():
        print(f"{what:9} {row['count']:7,}  Kotlin {row['count'] / row['kotlin_seconds']:11,.0f}/s  "
              f"Python {row['count'] / row['python_seconds']:11,.0f}/s  {row['ratio']:.1f} times as fast  "
              f"{row['bytes_each']:,.0f} bytes allocated each")
    save(options.json, {"start_ms": kotlin.start, **result})
    return 0


if __name__ == "__main__":
    sys.exit(main())
