"""LiteRT's own profiler, operator by operator, also inside XNNPACK. Used in the child process alone.

The Python package does not offer it, but the library that it brings does: litert/c/litert_profiler.h, litert_model.h,
litert_compiled_model.h, litert_options.h and litert_tensor_buffer.h of google-ai-edge/LiteRT.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.benchmarks.measuring.runner import RunnerError
from mobilebert_lite.errors import DependencyError

_ON_CPU, _TO_WRITE = 1, 1
# Options travel as TOML under a name: litert_runtime_options.cc, litert_cpu_options.cc.
_RUNTIME, _XNNPACK = b"runtime_options_string", b"xnnpack"
# More than sizeof(LiteRtRankedTensorType): a type, a rank and two arrays of eight sizes.
_TENSOR_TYPE_BYTES = 512


def profile(path: str, threads: int, xnnpack: bool, signature: str, arrays: Mapping[str, np.ndarray],
            *, runs: int) -> str:
    """The profiler's summary of ``runs`` inferences after a few others; operators.parse reads it.

    Raises DependencyError where the runtime has no profiler, MblError when one of its calls fails.
    """
    library = _Library()
    environment, model, options, compiled, profiler = (ctypes.c_void_p() for _ in range(5))
    library.call("LiteRtCreateEnvironment", 0, None, ctypes.byref(environment))
    library.call("LiteRtCreateModelFromFile", environment, path.encode(), ctypes.byref(model))
    library.call("LiteRtCreateOptions", ctypes.byref(options))
    library.call("LiteRtSetOptionsHardwareAccelerators", options, _ON_CPU)
    library.add_option(options, _RUNTIME, "enable_profiling = true\n")
    library.add_option(options, _XNNPACK, f"num_threads = {threads}\n"
                                          + ("" if xnnpack else 'kernel_mode = "builtin"\n'))
    library.call("LiteRtCreateCompiledModel", environment, model, options, ctypes.byref(compiled))
    library.call("LiteRtCompiledModelGetProfiler", compiled, ctypes.byref(profiler))
    index, entry = library.find_signature(model, signature)
    inputs = library.buffers(environment, compiled, entry, index, "Input", arrays=arrays)
    outputs = library.buffers(environment, compiled, entry, index, "Output", arrays={})

    def run(times: int) -> None:
        for _ in range(times):
            library.call("LiteRtRunCompiledModel", compiled, _size(index), _size(len(inputs)), inputs,
                         _size(len(outputs)), outputs)

    run(3)
    library.call("LiteRtStartProfiler", profiler)
    run(runs)
    library.call("LiteRtStopProfiler", profiler)
    summary = ctypes.c_char_p()
    library.call("LiteRtGetProfileSummary", profiler, compiled, ctypes.byref(summary))
    return (summary.value or b"").decode("utf-8", "replace")


_size = ctypes.c_size_t


class _Library:
    """libLiteRt: every call is checked. What is created is freed by the end of the process."""

    def __init__(self) -> None:
        package = find_spec("ai_edge_litert")
        place = Path(package.origin).parent if package is not None and package.origin else None
        found = sorted(place.glob("libLiteRt.*")) if place else []
        if not found:
            raise DependencyError("a profile of operators needs the package ai-edge-litert 2.0 or later")
        self._library = ctypes.CDLL(str(found[0]))
        self._c = ctypes.CDLL(None)
        self._c.strdup.restype = ctypes.c_void_p

    def call(self, name: str, *arguments: Any) -> None:
        """Raises MblError unless the answer is kLiteRtStatusOk."""
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise DependencyError(f"this ai-edge-litert has no {name}, which a profile of operators needs") from None
        function.restype = ctypes.c_int
        if status := function(*arguments):
            raise RunnerError(f"no profile of operators: {name} failed with status {status}")

    def add_option(self, options: ctypes.c_void_p, name: bytes, toml: str) -> None:
        """The library frees the text itself, so C's allocator must have made it."""
        opaque, payload = ctypes.c_void_p(), ctypes.c_void_p(self._c.strdup(toml.encode()))
        self.call("LiteRtCreateOpaqueOptions", name, payload, ctypes.cast(self._c.free, ctypes.c_void_p),
                  ctypes.byref(opaque))
        self.call("LiteRtAddOpaqueOptions", options, opaque)

    def find_signature(self, model: ctypes.c_void_p, name: str) -> tuple[int, ctypes.c_void_p]:
        """Its index and handle. Raises MblError."""
        count = _size()
        self.call("LiteRtGetNumModelSignatures", model, ctypes.byref(count))
        for index in range(count.value):
            entry, key = ctypes.c_void_p(), ctypes.c_char_p()
            self.call("LiteRtGetModelSignature", model, _size(index), ctypes.byref(entry))
            self.call("LiteRtGetSignatureKey", entry, ctypes.byref(key))
            if (key.value or b"").decode("utf-8", "replace") == name:
                return index, entry
        raise RunnerError(f"no profile of operators: the library finds no signature {name!r}")

    def buffers(self, environment: ctypes.c_void_p, compiled: ctypes.c_void_p, entry: ctypes.c_void_p, index: int,
                kind: str, *, arrays: Mapping[str, np.ndarray]) -> Any:
        """A buffer for each "Input" or "Output" of a signature, filled where ``arrays`` has its name."""
        count = _size()
        self.call(f"LiteRtGetNumSignature{kind}s", entry, ctypes.byref(count))
        found = (ctypes.c_void_p * count.value)()
        for i in range(count.value):
            tensor, needs, buffer, name = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_char_p()
            kind_of_tensor = ctypes.create_string_buffer(_TENSOR_TYPE_BYTES)
            self.call(f"LiteRtGetSignature{kind}TensorByIndex", entry, _size(i), ctypes.byref(tensor))
            self.call("LiteRtGetRankedTensorType", tensor, kind_of_tensor)
            self.call(f"LiteRtGetCompiledModel{kind}BufferRequirements", compiled, _size(index), _size(i),
                      ctypes.byref(needs))
            self.call("LiteRtCreateManagedTensorBufferFromRequirements", environment, kind_of_tensor, needs,
                      ctypes.byref(buffer))
            self.call(f"LiteRtGetSignature{kind}Name", entry, _size(i), ctypes.byref(name))
            if (array := arrays.get((name.value or b"").decode("utf-8", "replace"))) is not None:
                self._fill(buffer, array)
            found[i] = buffer.value
        return found

    def _fill(self, buffer: ctypes.c_void_p, array: np.ndarray) -> None:
        size, memory = _size(), ctypes.c_void_p()
        self.call("LiteRtGetTensorBufferPackedSize", buffer, ctypes.byref(size))
        if size.value != array.nbytes:
            raise RunnerError(f"no profile of operators: an input has {size.value} bytes, not {array.nbytes}")
        self.call("LiteRtLockTensorBuffer", buffer, ctypes.byref(memory), _TO_WRITE)
        ctypes.memmove(memory, np.ascontiguousarray(array).ctypes.data, array.nbytes)
        self.call("LiteRtUnlockTensorBuffer", buffer)
