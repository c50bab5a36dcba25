"""What a process that runs a stranger's file may use."""

from __future__ import annotations

from contextlib import suppress

# Addresses. Weights are held as the file, once more packed by XNNPACK, and in float32 where they are stored in 16 or 8
# bits; threads reserve addresses that they never touch.
MEMORY, MEMORY_PER_BYTE = 2 << 30, 8
# Of these, what may be written to: logits of 512 tokens over 120,000 words are 245 MB, and are there twice.
DATA = 640 << 20


def memory_limit(size: int) -> int:
    """Bytes of addresses that running a file of ``size`` bytes may take."""
    return MEMORY + MEMORY_PER_BYTE * size


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
