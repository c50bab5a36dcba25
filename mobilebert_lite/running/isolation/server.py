"""The other side: a process that answers for one interpreter after the other.

``python -m mobilebert_lite.running.isolation.server`` loads the runtime's library once and then forks: each interpreter
lives in a fork of its own. If a forked interpreter ends well, the next one is forked. If it crashes, the server exits
with the same signal, so that the client sees the end of the pipe, and the cause.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np

from mobilebert_lite.errors import MblError, ModelFileError
from mobilebert_lite.running.isolation import arrays, frames
from mobilebert_lite.running.isolation.limits import limit_memory, no_core
from mobilebert_lite.running.runtime import Session, load_runtime

# Exit codes of a fork: another interpreter may be asked for, or nobody is there any more.
_AGAIN, _GONE = 0, 3


def main() -> None:
    """Serve on standard input and output until their other end is closed."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Whatever native code prints must not come between the messages.
    os.dup2(2, 1)
    with suppress(MblError):
        load_runtime()
    if not hasattr(os, "fork"):
        sys.exit(_serve(requests, replies))
    while True:
        child = os.fork()
        if child == 0:
            os._exit(_serve(requests, replies))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code != _AGAIN:
            _end_like(code)


def _end_like(code: int) -> None:
    if code < 0:
        no_core()
        os.kill(os.getpid(), -code)
        signal.pause()
    os._exit(0 if code == _GONE else code)


def _serve(requests: BinaryIO, replies: BinaryIO) -> int:
    """Answer for one interpreter, until it is closed."""
    session: Session | None = None
    seconds = 0.0
    while True:
        try:
            asked, blocks = frames.read(requests, frames.LARGEST_REQUEST)
        except EOFError:
            return _GONE
        if asked["do"] == "close":
            frames.write(replies, {})
            return _AGAIN
        if asked["do"] == "load":
            seconds = asked["seconds"]
            limit_memory(asked["memory"])
        _alarm(seconds)
        answer: tuple[dict[str, Any], list[memoryview]]
        try:
            if asked["do"] == "load":
                session = Session(blocks[0], asked["threads"], asked["runtime"])
                answer = {"runtime": session.runtime, "signatures": session.signatures}, []
            else:
                assert session is not None
                answer = _answer(session, asked, blocks)
        except MblError as error:
            answer = {"error": str(error), "kind": type(error).__name__}, []
        except MemoryError:
            answer = {"error": "the model needs more memory than a file of its size may", "kind": "ModelFileError"}, []
        except Exception as error:  # what a runtime makes of a damaged file is not to be foreseen
            said = f"the runtime cannot read the model: {type(error).__name__}: {error}"
            answer = {"error": said, "kind": "ModelFileError"}, []
        _alarm(0)
        frames.write(replies, *answer)


def _answer(session: Session, asked: dict[str, Any], blocks: list[bytes]) -> tuple[dict[str, Any], list[memoryview]]:
    if asked["do"] == "nodes":
        return {"nodes": session.nodes()}, []
    outputs = session.run(asked["signature"], arrays.unpack(asked["arrays"], blocks))
    described, packed = arrays.pack({name: np.asarray(value) for name, value in outputs.items()})
    if (size := sum(map(len, packed))) > frames.LARGEST_ANSWER:
        raise ModelFileError(f"the model's outputs have {size:,} bytes; the most is {frames.LARGEST_ANSWER:,}")
    return {"arrays": described}, packed


def _alarm(seconds: float) -> None:
    """End this process after ``seconds``, also in the midst of native code; 0: not any more."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    main()
