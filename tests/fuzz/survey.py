"""Cases of strangers, one after another: what every command makes of each, and what that costs."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cases import Command, Kind
from commands import Cost, Done, measured
from hostile_values import Case

from mobilebert_lite.cli import FAULT

# What a file may cost beyond a whole one: MB and so many times its size, seconds of processors.
MEGABYTES, TIMES, SECONDS = 64, 8, 10
# A command that has not ended after so many seconds is ended, and named. It may wait for a process of its own twice.
HANG = 60
# MB of address space: what asks for more would take the whole machine.
MOST = 6000
LONGEST_LINE = 2000
# Of a terminal: all control characters but tab and newline.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Said of a whole file too.
HARMLESS = ("· ", "Warning: ")


@dataclass
class Room:
    """A folder with one case in it, in which nothing else may appear."""

    folder: Path
    # Data that commands need besides the case.
    whole: Path
    # (kind, number of its whole case, command) -> what reading it costs.
    baselines: dict[tuple[str, int, str], Cost] = field(default_factory=dict)

    @property
    def here(self) -> Path:
        return self.folder / "a" / "b"

    @property
    def out(self) -> Path:
        return self.here / "out"

    def fill(self, case: Case) -> None:
        """Put ``case`` there alone."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.here.mkdir(parents=True)
        for name, content in case.items():
            path = self.here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def state(self) -> dict[str, tuple[int, int]]:
        """Size and time of every file but the output."""
        found = ((path, path.lstat()) for path in sorted(self.folder.rglob("*"))
                 if path != self.out and self.out not in path.parents)
        return {str(path): (said.st_size, said.st_mtime_ns) for path, said in found if not path.is_dir()}

    def call(self, command: Command, case: Case, kind: Kind) -> tuple[Done, Cost]:
        """Run ``command`` on what is there."""
        places = {"here": self.here, "file": self.here / top(next(iter(case))), "out": self.out, "whole": self.whole}
        environment = {"HOME": str(self.here), "TMPDIR": str(self.here)}
        return measured(*(part.format(**places) if "{" in part else part for part in command), environment=environment,
                        cwd=self.here, seconds=HANG, most=MOST, imported=kind.imported)

    def baseline(self, kind: Kind, number: int, command: Command) -> Cost:
        """What ``command`` costs on a whole case, of which it must say that nothing is wrong; measured once."""
        key = kind.name, number, command[0]
        if key not in self.baselines:
            case = kind.wholes[number]
            tops = dict.fromkeys(map(top, case)) if "{file}" in command else ()
            cases = [{name: held for name, held in case.items() if top(name) == one} for one in tops] or [case]
            costs = []
            for one in cases:
                self.fill(one)
                done, cost = self.call(command, one, kind)
                # The doctor has something to say: these are too short for clients that want 384.
                assert done.returncode == 0 or "--client" in command, (kind.name, number, command, done)
                costs.append(cost)
            self.baselines[key] = Cost(max(one.seconds for one in costs), max(one.megabytes for one in costs))
        return self.baselines[key]


def top(name: str) -> str:
    """The file, or the folder, at the top of a case."""
    return name.split("/")[0]


def made(kind: Kind, seed: int) -> tuple[int, str, Case]:
    """(number of the whole case, what was done to it, the damaged case): the same for the same seed."""
    rng = random.Random(f"{kind.name} {seed}")
    number = seed % len(kind.wholes)
    what, case = kind.mutate(rng, kind.wholes[number])
    return number, what, case


def survey(kind: Kind, room: Room, seeds: Sequence[int]) -> tuple[list[str], list[int]]:
    """What went wrong with the files of ``seeds``, and all exit codes."""
    problems, codes = [], []
    for seed in seeds:
        number, what, case = made(kind, seed)
        for command in kind.commands(number, seed):
            usual = room.baseline(kind, number, command)
            room.fill(case)
            before = room.state()
            done, cost = room.call(command, case, kind)
            codes.append(done.returncode)
            size = sum(map(len, case.values()))
            found = [*wrong(done), *too_much(cost, usual, size)]
            if room.state() != before or (room.out.exists() and done.returncode and "--fix" not in command
                                          and "--html" not in command):
                found.append(f"files were written: {sorted(room.state().items() ^ before.items())[:3]}")
            problems += [f"{kind.name} {seed} ({what[:200]}): mbl {' '.join(command)}: {one}" for one in found]
    return problems, codes


def wrong(done: Done) -> Iterator[str]:
    """What is wrong with an outcome: 0, or 1 and one line that says why, are right."""
    lines = [line for line in done.stderr.splitlines() if not line.startswith(HARMLESS)]
    errors, is_told = done.stderr[-1500:], "--client" in done.args  # the doctor's findings are no error
    if done.returncode not in (0, 1):
        yield f"ended by SIGALRM after {HANG} s" if done.returncode == -14 else f"exit code {done.returncode}: {errors}"
    elif FAULT in done.stderr or "Traceback" in done.stderr:
        yield errors
    elif done.returncode == 0 and lines and not is_told:
        yield f"exit code 0, but: {errors!r}"
    elif done.returncode == 1 and not is_told and (len(lines) != 1 or not lines[0].startswith("Error: ")):
        yield f"not one line: {errors!r}"
    elif any(len(line) > LONGEST_LINE for line in lines):
        yield f"a line of {max(map(len, lines))} characters"
    if steering := STEERING.search(done.stderr + done.stdout):
        yield f"control characters: {steering[0]!r}"


def too_much(cost: Cost, usual: Cost, size: int) -> Iterator[str]:
    """What is beyond the budget of a file of ``size`` bytes."""
    seconds, megabytes = cost.seconds - usual.seconds, cost.megabytes - usual.megabytes
    if seconds > SECONDS:
        yield f"took {seconds:.1f} s more than a whole file"
    if megabytes > MEGABYTES + TIMES * size / (1 << 20):
        yield f"took {megabytes:.0f} MB more than a whole file, for {size:,} bytes"


