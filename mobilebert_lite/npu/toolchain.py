"""Qualcomm's compiler and simulator, as packages install them. Nothing of either is part of this package.

LiteRT's package has the program that compiles; ``onnxruntime-qnn`` has Qualcomm's libraries, under Qualcomm's licence.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from mobilebert_lite.common.temporary import scratch_folder
from mobilebert_lite.errors import DependencyError

INSTALL = "pip install 'mobilebert-lite[npu]'"
_PROGRAM, _PLUGINS = "tools/apply_plugin_main", "vendors/qualcomm/compiler"
# LiteRT's plugin refuses to start where this library is not found; it uses it for other processors alone.
_UNUSED, _STAND_IN = "libQnnLpai.so", "libQnnSaver.so"


@dataclass(frozen=True)
class Toolchain:
    """Where the parts are."""

    # Folders of the packages ai_edge_litert and onnxruntime_qnn.
    litert: Path
    qnn: Path

    @property
    def program(self) -> Path:
        """LiteRT's program that compiles a file."""
        return self.litert / _PROGRAM

    @property
    def plugins(self) -> Path:
        """The folder of LiteRT's plugin for Qualcomm."""
        return self.litert / _PLUGINS

    @property
    def versions(self) -> str:
        """For provenance."""
        return ", ".join(f"{name} {version(name)}" for name in ("ai-edge-litert", "onnxruntime-qnn"))

    @contextmanager
    def libraries(self) -> Iterator[Path]:
        """A folder with Qualcomm's libraries and what they load, as the plugin expects them, while the block lasts."""
        with scratch_folder() as folder:
            for library in (*self.qnn.glob("lib*.so*"), *self.qnn.with_name("onnxruntime_qnn.libs").glob("*.so*")):
                (folder / library.name).symlink_to(library)
            if not (folder / _UNUSED).exists():
                (folder / _UNUSED).symlink_to(self.qnn / _STAND_IN)
            yield folder


def find() -> Toolchain:
    """What is installed; nothing is imported. Raises DependencyError with the command that installs what is missing."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise DependencyError(f"the compiler and the simulator for NPUs run on Linux on x86-64; this is "
                              f"{sys.platform} on {platform.machine()}")
    missing = [package for module, package in (("ai_edge_litert", "ai-edge-litert"), ("onnxruntime", "onnxruntime"),
                                               ("onnx", "onnx"), ("onnxruntime_qnn", "onnxruntime-qnn"))
               if importlib.util.find_spec(module) is None]
    if missing:
        raise DependencyError(f"compiling for NPUs needs {', '.join(missing)}: {INSTALL}")
    found = Toolchain(_folder("ai_edge_litert"), _folder("onnxruntime_qnn"))
    if not (found.program.exists() and found.plugins.is_dir()):
        raise DependencyError(f"ai-edge-litert {version('ai-edge-litert')} has no compiler for NPUs: {INSTALL}")
    return found


def is_installed() -> bool:
    """Whether ``find`` finds all."""
    try:
        find()
    except DependencyError:
        return False
    return True


def _folder(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
