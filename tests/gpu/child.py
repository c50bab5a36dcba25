"""Run a model on the LiteRT GPU accelerator: ``child.py MODEL INPUTS OUTPUTS``, INPUTS and OUTPUTS pickled.

A process of its own, because the accelerator reports on file descriptor 2 and may crash.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator


def main(model: str, inputs: str, outputs: str) -> None:
    compiled = CompiledModel.from_file(model, HardwareAccelerator.GPU | HardwareAccelerator.CPU)
    rows = {signature: [run(compiled, signature, one) for one in given]
            for signature, given in pickle.loads(Path(inputs).read_bytes()).items()}
    Path(outputs).write_bytes(pickle.dumps((compiled.is_fully_accelerated(), rows)))


def run(compiled: CompiledModel, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = compiled.get_signature_list()[signature]
    given = {name: compiled.create_input_buffer_by_name(signature, name) for name in names["inputs"]}
    taken = {name: compiled.create_output_buffer_by_name(signature, name) for name in names["outputs"]}
    for name, buffer in given.items():
        buffer.write(inputs[name])
    compiled.run_by_name(signature, given, taken)
    shapes = {name: detail["shape"] for name, detail in compiled.get_output_tensor_details(signature).items()}
    return {name: buffer.read(int(np.prod(shapes[name])), np.float32).reshape(shapes[name]).copy()
            for name, buffer in taken.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
