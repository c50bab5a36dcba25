"""The graphs of a file as text, one line for each operator: for people, and for tests that compare graphs.

Neither weights nor scales are in it, and none of the names that TensorFlow makes up::

    qa_48
      ids int32[1,48], mask int32[1,48], segment_ids int32[1,48]
       12 FULLY_CONNECTED    %11, layers.0.output.kernel int8/64[64,16], const float32[64] -> float32[1,48,64]
      start_logits %85, end_logits %83

``%11`` is what operator 11 computes; small constants of integers are written out; ``int8/64`` has 64 scales.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mobilebert_lite.tflite.graph import Entry, Graphs, Operator, Subgraph, Tensor

# More integers than that are no shape.
_MOST = 8


def dump(graphs: Graphs) -> str:
    """Every signature of a file."""
    return "".join(f"{line}\n" for entry in graphs.entries for line in _lines(entry))


def _lines(entry: Entry) -> Iterator[str]:
    names = _names(entry)
    yield entry.name
    yield "  " + ", ".join(f"{name} {_format(tensor)}" for name, tensor in entry.inputs.items())
    for operator in entry.subgraph.operators:
        read = ", ".join("-" if tensor is None else names.get(tensor.index) or _constant(tensor)
                         for tensor in operator.inputs)
        written = ", ".join(map(_format, operator.outputs))
        yield f"  {operator.index:3} {operator.name:18} {read} -> {written}{_activation(operator)}"
    yield "  " + ", ".join(f"{name} {names[tensor.index]}" for name, tensor in entry.outputs.items())


def _names(entry: Entry) -> Mapping[int, str]:
    """Index of each tensor that is an input or computed → what lines call it."""
    return {tensor.index: name for name, tensor in entry.inputs.items()} | _computed(entry.subgraph)


def _computed(subgraph: Subgraph) -> dict[int, str]:
    return {tensor.index: f"%{operator.index}" + (f".{number}" if number else "")
            for operator in subgraph.operators for number, tensor in enumerate(operator.outputs)}


def _constant(tensor: Tensor) -> str:
    values = tensor.values() if tensor.kind in ("INT32", "INT64") and not len(tensor.scales) else None
    if values is not None and values.size <= _MOST:
        return f"({' '.join(map(str, values.ravel().tolist()))})"
    name = tensor.name if ".kernel" in tensor.name else "const"
    return f"{name} {_format(tensor)}"


def _format(tensor: Tensor) -> str:
    scales = f"/{len(tensor.scales)}" if len(tensor.scales) else ""
    return f"{tensor.kind.lower()}{scales}[{','.join(map(str, tensor.shape))}]"


def _activation(operator: Operator) -> str:
    fused = getattr(operator.options, "fusedActivationFunction", 0)
    return {0: "", 1: " relu", 3: " relu6"}.get(fused, f" activation {fused}")
