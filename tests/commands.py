"""``mbl`` as a user calls it, each time in a fork of one process: importing TensorFlow takes seconds, and is done once.

What depends on how a process starts (hash seeds, what gets imported, signals) is tested on the installed command.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from mobilebert_lite.cli import FAULT

Done = subprocess.CompletedProcess[str]

# After so long a command is taken to hang.
SECONDS = 500
# What a process has imported before it forks: for commands that read checkpoints, and for those that read ``.tflite``.
CONVERTING = ("mobilebert_lite.conversion.gate", "mobilebert_lite.training.run")
READING = ("mobilebert_lite.cli.inspect", "mobilebert_lite.cli.run", "mobilebert_lite.cli.eval",
           "mobilebert_lite.inspection.report", "mobilebert_lite.doctor.fix", "mobilebert_lite.evaluation.evaluate")


@dataclass(frozen=True)
class Cost:
    """What a command took: seconds of processors, and its peak of memory, of the processes that it started too."""

    seconds: float
    megabytes: float


def mbl(*arguments: object, environment: Mapping[str, str] | None = None, cwd: Path | None = None,
        input: str = "") -> Done:
    """Run the command with ``input`` on its standard input, and wait for it."""
    done, _ = measured(*arguments, environment=environment, cwd=cwd, input=input)
    assert FAULT not in done.stderr, done
    return done


def measured(*arguments: object, environment: Mapping[str, str] | None = None, cwd: Path | None = None,
             input: str = "", seconds: int = SECONDS, most: int = 0,
             imported: tuple[str, ...] = CONVERTING) -> tuple[Done, Cost]:
    """Run the command, and say what it took. After ``seconds`` it is ended by SIGALRM.

    ``most``: MB of address space that it gets beyond what is taken at its start; 0: any. ``imported``: what is there
    before the command starts, one of CONVERTING and READING.
    """
    given = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory(prefix="command-") as name:
        files = [Path(name, stream) for stream in ("in", "out", "err")]
        for file in files:
            file.write_text(input if file.name == "in" else "", encoding="utf-8")
        server = _server(imported)
        assert server.stdin is not None
        assert server.stdout is not None
        json.dump({"arguments": given, "environment": {**os.environ, **(environment or {})},
                   "cwd": str(cwd or Path.cwd()), "files": list(map(str, files)), "seconds": seconds, "most": most},
                  server.stdin)
        server.stdin.write("\n")
        server.stdin.flush()
        code, took, megabytes = json.loads(server.stdout.readline())
        done = Done(["mbl", *given], code, *(file.read_text("utf-8", "replace") for file in files[1:]))
    return done, Cost(took, megabytes)


def use_few_texts() -> None:
    """Calibrate with few texts in this process: most of what a conversion of a tiny network takes is reading ranges."""
    from mobilebert_lite.datasets import samples

    samples.CALIBRATION = replace(samples.CALIBRATION, sequences=48)
    samples.SIMULATION = samples.Most(tokens=256, sequences=8)


@cache
def _server(imported: tuple[str, ...]) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, __file__, *imported], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, stderr=subprocess.DEVNULL)
    atexit.register(process.communicate)
    return process


def serve(imported: list[str]) -> None:
    """Answer each line of standard input, a command, with a line: its exit code, seconds and MB."""
    import gc

    from mobilebert_lite.common import keras

    keras.leave_out()  # as every command does
    for module in imported:
        importlib.import_module(module)
    use_few_texts()
    gc.freeze()  # what is there already is not looked through again
    for line in sys.stdin:
        if not (child := os.fork()):
            _be(json.loads(line))
        _, status, used = os.wait4(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]),
              flush=True)


def _be(command: dict[str, Any]) -> None:
    """Be the process of one command; does not come back."""
    from mobilebert_lite import cli

    signal.alarm(command["seconds"])
    if command["most"]:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + (command["most"] << 20),) * 2)
    os.environ.clear()
    os.environ.update(command["environment"])
    tempfile.tempdir = None  # it may have been asked for before
    os.chdir(command["cwd"])
    for descriptor, file in enumerate(command["files"]):
        os.dup2(os.open(file, os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_APPEND), descriptor)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    code: Any = 1
    try:
        cli.main(command["arguments"])
    except SystemExit as done:
        code = done.code
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the seconds that TensorFlow takes to go


if __name__ == "__main__":
    serve(sys.argv[1:])
