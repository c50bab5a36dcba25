"""Run models between the marks of arm_counter.c: ``arm_child.py JOBS MAPS``.

JOBS is a JSON list of [model, signature, inputs.npz]; an empty signature is the file's only subgraph. MAPS takes
where the libraries lie in memory. It needs NumPy and ai-edge-litert alone: it runs under another Python, on emulated
processors.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

BEGIN, END = 990001, 990002


def main(jobs: str, maps: str) -> None:
    close = ctypes.CDLL(None).close
    gc.disable()
    for model, signature, given in json.loads(jobs):
        interpreter = Interpreter(model_path=model, num_threads=1)
        places = interpreter._get_full_signature_list()[signature]["inputs"] if signature else {
            one["name"]: one["index"] for one in interpreter.get_input_details()}
        interpreter.allocate_tensors()
        with np.load(given) as arrays:
            for name, place in places.items():
                interpreter.set_tensor(place, arrays[name])
        close(BEGIN)
        interpreter.invoke()
        close(END)
        del interpreter
    with open("/proc/self/maps") as found, open(maps, "w") as copy:
        copy.write(found.read())


if __name__ == "__main__":
    main(*sys.argv[1:])
