"""The parent's end of worker.py: requests, answers, time-outs, and what became of a child that died."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from mobilebert_lite.benchmarks.measuring.runner import RunnerError
from mobilebert_lite.common.json_text import decode
from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.running.isolation.helper import environment, python_module

Message = dict[str, Any]
# A child that says nothing for so long hangs. Reading a file and packing its weights takes a second or two.
SILENCE_S = 60.0
# No answer is longer; a child that a hostile file has taken over must not fill our memory.
_LONGEST = 256 << 20


class Child:
    """One child process. Its answers are data: nothing of them is executed or used as a path."""

    def __init__(self, silence_s: float = SILENCE_S) -> None:
        self.silence_s = silence_s
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the child
        # A session of its own: Ctrl-C reaches us alone, and we end the run in an orderly way.
        self._process = subprocess.Popen(
            python_module("mobilebert_lite.benchmarks.host.worker"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self._errors, env=environment(), start_new_session=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        os.set_blocking(self._out.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._out, selectors.EVENT_READ)
        self._pending = b""

    def ask(self, do: str, **arguments: Any) -> Message:
        """The last answer to a request. Raises as ``stream``."""
        return list(self.stream(do, **arguments))[-1]

    def stream(self, do: str, **arguments: Any) -> Iterator[Message]:
        """All answers to a request, the last one with ``end``.

        Raises ModelFileError with the runtime's reason where the request failed, RunnerError when the child dies or
        is silent for ``silence_s``.
        """
        self._send({"do": do, **arguments})
        while True:
            message = self._receive(do)
            if "error" in message:
                raise ModelFileError(str(message["error"]))
            yield message
            if message.get("end"):
                return

    def stop(self) -> list[Message]:
        """End a run early: what it still had to say."""
        with suppress(RunnerError):
            self._send({"do": "stop"})
            messages = []
            while True:
                messages.append(self._receive("stop"))
                if messages[-1].get("end"):
                    return messages
        return []

    def close(self) -> None:
        """End the process; it holds nothing that is worth waiting for."""
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        for stream in (self._in, self._out, self._errors, self._selector):
            with suppress(OSError, ValueError):
                stream.close()

    def _send(self, request: Message) -> None:
        try:
            self._in.write(json.dumps(request).encode() + b"\n")
            self._in.flush()
        except OSError:
            raise self._died(str(request["do"])) from None

    def _receive(self, do: str) -> Message:
        deadline = time.monotonic() + self.silence_s
        while b"\n" not in self._pending:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                self._process.kill()
                raise RunnerError(f"the runtime hangs: no answer to {do!r} for {self.silence_s:.0f} s; "
                                  "try --no-xnnpack or fewer --threads, or allow more with --timeout")
            chunk = self._out.read(1 << 20)
            if chunk == b"":
                raise self._died(do)
            self._pending += chunk or b""
            if len(self._pending) > _LONGEST:
                self._process.kill()
                raise RunnerError("the runtime's process answers without end")
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            message = decode(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise RunnerError("the runtime's process answers nonsense; the file may have damaged it")
        return message

    def _died(self, do: str) -> RunnerError:
        code = self._process.wait()
        said = self._last_words()
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        return RunnerError(f"the runtime's process ended {how} during {do!r}{f': {said}' if said else ''}")

    def _last_words(self) -> str:
        with suppress(OSError, ValueError):
            self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, self._errors.tell() - 4096))
            lines = [line for line in self._errors.read().decode("utf-8", "replace").splitlines() if line.strip()]
            return lines[-1][:200] if lines else ""
        return ""
