"""Files of tensors in a Hugging Face folder: one reader for each kind, and which of them a folder holds.

Every reader gives the tensors under the names that the file has for them, as float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.config import read_json
from mobilebert_lite.converters import hdf5, torch_files
from mobilebert_lite.converters.pickles import PickleError, shown
from mobilebert_lite.errors import CheckpointError, DependencyError

SAFETENSORS, PICKLE, HDF5 = "model.safetensors", "pytorch_model.bin", "tf_model.h5"


# What the user is told on the way.
Note = Callable[[str], None]


def silent(message: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Kind:
    """A kind of file, under the name that transformers gives it."""

    name: str
    read: Callable[[Path, Note], Mapping[str, np.ndarray]]

    @property
    def index(self) -> str:
        """The file that maps tensors to shards, where there are several."""
        return f"{self.name}.index.json"


def find(folder: Path) -> Path | None:
    """The file that says which tensors are in ``folder``; transformers prefers them in this order."""
    names = [name for kind in KINDS for name in (kind.name, kind.index)]
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_all(folder: Path, note: Note = silent) -> tuple[dict[str, np.ndarray], list[Path]]:
    """All tensors in ``folder`` and the files they came from; ``note`` is told what one must know of them.

    Raises CheckpointError where there are none, or a file cannot be read.
    """
    found = find(folder)
    if found is None:
        raise CheckpointError(f"no weights in {folder}: expected {', '.join(kind.name for kind in KINDS)}, "
                              "or shards of one of them with their index")
    kind = next(kind for kind in KINDS if found.name in (kind.name, kind.index))
    files = [found] if found.name == kind.name else _shards(folder, found)
    tensors: dict[str, np.ndarray] = {}
    for file in files:
        tensors.update(kind.read(file, note))
    return tensors, files


def _shards(folder: Path, index: Path) -> list[Path]:
    weight_map: Any = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise CheckpointError(f"{index} has no weight_map from tensor to file")
    names = sorted(set(weight_map.values()))
    escaping = [name for name in names if Path(name).name != name or name in ("", "..")]
    if escaping:
        raise CheckpointError(f"{index} names a file outside the folder: {escaping[0]}")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise CheckpointError(f"{folder} lacks the shards {', '.join(missing)} that {index.name} names")
    return [folder / name for name in names]


def read_safetensors(path: Path, note: Note = silent) -> dict[str, np.ndarray]:
    """Every tensor of a safetensors file as float32. Raises CheckpointError when it is damaged."""
    try:
        import ml_dtypes  # noqa: F401  teaches NumPy bfloat16
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise DependencyError(f"reading safetensors needs {error.name}: "
                              "pip install 'mobilebert-lite[convert]'") from None
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: np.asarray(file.get_tensor(name)).astype(np.float32) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file ({error}); download it again") from None
    return _shown(path, tensors)


def read_bin(path: Path, note: Note = silent) -> dict[str, np.ndarray]:
    """Every tensor of a file of torch.save as float32; nothing in it is run, and PyTorch is not needed.

    ``note`` is told where they are, if not at the top: training programs keep them one level down. Raises
    CheckpointError when the file is damaged, or holds what tensors do not need.
    """
    try:
        tensors, place = torch_files.read(path)
    except (PickleError, OSError) as error:
        raise CheckpointError(f"{path} {error}") from None
    if place:
        note(f"taking the weights under {place!r} in {path.name}")
    return _shown(path, tensors)


def read_h5(path: Path, note: Note = silent) -> dict[str, np.ndarray]:
    """Every tensor of a file of transformers' TensorFlow classes as float32.

    Raises CheckpointError when it is damaged.
    """
    try:
        return _shown(path, hdf5.read(path))
    except (hdf5.Hdf5Error, OSError) as error:
        raise CheckpointError(f"{path} {error}") from None


# Of a tensor, in characters.
_LONGEST_NAME = 200


def _shown(path: Path, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """``tensors``, whose names end up in messages. Raises CheckpointError for one that could not be shown."""
    for name in tensors:
        if len(name) > _LONGEST_NAME or shown(name) != name:
            raise CheckpointError(f"{path} has a tensor of the name {shown(name)!r}, which no weights have")
    return tensors


# In the order in which transformers looks for them.
KINDS = (Kind(SAFETENSORS, read_safetensors), Kind(PICKLE, read_bin), Kind(HDF5, read_h5))
