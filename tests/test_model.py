"""A finished file, asked from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mobilebert_lite.running.model import Model
from mobilebert_lite.text.features import pack


def test_the_shortest_signature_that_holds_a_text_runs(converted: Callable[[str, str], Path]) -> None:
    model = Model(converted("qa", "none"))
    short, long = model.lengths
    assert short < long
    for used, expected in ((short - 1, short), (short, short), (short + 1, long), (long, long)):
        # [CLS], single letters, [SEP].
        features = pack(model.tokenizer, " ".join("a" * (used - 2)), None, long)
        assert features.length_used == used
        read, outputs = model.run(features)
        assert len(read.ids) == expected
        assert outputs["start_logits"].shape == (1, expected)
