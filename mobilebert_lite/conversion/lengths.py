"""Which sequence lengths a file should have, given how long its texts are."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Lengths are multiples of this: the kernels work in tiles of rows, and nobody gains by 125 instead of 128.
STEP = 8

# Share of the texts that a good length holds.
MOST_TEXTS = 0.99

# Latency of a length S goes as S·(1 + S/KNEE): dense layers grow with S, attention with its square. From 8.4 ms at
# 128 and 35.6 ms at 384 tokens, int8, 24 layers, one thread.
KNEE = 490.0


def cost(length: int) -> float:
    """Relative latency of a signature of ``length`` tokens."""
    return length * (1.0 + length / KNEE)


def choose(used: Sequence[int], count: int, longest: int, shortest: int = STEP) -> tuple[int, ...]:
    """At most ``count`` lengths, ``longest`` among them, that cost least when each text runs in the shortest that
    holds it.

    ``used`` are the texts' lengths in tokens, none above ``longest``. The lengths are multiples of STEP (but for
    ``longest``), the longest first. Exact: a dynamic programme over the candidates.
    """
    rounded = sorted(min(longest, max(shortest, -(-one // STEP) * STEP)) for one in used)
    candidates = sorted({*rounded, longest})
    # texts[i]: how many texts need candidate i or less.
    texts = [sum(one <= candidate for one in rounded) for candidate in candidates]
    # best[i]: (cost, lengths) of all texts up to candidate i when candidate i is the longest chosen so far.
    best: list[tuple[float, tuple[int, ...]]] = [
        (texts[i] * cost(candidate), (candidate,)) for i, candidate in enumerate(candidates)]
    for _ in range(count - 1):
        best = [min([best[i], *((best[j][0] + (texts[i] - texts[j]) * cost(candidate), (candidate, *best[j][1]))
                                for j in range(i))])
                for i, candidate in enumerate(candidates)]
    return best[-1][1]


def advice(used: Sequence[int], longest: int, limit: int) -> str | None:
    """How ``longest``, the longest length of a file, goes with texts of ``used`` tokens; None where it suits them.

    ``limit`` is the longest length that the checkpoint has; a text beyond it counts as ``limit`` + 1.
    """
    longer = sum(one > longest for one in used) / len(used)
    needed = sorted(used)[math.ceil(MOST_TEXTS * len(used)) - 1]
    holding = min(limit, -(-needed // STEP) * STEP)
    if longer > 1 - MOST_TEXTS:
        told = f"{100 * longer:.1f} % of the calibration texts are longer than {longest} tokens"
        if needed > limit:
            return f"{told}; not even {limit}, the most that the checkpoint has, holds {MOST_TEXTS:.0%} of them"
        return f"{told}; --seq-len {holding} holds {MOST_TEXTS:.0%} of them"
    if 2 * holding <= longest:
        return (f"{MOST_TEXTS:.0%} of the calibration texts have {needed} tokens or fewer: --seq-len {holding} holds "
                f"them, and is faster than {longest}")
    return None
