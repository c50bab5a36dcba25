"""Run models on this machine's kernels: ``child.py JOBS``, a JSON list of [model, signature, inputs.npz, outputs.npz].

An .npz holds arrays named ``{input}/{row}``. It needs NumPy and ai-edge-litert alone: it runs under another Python, on
emulated processors.
"""

from __future__ import annotations

import json
import platform
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(jobs: str) -> None:
    print(platform.machine())
    for model, signature, given, taken in json.loads(jobs):
        run = Interpreter(model_path=model, num_threads=1).get_signature_runner(signature)
        rows: dict[str, dict[str, np.ndarray]] = {}
        with np.load(given) as arrays:
            for key in arrays:
                name, row = key.split("/")
                rows.setdefault(row, {})[name] = arrays[key]
        outputs = {row: run(**inputs) for row, inputs in rows.items()}
        np.savez(taken, **{f"{name}/{row}": value for row, named in outputs.items() for name, value in named.items()})


if __name__ == "__main__":
    main(sys.argv[1])
