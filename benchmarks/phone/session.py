"""A folder on a phone for the time of a benchmark, which goes away with whoever asked for it.

A shell on the phone waits for the end of its input. The input ends when we close it, and also when this process is
killed, the cable is pulled, or the server dies: then the shell kills what still runs, and removes the folder.
"""

from __future__ import annotations

import secrets
import shlex
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mobilebert_lite.benchmarks.measuring.process import Limits, hurried
from mobilebert_lite.benchmarks.phone.adb import ANSWER, RUN_BYTES, RUN_S, RUN_SILENCES, AdbError, Phone

ROOT = "/data/local/tmp"
_PREFIX = "mbl-"
# Folders whose shell was killed as well (the phone was restarted) are removed after so many minutes.
_STALE_MINUTES = 24 * 60
# For the removal of the folder over a connection that may be gone, and for each attempt.
_PATIENCE_S, _SHORT_S = 5.0, 3.0
# The same when this process is being ended.
_HURRY_S = 1.0
# Nobody keeps a folder for longer.
_WATCHED = Limits(30 * 24 * 3600.0)
_WATCH = """set -e
find {root} -maxdepth 1 -name '{prefix}*' -mmin +{stale} -exec rm -rf {{}} +
mkdir -p {folder}
trap '' HUP INT TERM PIPE
echo ready
set +e
cat >/dev/null
{farewell}
for file in {folder}/*.pid; do [ -f "$file" ] && kill -9 $(cat "$file"); done
rm -rf {folder} && echo removed"""


class PhoneFolder:
    """The folder, and programs that run in it one at a time."""

    def __init__(self, phone: Phone, farewell: str = ":") -> None:
        """``farewell`` is a command for the phone's sh, run before the folder is removed, however that comes about.

        Raises AdbError when the folder cannot be made.
        """
        self.phone = phone
        self.folder = f"{ROOT}/{_PREFIX}{secrets.token_hex(6)}"
        script = _WATCH.format(root=ROOT, prefix=_PREFIX, stale=_STALE_MINUTES, folder=self.folder,
                               farewell=f"({farewell}) >/dev/null 2>&1")
        self._watch = phone.contained(f"({script}) 2>&1", _WATCHED, subprocess.PIPE)
        try:
            said = self._watch.until(b"ready\n", ANSWER)
        except BaseException:
            self._watch.close()
            raise
        if not said.endswith("ready\n"):
            self._watch.close()
            reason = said[-1000:].strip().splitlines()[-1:] or [f"{phone.serial} does not answer"]
            raise AdbError(f"cannot make {self.folder} on {phone.serial}: {reason[0][:300]}; is there room on the "
                           "phone?")

    def put(self, local: Path, name: str) -> str:
        """``local`` as ``name`` in the folder; its path there. What is there already is not sent again."""
        remote = f"{self.folder}/{name}"
        self.phone.push(local, remote)
        return remote

    def remove(self, names: Sequence[str]) -> None:
        """Delete files of the folder."""
        self.phone.shell("rm -f " + " ".join(shlex.quote(f"{self.folder}/{name}") for name in names))

    def run(self, command: Sequence[str], timeout: float) -> Iterator[str]:
        """The lines that ``command`` prints in the folder, quoted word by word. Closing the iterator ends it.

        Raises AdbError, as Phone.lines: when it is silent for ``timeout`` seconds, and when it has not ended after many
        times that, whatever it prints.
        """
        words = " ".join(shlex.quote(word) for word in command)
        known = f"{self.folder}/run.pid"
        script = (f"cd {self.folder} && LD_LIBRARY_PATH=. sh -c 'echo $$ > run.pid; exec \"$@\"' sh {words}")
        lines = self.phone.lines(script, Limits(RUN_S + RUN_SILENCES * timeout, RUN_BYTES, timeout))
        finished = False
        try:
            yield from lines
            finished = True
        finally:
            lines.close()  # type: ignore[attr-defined]
            # In a hurry, it goes with the folder.
            if not (finished or hurried()):
                self._try(f"[ -f {known} ] && kill -9 $(cat {known}); rm -f {known}")

    def close(self) -> str:
        """Remove the folder; what may be left when that cannot be seen to, else nothing. Raises nothing."""
        hurry, stdin = hurried(), self._watch.process.stdin
        with suppress(OSError):
            if stdin:
                stdin.close()
        said = self._watch.until(b"removed\n", _HURRY_S if hurry else _PATIENCE_S)
        self._watch.close()
        if said.endswith("removed\n") or (not hurry and self._is_gone()):
            return ""
        return (f"{self.folder} may be left on {self.phone.serial}, which cannot be reached; it goes away when the "
                "phone notices that the connection is gone")

    def _is_gone(self) -> bool:
        """A watch that lost its connection removes the folder too, moments later."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            said = self._try(f"[ -e {self.folder} ] && echo there || echo gone").strip()
            if said == "gone":
                return True
            if not said and ":" in self.phone.serial:
                self._reconnect()
            time.sleep(0.5)
        return self._try(f"rm -rf {self.folder} && echo removed").strip() == "removed"

    def _reconnect(self) -> None:
        """A new server does not know the phones that were attached to the old one over the network."""
        with suppress(AdbError):
            self.phone.adb.run("connect", self.phone.serial, timeout=_SHORT_S)

    def _try(self, script: str) -> str:
        try:
            return self.phone.shell(script, timeout=_SHORT_S)
        except AdbError:
            return ""
