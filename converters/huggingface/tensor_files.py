"""Files of tensors in a Hugging Face folder: one reader for each kind, and which of them a folder holds.

Every reader gives the tensors under the names that the file has for them, as float32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.architecture.config import read_json
from mobilebert_lite.common.files import refuse_pointer
from mobilebert_lite.converters.files import hdf5, torch_files
from mobilebert_lite.converters.files.pickles import PickleError, shown
from mobilebert_lite.converters.huggingface import quantized, variants
from mobilebert_lite.converters.huggingface.cleaning import Note, silent
from mobilebert_lite.converters.huggingface.variants import HDF5, PICKLE, SAFETENSORS
from mobilebert_lite.errors import CheckpointError, DependencyError


@dataclass(frozen=True)
class Kind:
    """A kind of file, under the name that transformers gives it."""

    name: str
    read: Callable[[Path, Note], Mapping[str, np.ndarray]]


def find(folder: Path) -> Path | None:
    """The file that says which tensors are in ``folder``, a whole one or an index.

    Raises CheckpointError for several variants (``variants.choose``).
    """
    name = variants.choose((one.name for one in folder.iterdir() if one.is_file()), str(folder))
    return None if name is None else folder / name


def read_all(place: Path, note: Note = silent) -> tuple[dict[str, np.ndarray], list[Path]]:
    """All tensors at ``place``, a folder or the file that ``find`` gives, and the files they came from.

    ``note`` is told what one must know of them. Raises CheckpointError where there are none, or a file cannot be read.
    """
    found = place if place.is_file() else find(place)
    if found is None:
        raise CheckpointError(f"no weights in {place}: expected {', '.join(kind.name for kind in KINDS)}, "
                              "or shards of one of them with their index")
    kind = next(kind for kind in KINDS if kind.name == variants.kind_of(found.name))
    files = _shards(found.parent, found) if variants.is_index(found.name) else [found]
    tensors: dict[str, np.ndarray] = {}
    for file in files:
        tensors.update(_read(kind, file, note))
    return tensors, files


def read_file(path: Path, note: Note = silent) -> dict[str, np.ndarray]:
    """All tensors of a file whose kind its suffix says."""
    return _read(next(kind for kind in KINDS if Path(kind.name).suffix == path.suffix), path, note)


def _read(kind: Kind, file: Path, note: Note) -> dict[str, np.ndarray]:
    """Raises CheckpointError for Git LFS pointers and quantized weights before anything else."""
    refuse_pointer(file)
    if kind.name == SAFETENSORS:
        quantized.refuse_dtypes(file)
    tensors = dict(kind.read(file, note))
    quantized.refuse_names(tensors, file)
    return tensors


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
