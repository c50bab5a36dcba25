"""``tf_checkpoints.py VOCABULARY FOLDER``: every head in every kind of file, as TensorFlow's classes write them.

FOLDER/HEAD/KIND holds what ``save_pretrained`` of the model and of its AutoTokenizer wrote, ``expected.npz`` in it
inputs and the outputs of the model.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
import tiny_heads
import transformers

KINDS: dict[str, dict[str, object]] = {
    "h5": {}, "sharded-h5": {"max_shard_size": 100_000}, "tf-safetensors": {"safe_serialization": True},
    "tf-sharded": {"safe_serialization": True, "max_shard_size": 100_000}}


def model_of(name: str, words: int) -> tf.keras.Model:
    config = transformers.MobileBertConfig(**tiny_heads.settings(name, words))
    model = getattr(transformers, f"TFMobileBert{tiny_heads.HEADS[name].suffix}")(config)
    model.build_in_name_scope()
    rng = np.random.default_rng(100 + sorted(tiny_heads.HEADS).index(name))
    for variable in model.weights:
        variable.assign(tiny_heads.random_values(variable.name.removesuffix(":0"), tuple(variable.shape), rng))
    return model


def main(vocabulary: str, root: str) -> None:
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.BertTokenizerFast(vocabulary)
    for name in tiny_heads.HEADS:
        model, arrays = model_of(name, len(tokenizer)), tiny_heads.inputs(name, len(tokenizer))
        outputs = model({key: tf.constant(value, tf.int32) for key, value in arrays.items()}, training=False)
        found = {f"out_{key}": value.numpy() for key, value in outputs.items()}
        for kind, options in KINDS.items():
            folder = Path(root, name, kind)
            folder.mkdir(parents=True)
            model.save_pretrained(folder, **options)
            tokenizer.save_pretrained(folder)
            np.savez(folder / "expected.npz", **arrays, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
