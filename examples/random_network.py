"""Convert a network of any configuration with random weights, without a checkpoint, and run it by signature.

    python examples/random_network.py
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mobilebert_lite import (
    PRESETS,
    Network,
    Session,
    convert_network,
    find_task,
    fuse,
    fuse_last,
    random_weights,
)

LENGTH = 16


def main() -> float:
    """The largest difference between the file's probabilities and the unfused network's."""
    config = replace(PRESETS["small"], num_hidden_layers=2, vocab_size=1000)
    weights = random_weights(config, {"classifier": 3}, pooler=True, seed=0)
    fused = fuse_last(fuse(weights, find_task("classification")))
    content = convert_network(Network(fused.config, fused.tensors, fused.task, plan=fused.plan), [LENGTH])

    ids = np.random.default_rng(0).integers(5, 1000, (1, LENGTH)).astype(np.int32)
    inputs = {"ids": ids, "mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    [expected] = Network(config, weights.tensors, find_task("classification")).run([inputs])
    actual = Session(content).run(f"classification_{LENGTH}", inputs)
    difference = float(np.abs(actual["probability"] - expected["probability"]).max())
    print(f"{len(content) / 1e6:.2f} MB; fusion changed the probabilities by {difference:.1g}")
    return difference


if __name__ == "__main__":
    main()
