"""The choice of sequence lengths."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from mobilebert_lite.conversion.lengths import STEP, advice, choose, cost


def total(used: list[int], lengths: tuple[int, ...]) -> float:
    return sum(cost(min(length for length in lengths if length >= one)) for one in used)


@examples(60)
@given(st.lists(st.integers(1, 96), min_size=1, max_size=20), st.integers(1, 4))
def test_no_other_choice_costs_less(used: list[int], count: int) -> None:
    chosen = choose(used, count, 96)
    assert chosen[0] == 96
    assert len(chosen) <= count
    assert list(chosen) == sorted(set(chosen), reverse=True)
    assert all(length % STEP == 0 for length in chosen)
    others = range(STEP, 96, STEP)
    best = min(total(used, (96, *rest)) for size in range(count) for rest in combinations(others, size))
    assert total(used, chosen) == pytest.approx(best)


def test_more_lengths_cost_less_on_real_lengths() -> None:
    """Quartiles 133, 164, 210, as SQuAD has them: eight lengths halve the cost of one."""
    used = [int(one) for one in np.clip(np.random.default_rng(0).lognormal(np.log(164), 0.34, 500), 40, 384)]
    costs = [total(used, choose(used, count, 384)) for count in (1, 2, 4, 8)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] / costs[3] > 1.9


def test_the_shortest_length_holds_a_question() -> None:
    assert choose([2, 3], 2, 64, shortest=16) == (64, 16)
    assert choose([60], 3, 60) == (60,)


@pytest.mark.parametrize(("used", "longest", "told"), [
    ([20] * 90 + [100] * 9 + [300], 64, "10.0 % of the calibration texts are longer than 64 tokens; --seq-len 104 "
                                        "holds 99% of them"),
    ([20] * 90 + [513] * 10, 384, "10.0 % of the calibration texts are longer than 384 tokens; not even 512, the most "
                                  "that the checkpoint has, holds 99% of them"),
    ([20] * 99 + [512], 128, "99% of the calibration texts have 20 tokens or fewer: --seq-len 24 holds them, and is "
                             "faster than 128"),
    ([20] * 99 + [512], 32, None),
    ([60] * 50, 64, None),
])
def test_a_length_is_compared_with_the_texts(used: list[int], longest: int, told: str | None) -> None:
    """Against their percentiles: a length that is said to hold them does."""
    assert advice(used, longest, 512) == told
    if told and "holds 99%" in told and "not even" not in told:
        assert np.quantile(used, 0.99, method="inverted_cdf") <= 104
