"""Outputs of a bare runtime: ``runtimes.py MODEL API SIGNATURE INPUTS OUTPUTS``, with nothing of mobilebert-lite.

INPUTS and OUTPUTS are ``.npz``: one array per tensor, its first axis the examples.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module

import numpy as np

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], Arrays]


def interpreter(module: str) -> Callable[[str, str], Run]:
    """An ``Interpreter`` of the module, called by signature."""
    def load(model: str, signature: str) -> Run:
        # One thread: two of the old runtime wait for each other in loops, for minutes on a busy machine.
        client = import_module(module).Interpreter(model_path=model, num_threads=1)
        runner = client.get_signature_runner(signature)
        return lambda inputs: runner(**inputs)

    return load


def compiled_model(model: str, signature: str) -> Run:
    from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator

    client = CompiledModel.from_file(model, HardwareAccelerator.CPU)
    names = client.get_signature_list()[signature]
    given = {name: client.create_input_buffer_by_name(signature, name) for name in names["inputs"]}
    taken = {name: client.create_output_buffer_by_name(signature, name) for name in names["outputs"]}
    shapes = {name: detail["shape"] for name, detail in client.get_output_tensor_details(signature).items()}

    def run(inputs: Arrays) -> Arrays:
        for name, buffer in given.items():
            buffer.write(inputs[name])
        client.run_by_name(signature, given, taken)
        return {name: buffer.read(int(np.prod(shapes[name])), np.float32).reshape(shapes[name]).copy()
                for name, buffer in taken.items()}

    return run


APIS = {"ai-edge-litert Interpreter": interpreter("ai_edge_litert.interpreter"),
        "ai-edge-litert CompiledModel": compiled_model,
        "tflite-runtime": interpreter("tflite_runtime.interpreter")}


def main(model: str, api: str, signature: str, inputs: str, outputs: str) -> None:
    run = APIS[api](model, signature)
    with np.load(inputs) as arrays:
        given = dict(arrays)
    rows = [run({name: array[i] for name, array in given.items()}) for i in range(len(next(iter(given.values()))))]
    np.savez(outputs, **{name: np.stack([row[name] for row in rows]) for name in rows[0]})


if __name__ == "__main__":
    main(*sys.argv[1:])
