"""A session in the simulator: what an NPU would answer. Its time means nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilebert_lite.errors import ModelFileError
from mobilebert_lite.npu import cpu, toolchain
from mobilebert_lite.npu.compiled import is_compiled, is_dispatch, left_to_cpu, partition_of
from mobilebert_lite.npu.compiler import compile_content
from mobilebert_lite.npu.socs import Soc, find_soc
from mobilebert_lite.running.isolation import arrays
from mobilebert_lite.running.isolation.helper import Connection, Helper
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tflite.container import read_provenance
from mobilebert_lite.tflite.graph import Entry, Graphs, Operator, Subgraph, Tensor


@dataclass(frozen=True)
class _Step:
    """A part of a signature's graph: on the NPU the graph with this number, else on the CPU in a session."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    graph: int | None = None
    session: Session | None = None


class SimulatedSession(Session):
    """As Session, but the parts of the file that an NPU takes run in its simulator, the others on the CPU."""

    def __init__(self, content: bytes, soc: Soc) -> None:
        """``content``: compiled for ``soc``, or an ordinary file, which is compiled first.

        Raises ModelFileError for a file that was compiled for another processor or that the simulator refuses,
        ConversionError for one that the compiler refuses, DependencyError where neither is installed.
        """
        toolchain.find()
        if is_compiled(content):
            _require_target(content, soc)
        else:
            content = compile_content(content, soc).content
        self.runtime = f"simulated {soc.model}"
        graphs = Graphs.read(content)
        self._entries = {entry.name: entry for entry in graphs.entries}
        self.signatures: dict[str, Any] = {name: {"inputs": list(entry.inputs), "outputs": list(entry.outputs)}
                                           for name, entry in self._entries.items()}
        self._connection = Connection(Helper("mobilebert_lite.npu.simulator"), "the simulator")
        parts = _Parts(content, graphs)
        self._steps = {index: parts.steps(index) for index in sorted({entry.subgraph.index
                                                                      for entry in graphs.entries})}
        self._connection.ask({"graphs": parts.described}, list(parts.contexts.values()))

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name. Raises ModelFileError for an unknown signature or inputs that do not fit it."""
        entry = self._entries.get(signature)
        if entry is None:
            raise ModelFileError(f"the model has no signature {signature!r}; it has {', '.join(self.signatures)}")
        values = _given(entry, inputs)
        for step in self._steps[entry.subgraph.index]:
            values |= self._answers(step, entry.subgraph, values)
        return {name: values[tensor.index] for name, tensor in entry.outputs.items()}

    def _answers(self, step: _Step, subgraph: Subgraph, values: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        if step.session is not None:
            found = step.session.run(cpu.SIGNATURE, {cpu.tensor_name(one): values[one] for one in step.inputs})
            return {one: found[cpu.tensor_name(one)] for one in step.outputs}
        described, blocks = arrays.pack({_name(subgraph.tensors[one]): values[one] for one in step.inputs})
        answer, packed = self._connection.ask({"graph": step.graph, "arrays": described}, blocks)
        given = arrays.unpack(answer["arrays"], packed)
        return {one: given[_name(subgraph.tensors[one])] for one in step.outputs}

    def nodes(self) -> dict[str, Any]:
        """Raises ModelFileError: the simulator does not list them."""
        raise ModelFileError("a simulated NPU does not list its nodes")

    def close(self) -> None:
        """End the simulator."""
        if (kept := self._connection.leave()) is not None:
            kept.kill()

    def __del__(self) -> None:
        # At the very end modules are gone, and so is the process.
        with suppress(Exception):
            self.close()


class _Parts:
    """The parts of a compiled file, those on the NPU numbered over all its graphs."""

    def __init__(self, content: bytes, graphs: Graphs) -> None:
        self._content, self._graphs = content, graphs
        # Place in the file -> context; graphs may share one.
        self.contexts: dict[tuple[int, int], bytes] = {}
        self.described: list[dict[str, Any]] = []

    def steps(self, index: int) -> list[_Step]:
        """Of one subgraph, in the order of execution."""
        subgraph = self._graphs.subgraphs[index]
        stays = {operator.index for where, operator in left_to_cpu(self._graphs) if where == index}
        return [self._on_npu(subgraph, run[0]) if is_dispatch(run[0]) else self._on_cpu(subgraph, run)
                for run in cpu.runs(self._graphs, index, stays)]

    def _on_npu(self, subgraph: Subgraph, operator: Operator) -> _Step:
        found = partition_of(subgraph.raw.operators[operator.index], self._content)
        self.contexts.setdefault((found.offset, found.size), found.context(self._content))
        self.described.append({"name": found.name, "context": list(self.contexts).index((found.offset, found.size)),
                               "inputs": _told(operator.operands), "outputs": _told(operator.outputs)})
        return _Step(_indices(operator.operands), _indices(operator.outputs), graph=len(self.described) - 1)

    def _on_cpu(self, subgraph: Subgraph, operators: Sequence[Operator]) -> _Step:
        content, read, given = cpu.part(self._content, subgraph, operators)
        return _Step(tuple(read), tuple(given), session=Session(content))


def opener(name: str | None) -> Callable[[bytes], Session] | None:
    """What opens a file in the simulator of the processor called ``name``; None for None.

    Raises RequestError for an unknown processor, DependencyError where the simulator is not installed.
    """
    if name is None:
        return None
    soc = find_soc(name)
    toolchain.find()
    return lambda content: SimulatedSession(content, soc)


def _require_target(content: bytes, soc: Soc) -> None:
    made = read_provenance(content).get("npu", {}).get("soc", soc.name)
    if made != soc.name:
        raise ModelFileError(f"the file is compiled for {made}, not for {soc.name}; use --npu {made}")


def _given(entry: Entry, inputs: Mapping[str, np.ndarray]) -> dict[int, np.ndarray]:
    if set(inputs) != set(entry.inputs):
        raise ModelFileError(f"{entry.name} takes {', '.join(entry.inputs)}; it was given {', '.join(inputs)}")
    return {tensor.index: np.asarray(inputs[name]) for name, tensor in entry.inputs.items()}


def _told(tensors: Sequence[Tensor]) -> list[Any]:
    return [[_name(tensor), tensor.kind, list(tensor.shape)] for tensor in tensors]


def _name(tensor: Tensor) -> str:
    return tensor.name or f"tensor{tensor.index}"


def _indices(tensors: Sequence[Tensor]) -> tuple[int, ...]:
    return tuple(tensor.index for tensor in tensors)
