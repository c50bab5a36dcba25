"""One process trains the same on one device and on two: what ``test_two_devices_train_as_one`` runs by itself, as
devices are split before TensorFlow starts. Its argument is the folder of ``tiny.json``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from mobilebert_lite.architecture.config import from_huggingface, read_json
from mobilebert_lite.tasks import find_task
from mobilebert_lite.training.initial import initial
from mobilebert_lite.training.objective import TaskObjective
from mobilebert_lite.training.optimizer import AdamW
from mobilebert_lite.training.trainer import Trainer


def main(folder: Path) -> None:
    [cpu] = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    config = replace(from_huggingface(read_json(folder / "tiny.json")), num_hidden_layers=1)
    weights = initial(config, {"classifier": 3}, seed=0)
    rng = np.random.default_rng(0)
    ids = rng.integers(5, 200, (6, 8)).astype(np.int32)
    labels = rng.integers(-1, 3, (6, 8)).astype(np.int32)
    labels[3:, 2:] = -1  # the second device has few labels
    batch = {"ids": ids, "mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids), "labels": labels,
             "weight": (labels >= 0).astype(np.float32), "seed": np.int32([0, 0]), "shift": np.int32(0)}
    task, found = find_task("token-classification"), []
    for strategy in (None, tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
        trainer = Trainer(weights.tensors, TaskObjective(config, task, task.training.loss()), AdamW(),
                          strategy=strategy)
        steps = [trainer.step(batch, number, 1e-2) for number in (1, 2, 3)]
        found.append(([step["loss"] for step in steps], trainer.tensors()["classifier.kernel"]))
    (one, kernel), (two, other) = found
    assert np.allclose(one, two, rtol=1e-5), (one, two)
    assert one[2] < one[0]
    assert np.abs(kernel - other).max() < 1e-3
    assert np.abs(kernel - weights.tensors["classifier.kernel"]).max() > 1e-2


if __name__ == "__main__":
    main(Path(sys.argv[1]))
