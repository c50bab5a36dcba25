"""What a process that runs a stranger's file may use."""

from __future__ import annotations

from contextlib import suppress

# Weights are held as the file, once more packed by XNNPACK, and in float32 where they are stored in 16 or 8 bits.
MEMORY, MEMORY_PER_BYTE = 2 << 30, 8


def memory_limit(size: int) -> int:
    """Bytes that running a file of ``size`` bytes may take."""
    return MEMORY + MEMORY_PER_BYTE * size


def no_core() -> None:
    """A crash leaves no image of the memory behind."""
    with suppress(ImportError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_memory(size: int) -> None:
    """Let this process have ``size`` bytes more than now; where the system can tell how much that is."""
    no_core()
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as stream:
            now = int(stream.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + size, now + size))
