"""``sentence_folders.py CHECKPOINT FOLDER``: folders of sentence-transformers with their vectors of texts on stdin.

``FOLDER/NAME/`` is what ``save`` writes for each set of modules, ``FOLDER/NAME.npy`` what ``encode`` gives.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.sentence_transformer.modules import Pooling

WIDTH = 64
MODULES = {
    "mean": lambda: [Pooling(WIDTH, "mean")],
    "cls-normalized": lambda: [Pooling(WIDTH, "cls"), Normalize()],
    "max": lambda: [Pooling(WIDTH, "max")],
    "dense-tanh-normalized": lambda: [Pooling(WIDTH, "mean"), Dense(WIDTH, 24), Normalize()],
    "dense-gelu": lambda: [Pooling(WIDTH, "max"), Dense(WIDTH, 24, activation_function=torch.nn.GELU())],
    "dense-without-bias": lambda: [Pooling(WIDTH, "mean"),
                                   Dense(WIDTH, 24, bias=False, activation_function=torch.nn.Identity())],
}


def main(checkpoint: str, folder: Path) -> None:
    texts = json.load(sys.stdin)
    torch.manual_seed(0)
    for name, modules in MODULES.items():
        model = SentenceTransformer(modules=[Transformer(checkpoint, max_seq_length=16), *modules()], device="cpu")
        model.save(str(folder / name))
        np.save(folder / f"{name}.npy", SentenceTransformer(str(folder / name), device="cpu").encode(texts))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
