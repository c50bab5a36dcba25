"""The process that runs contexts in Qualcomm's simulator: ``python -m mobilebert_lite.npu.simulator``.

ONNX Runtime carries a context to the simulator when it is wrapped as one ``EPContext`` node. What happens here must
not end the process that asks: the libraries print, and crash on damaged contexts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mobilebert_lite.errors import MblError, ModelFileError
from mobilebert_lite.running.isolation import arrays, frames

_DOMAIN, _PROVIDER = "com.microsoft", "QNN"
# Names of tflite/schema_tables -> of onnx.TensorProto.
_KINDS = {"FLOAT32": "FLOAT", "FLOAT16": "FLOAT16", "INT32": "INT32", "INT64": "INT64", "INT16": "INT16",
          "INT8": "INT8", "UINT8": "UINT8", "BOOL": "BOOL"}


class Simulator:
    """Contexts that are loaded."""

    def __init__(self, graphs: Sequence[Mapping[str, Any]], contexts: Sequence[bytes]) -> None:
        """``graphs``: ``name``, ``context`` (a number in ``contexts``), ``inputs`` and ``outputs``, each (name, kind,
        shape). Raises ModelFileError when the simulator refuses one."""
        import onnxruntime
        import onnxruntime_qnn

        onnxruntime.register_execution_provider_library(_PROVIDER, onnxruntime_qnn.get_library_path())
        devices = [one for one in onnxruntime.get_ep_devices() if one.ep_name == _PROVIDER]
        self._sessions = []
        for graph in graphs:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 4
            options.add_provider_for_devices(devices[:1], {"backend_path": onnxruntime_qnn.get_qnn_htp_path()})
            try:
                session = onnxruntime.InferenceSession(_wrapped(graph, contexts[graph["context"]]), options)
            except Exception as error:  # ONNX Runtime's own kinds of errors have no common base
                raise ModelFileError(f"the simulator refuses {graph['name']}: {_first_line(error)}") from None
            if _PROVIDER not in session.get_providers():  # it goes on with the CPU alone
                raise ModelFileError(f"the simulator refuses {graph['name']}, which the compiler made")
            self._sessions.append(session)

    def run(self, number: int, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs of a graph by name. Raises ModelFileError."""
        session = self._sessions[number]
        names = [one.name for one in session.get_outputs()]
        try:
            return dict(zip(names, session.run(names, dict(inputs)), strict=True))
        except Exception as error:
            raise ModelFileError(f"the simulator cannot run the model: {_first_line(error)}") from None


def _wrapped(graph: Mapping[str, Any], context: bytes) -> bytes:
    """An ONNX model of one node, which holds ``context``."""
    from onnx import TensorProto, helper

    inputs, outputs = ([helper.make_tensor_value_info(name, getattr(TensorProto, _KINDS[kind]), shape)
                        for name, kind, shape in graph[side]] for side in ("inputs", "outputs"))
    node = helper.make_node("EPContext", [one.name for one in inputs], [one.name for one in outputs],
                            name=graph["name"], domain=_DOMAIN, main_context=1, embed_mode=1,
                            ep_cache_context=context, source="QNN", partition_name=graph["name"])
    model = helper.make_model(helper.make_graph([node], "simulated", inputs, outputs), ir_version=9,
                              opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(_DOMAIN, 1)])
    content: bytes = model.SerializeToString()
    return content


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def main() -> None:
    """Answer on standard input and output until their other end is closed."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What the libraries print must not come between the messages, and nobody wants to read it.
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    simulator: Simulator | None = None
    while True:
        try:
            asked, blocks = frames.read(requests, frames.LARGEST_REQUEST)
        except EOFError:
            sys.exit(0)
        try:
            if simulator is None:
                simulator = Simulator(asked["graphs"], blocks)
                frames.write(replies, {})
            else:
                found = simulator.run(asked["graph"], arrays.unpack(asked["arrays"], blocks))
                described, packed = arrays.pack(found)
                frames.write(replies, {"arrays": described}, packed)
        except MblError as error:
            frames.write(replies, {"error": str(error), "kind": type(error).__name__})
        except ImportError as error:
            frames.write(replies, {"error": f"the simulator cannot start: {error}", "kind": "DependencyError"})


if __name__ == "__main__":
    main()
