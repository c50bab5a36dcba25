"""What a process that runs a stranger's file may use."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from mobilebert_lite.errors import DataError

# Addresses. Weights are held as the file, once more packed by XNNPACK, and in float32 where they are stored in 16 or 8
# bits; threads reserve addresses that they never touch.
MEMORY, MEMORY_PER_BYTE = 2 << 30, 8
# Of these, what may be written to: logits of 512 tokens over 120,000 words are 245 MB, and are there twice.
DATA = 640 << 20


def memory_limit(size: int) -> int:
    """Bytes of addresses that running a file of ``size`` bytes may take."""
    return MEMORY + MEMORY_PER_BYTE * size


def seconds(usual: float) -> float:
    """``usual``; MBL_TIME_LIMIT overrides. Raises DataError for nonsense."""
    asked = os.environ.get("MBL_TIME_LIMIT")
    if asked is None:
        return usual
    try:
        found = float(asked)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise DataError(f"MBL_TIME_LIMIT is {asked!r}; it must be a number of seconds")
    return found


def no_core() -> None:
    """A crash leaves no image of the memory behind."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_memory(size: int) -> None:
    """Let this process have ``size`` bytes of addresses more than now, of which it may write to all but what
    ``MEMORY`` has more than ``DATA``; where the system can tell how much that is."""
    no_core()
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as stream:
            pages = [int(one) for one in stream.read().split()]
        for kind, now, more in ((resource.RLIMIT_AS, pages[0], size),
                                (resource.RLIMIT_DATA, pages[5], max(size - MEMORY + DATA, 0))):
            limit = now * resource.getpagesize() + more
            resource.setrlimit(kind, (limit, limit))


def limit_data(size: int) -> None:
    """Let this process write to ``size`` bytes of memory more than now; the processes that it starts may allow
    themselves more."""
    no_core()
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as stream:
            limit = int(stream.read().split()[5]) * resource.getpagesize() + size
        most = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))


def die_with(parent: int) -> None:
    """Linux: end when the process that waits for this one ends."""
    import ctypes

    set_parent_death_signal = 1
    with suppress(AttributeError):  # other systems have no such thing
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # it has ended in between
        os.kill(os.getpid(), signal.SIGKILL)
