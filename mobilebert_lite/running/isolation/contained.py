"""Work on a stranger's file in a fork of this process that may take no more than such a file may cost.

Readers in Python charge what they unfold to a budget (``common.budget``); this limit holds also for what no reader has
foreseen. Only for processes of one thread, such as commands: a fork has no other thread.
"""

from __future__ import annotations

import os
import pickle
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

from mobilebert_lite.common import budget
from mobilebert_lite.errors import MblError, ModelFileError
from mobilebert_lite.running.isolation.limits import die_with, limit_data, seconds

T = TypeVar("T")


class Excess(ModelFileError):
    """What a file takes more of than it may."""


def contained(work: Callable[[], T], size: int) -> T:
    """``work()``, whose result or error can be pickled, within what a file of ``size`` bytes may cost.

    The fork runs our own Python code alone, so that its pickles can be trusted; interpreters that it asks are in
    processes of their own. It must write no file. Raises what ``work`` raises; Excess when it takes more.
    """
    if not hasattr(os, "fork"):
        return work()
    limit = seconds(budget.seconds(size))
    reading, writing = os.pipe()
    parent = os.getpid()
    with warnings.catch_warnings():
        # Threads of BLAS, which nothing here uses.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reading)
        _be(work, size, limit, (writing, parent))
    os.close(writing)
    code = None
    try:
        with os.fdopen(reading, "rb") as stream:
            answer = stream.read()
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        if code is None:  # Ctrl-C, or SIGTERM
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if code:
        raise Excess(_reason(code, limit))
    result: T | Exception
    is_error, result = pickle.loads(answer)
    if is_error:
        assert isinstance(result, Exception)
        raise result
    return result  # type: ignore[return-value]


def _be(work: Callable[[], Any], size: int, limit: float, ends: tuple[int, int]) -> NoReturn:
    """The fork. It ends without the interpreter's own end: whatever that closes is its parent's."""
    code, (writing, parent) = 1, ends
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        die_with(parent)
        limit_data(budget.memory(size))
        # Of processors: a busy machine must not make right files wrong.
        signal.setitimer(signal.ITIMER_PROF, limit)
        with os.fdopen(writing, "wb") as stream:
            stream.write(_answer(work))
        code = 0
    finally:
        os._exit(code)


def _answer(work: Callable[[], Any]) -> bytes:
    try:
        return pickle.dumps((False, work()))
    except MemoryError:
        error: Exception = Excess("examining it takes more memory than a file of its size may; that is no MobileBERT")
    except MblError as found:
        error = type(found)(str(found))
    except Exception as found:  # of our own making; the command line says so
        error = RuntimeError(f"{type(found).__name__}: {found}")
    return pickle.dumps((True, error))


def _reason(code: int, limit: float) -> str:
    if code == -signal.SIGPROF:
        return (f"examining it takes more than {limit:.0f} s, which is more than a file of its size may; on a very "
                "slow machine allow more with MBL_TIME_LIMIT=SECONDS")
    with suppress(ValueError):
        return f"the process that examined it was ended by {signal.Signals(-code).name} (out of memory?)"
    return "examining it takes more memory than a file of its size may; that is no MobileBERT"
