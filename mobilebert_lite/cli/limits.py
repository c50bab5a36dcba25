"""Limits of the process: commands that run out of memory or of files say so, also where native code aborts."""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from mobilebert_lite.cli import signals
from mobilebert_lite.cli.output import tell
from mobilebert_lite.errors import MblError
from mobilebert_lite.running.isolation.limits import die_with

_MEMORY = ("out of memory; convert with fewer or shorter lengths (--seq-len), train with a smaller --batch-size, use "
           "fewer --workers or --threads, or allow more")
# What libraries say when they get no memory, in errors of their own kinds.
_SAID = ("bad_alloc", "cannot allocate memory", "failed to map segment", "can't start new thread", "unable to allocate",
         "out of memory", "oom when allocating")
_ADVICE = {
    errno.ENOMEM: _MEMORY,
    errno.EMFILE: "too many open files for the limit of this shell; raise it (ulimit -n)",
    errno.ENFILE: "too many open files on this machine; close some",
}
# How native code ends when it gets no memory.
_ABORTS = (signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP)


def blamed(error: BaseException) -> str:
    """What the machine lacks, where that is what ``error`` or its cause says; else "", unless a file is to blame."""
    if lacking := _lacking(error):
        return lacking
    if isinstance(error, OSError) and error.strerror:  # a file that no command has foreseen
        return f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
    return ""


def _lacking(error: BaseException) -> str:
    for one in _causes(error):
        if isinstance(one, MblError):  # says what it means itself
            continue
        if isinstance(one, MemoryError) or any(words in str(one).lower() for words in _SAID):
            return _MEMORY + (" (ulimit -v)" if _limit() is not None else "")
        if isinstance(one, OSError) and one.errno in _ADVICE:
            return _ADVICE[one.errno]
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def guarded(run: Callable[[], int]) -> int:
    """``run()``; under a limit of memory in a process of its own, because native code that gets none aborts.

    Only then: elsewhere memory is promised without end, and nothing aborts for the lack of it.
    """
    if _limit() is None:
        return run()
    parent, child = os.getpid(), os.fork()
    if child == 0:
        die_with(parent)
        _be(run)
    signals.hand_on(child)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if -code in _ABORTS:
        tell(f"Error: {_MEMORY} (ulimit -v)")
        return 1
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _be(run: Callable[[], int]) -> NoReturn:
    """The process that does the work. It ends without the interpreter's own end, in which libraries that got no memory
    for their threads wait for them for ever."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # which ends the process by SIGINT when it gets no thread
    code = 1
    try:
        code = run()
        sys.stdout.flush()
        atexit._run_exitfuncs()
    except BrokenPipeError:
        pass
    except OSError as error:
        tell(f"Error: standard output: {error.strerror or error}")
    except BaseException:  # not even an error could be told
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGABRT)
    os._exit(code)


def _limit() -> int | None:
    """Bytes of memory that this process may have; None: no limit."""
    try:
        import resource
    except ImportError:
        return None
    soft = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if soft == resource.RLIM_INFINITY else soft
