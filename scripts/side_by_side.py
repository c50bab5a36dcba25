"""Run make targets, several at a time, and say of each how it ended.

    python scripts/side_by_side.py lint test "test-android test-app"

Each argument is one call of make, whose targets run one after another; the arguments start in their order. What a call
prints is shown as a whole when it ends, and lies in out/ci. A table at the end has the times, and the last lines of
what failed. The exit code is 1 when anything failed. Interrupted, it ends what it started.
"""

from __future__ import annotations

import argparse
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
LAST_LINES = 30


@dataclass(frozen=True)
class Ended:
    """A call of make that has ended."""

    targets: str
    code: int
    seconds: float
    log: Path

    @property
    def verdict(self) -> str:
        """For people."""
        return "passed" if self.code == 0 else f"FAILED with {self.code}"


class Calls:
    """The calls of make. They stay in this process group, so that whoever ends that ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False
        self.lock = threading.Lock()

    def call(self, targets: str) -> Ended:
        """Run ``make targets`` to its end, and show what it printed."""
        log = self.folder / f"{re.sub(r'[^a-z-]+', '_', targets)[:60]}.log"
        started = time.monotonic()
        with log.open("wb") as stream:
            with self.lock:
                if self.stopped:
                    return Ended(targets, -signal.SIGTERM, 0, log)
                say(f"... make {targets}: started")
                process = subprocess.Popen(["make", *shlex.split(targets)], cwd=ROOT, stdin=subprocess.DEVNULL,
                                           stdout=stream, stderr=subprocess.STDOUT)
                self.running.add(process)
            code = process.wait()
            with self.lock:
                self.running.discard(process)
        ended = Ended(targets, code, time.monotonic() - started, log)
        with self.lock:
            say(f"\n===== make {targets}: {ended.verdict} after {ended.seconds:.0f} s\n"
                + log.read_text("utf-8", "replace"))
        return ended

    def stop(self) -> None:
        """End what runs, and start no more. make passes it on to its shell alone, which does not pass it on."""
        with self.lock:
            self.stopped = True
            for process in self.running:
                with suppress(psutil.NoSuchProcess):
                    for one in psutil.Process(process.pid).children(recursive=True):
                        with suppress(psutil.NoSuchProcess):
                            one.terminate()
                process.terminate()


def say(text: str) -> None:
    print(text, flush=True)


def table(ended: Sequence[Ended]) -> str:
    """Times, and the last lines of what failed."""
    lines = ["", "===== together"]
    lines += [f"{one.seconds:6.0f} s  {one.verdict:8}  make {one.targets}" for one in ended]
    for one in ended:
        if one.code:
            last = one.log.read_text("utf-8", "replace").splitlines()[-LAST_LINES:]
            lines += ["", f"===== make {one.targets}: {one.verdict}; its last lines ({one.log}):", *last]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("targets", nargs="+", help="arguments of one call of make")
    options = parser.parse_args()
    folder = ROOT / "out" / "ci"
    folder.mkdir(parents=True, exist_ok=True)
    calls = Calls(folder)

    def interrupted(number: int, _: object) -> None:
        calls.stop()
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGINT, interrupted)
    with ThreadPoolExecutor(options.at_once) as pool:
        ended = list(pool.map(calls.call, options.targets))
    say(table(ended))
    return int(any(one.code for one in ended))


if __name__ == "__main__":
    sys.exit(main())
