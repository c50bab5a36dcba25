"""The runtimes of this machine behind one small face. Used in the child process alone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Protocol

import numpy as np

from mobilebert_lite.benchmarks.reports.result import CPU, GPU
from mobilebert_lite.errors import DependencyError, ModelFileError
from mobilebert_lite.running.delegation import delegation_of, nodes_of
from mobilebert_lite.running.runtime import load_runtime

InputArrays = Mapping[str, np.ndarray]
# Signature -> input name -> (NumPy type, shape).
Signatures = dict[str, dict[str, tuple[str, list[int]]]]


class Engine(Protocol):
    """A file in one configuration."""

    # Package and version.
    name: str
    version: str

    def signatures(self) -> Signatures:
        """The entry points; "" where the file names none."""

    def feed(self, signature: str, arrays: InputArrays) -> None:
        """Copy the inputs in."""

    def invoke(self, signature: str) -> float:
        """Seconds of one inference on what was fed last."""

    def delegation(self) -> tuple[int | None, int | None, int | None]:
        """(nodes, delegated nodes, partitions) of the first subgraph; None where unknown."""

    def word_rows(self) -> int | None:
        """Rows of the largest table that is gathered from: how many ids are valid; None where unknown."""


def open_engine(path: str, threads: int, accelerator: str, xnnpack: bool, runtime: str | None) -> Engine:
    """Load ``path``. Raises ModelFileError when the runtime refuses it, DependencyError without the runtime."""
    if accelerator == CPU:
        return InterpreterEngine(path, threads, xnnpack, runtime)
    return CompiledEngine(path, accelerator)


class InterpreterEngine:
    """The TFLite interpreter on CPU, with or without XNNPACK."""

    def __init__(self, path: str, threads: int, xnnpack: bool, runtime: str | None) -> None:
        self.name, module = load_runtime(runtime)
        self.version = version(self.name)
        kinds = module.OpResolverType
        kind = kinds.AUTO if xnnpack else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._interpreter: Any = module.Interpreter(model_path=path, num_threads=threads,
                                                    experimental_op_resolver_type=kind)
        # Before anything else refers to its inside: the runtime checks that.
        self._interpreter.allocate_tensors()
        self._wrapper = self._interpreter._interpreter
        # Signature -> (subgraph, input name -> tensor).
        self._entries: dict[str, tuple[int, dict[str, int]]] = {
            name: (self._wrapper.GetSubgraphIndexFromSignature(name), entry["inputs"])
            for name, entry in self._interpreter._get_full_signature_list().items()}
        if not self._entries:
            self._entries[""] = 0, {one["name"]: one["index"] for one in self._interpreter.get_input_details()}
        self._allocated = {0}

    def signatures(self) -> Signatures:
        """From the tensors' details."""
        return {name: {key: _described(self._interpreter._get_tensor_details(tensor, subgraph))
                       for key, tensor in inputs.items()} for name, (subgraph, inputs) in self._entries.items()}

    def feed(self, signature: str, arrays: InputArrays) -> None:
        """Only the first time it also allocates the signature's tensors."""
        subgraph, inputs = self._entries[signature]
        if subgraph not in self._allocated:
            self._wrapper.AllocateTensors(subgraph)
            self._allocated.add(subgraph)
        for name, array in arrays.items():
            self._wrapper.SetTensor(inputs[name], array, subgraph)

    def invoke(self, signature: str) -> float:
        """Of ``Interpreter::Invoke`` alone, which is also what benchmark_model times."""
        subgraph, invoke = self._entries[signature][0], self._wrapper.Invoke
        started = time.perf_counter()
        invoke(subgraph)
        return time.perf_counter() - started

    def delegation(self) -> tuple[int | None, int | None, int | None]:
        """As ``delegation_of`` counts. tflite-runtime does not list partitions."""
        prepared = nodes_of(self._interpreter)
        found = delegation_of(prepared["nodes"], prepared["outputs"])
        total = len(prepared["nodes"]) - found.partitions
        if self.name != "ai-edge-litert":
            return total, None, None
        return total, total - len(found.outside), found.partitions

    def word_rows(self) -> int | None:
        """Of the tables that GATHER and EMBEDDING_LOOKUP read."""
        places = {"GATHER": 0, "EMBEDDING_LOOKUP": 1}
        rows = [int(shape[0]) for node in self._interpreter._get_ops_details() if node["op_name"] in places
                for shape in [self._shape(int(node["inputs"][places[node["op_name"]]]))] if len(shape) == 2]
        return max(rows, default=None)

    def _shape(self, tensor: int) -> Sequence[int]:
        shape: Sequence[int] = self._interpreter._get_tensor_details(tensor, 0)["shape"]
        return shape


class CompiledEngine:
    """LiteRT's CompiledModel on a GPU or NPU, with the CPU for what that rejects."""

    name = "ai-edge-litert"

    def __init__(self, path: str, accelerator: str) -> None:
        try:
            from ai_edge_litert.compiled_model import CompiledModel
            from ai_edge_litert.hardware_accelerator import HardwareAccelerator
        except ImportError:
            raise DependencyError(f"accelerator {accelerator} needs the package ai-edge-litert 2.0 or later") from None
        self.version = version(self.name)
        kind = HardwareAccelerator.GPU if accelerator == GPU else HardwareAccelerator.NPU
        try:
            self._model: Any = CompiledModel.from_file(path, kind | HardwareAccelerator.CPU)
        except (RuntimeError, ValueError):  # its reason is a line of its own source
            raise ModelFileError(f"the {accelerator} accelerator cannot compile the model; is there a driver for it on "
                                 "this machine?") from None
        # Signature -> (its index, input buffers, output buffers).
        self._buffers: dict[str, tuple[int, list[Any], list[Any]]] = {}

    def signatures(self) -> Signatures:
        """By their keys."""
        return {name: {key: _described(detail) for key, detail in self._model.get_input_tensor_details(name).items()}
                for name in self._model.get_signature_list()}

    def feed(self, signature: str, arrays: InputArrays) -> None:
        """Into the signature's buffers."""
        if signature not in self._buffers:
            index = self._model.get_signature_index(signature)
            self._buffers[signature] = (index, self._model.create_input_buffers(index),
                                        self._model.create_output_buffers(index))
        names = self._model.get_signature_list()[signature]["inputs"]
        for buffer, name in zip(self._buffers[signature][1], names, strict=True):
            buffer.write(arrays[name])

    def invoke(self, signature: str) -> float:
        """Until the first output can be read, for a GPU works on after the call has returned."""
        index, inputs, outputs = self._buffers[signature]
        started = time.perf_counter()
        self._model.run_by_index(index, inputs, outputs)
        outputs[0].read(1, np.float32)
        return time.perf_counter() - started

    def delegation(self) -> tuple[int | None, int | None, int | None]:
        """The runtime tells only whether all of it is accelerated."""
        return None, None, 1 if self._model.is_fully_accelerated() else None

    def word_rows(self) -> int | None:
        """Not told."""
        return None


def _described(detail: Mapping[str, Any]) -> tuple[str, list[int]]:
    return np.dtype(detail["dtype"]).name, [int(size) for size in detail["shape"]]
