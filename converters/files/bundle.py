"""TensorFlow's checkpoint files: ``PREFIX.index`` and ``PREFIX.data-00000-of-00001``, read without building a graph.

Both generations use them. TF1 stores variables by name; ``tf.train.Checkpoint`` by their path through the objects of
the program, together with a description of those objects that knows the variables' names as well.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mobilebert_lite.common.files import refuse_pointer, sha256_of
from mobilebert_lite.converters.files import bundle_index
from mobilebert_lite.errors import CheckpointError, DependencyError, OutputError

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
INDEX = ".index"
_SHARD = re.compile(r"(?P<prefix>.+)\.data-(?P<number>\d{5})-of-(?P<count>\d{5})\Z")
# The files of one checkpoint: TF1 writes the graph beside it, which is not read.
_PART = re.compile(r"(?P<prefix>.+)\.(index|meta|data-\d{5}-of-\d{5})\Z")
_LATEST = re.compile(r'^model_checkpoint_path:\s*"(?P<path>[^"\n]+)"', re.MULTILINE)


class Bundle:
    """The tensors of one checkpoint, by the names it stores them under."""

    def __init__(self, prefix: Path) -> None:
        """Open ``PREFIX.index``. Raises CheckpointError when it, or a shard, is missing or damaged."""
        self.prefix = prefix
        index, shards = _index(prefix), _shards(prefix)
        self.files = [index, *shards]
        for file in self.files:
            refuse_pointer(file)
        tf = _tensorflow()
        # Whatever the native reader finds becomes one of these.
        self._errors = (tf.errors.OpError, ValueError, RuntimeError, IndexError, KeyError)
        try:
            bundle_index.check(index, shards)
            self._reader = tf.train.load_checkpoint(str(prefix))
            kinds = self._reader.get_variable_to_dtype_map()
            shapes = self._reader.get_variable_to_shape_map()
        except self._errors as error:
            raise self._damaged(error) from None
        # Strings are file names and descriptions; weights are numbers.
        self.names = sorted(name for name, kind in kinds.items() if kind != tf.string)
        if unreal := [name for name in self.names if kinds[name].is_complex]:
            raise CheckpointError(f"{prefix} holds {unreal[0]} as {kinds[unreal[0]].name}, complex numbers, which no "
                                  "MobileBERT has; it is another model's, or was saved by mistake")
        self.shapes = {name: tuple(map(int, shapes[name])) for name in self.names}
        self.is_object_based = OBJECT_GRAPH in kinds

    def read(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """These tensors as float32. Raises CheckpointError when the data are damaged."""
        try:
            return {name: np.asarray(self._reader.get_tensor(name)).astype(np.float32) for name in names}
        except self._errors as error:
            raise self._damaged(error) from None

    def full_names(self) -> dict[str, str]:
        """Name in the checkpoint → name of the variable in the program that wrote it; empty for TF1."""
        return {attribute.checkpoint_key: attribute.full_name for node in self._objects()
                for attribute in node.attributes if attribute.full_name}

    def siblings(self, key: str) -> set[str]:
        """What the objects that hold the variable ``key`` of the checkpoint call their parts; empty for TF1."""
        nodes = self._objects()
        holding = {number for number, node in enumerate(nodes)
                   if any(attribute.checkpoint_key == key for attribute in node.attributes)}
        return {child.local_name for node in nodes if holding & {one.node_id for one in node.children}
                for child in node.children}

    def _objects(self) -> Any:
        if not self.is_object_based:
            return ()
        from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

        try:
            return TrackableObjectGraph.FromString(self._reader.get_tensor(OBJECT_GRAPH)).nodes
        except Exception as error:  # the kind belongs to the installed protobuf
            raise self._damaged(error) from None

    def sha256(self) -> str:
        """Of the index and all shards, in hexadecimal."""
        return sha256_of(self.files)

    def _damaged(self, error: Exception) -> CheckpointError:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return CheckpointError(f"{self.prefix}{INDEX} and its data are no readable TensorFlow checkpoint ({reason}); "
                               "copy them again")


def write(prefix: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """A TF1 checkpoint at ``prefix`` with these variables, and the file ``checkpoint`` that names it.

    Raises OutputError when it cannot be written.
    """
    tf = _tensorflow()
    names = sorted(tensors)
    try:
        tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names),
                          tensors=[np.ascontiguousarray(tensors[name]) for name in names])
    except tf.errors.OpError as error:
        raise OutputError(f"cannot write {prefix}: {error.message.splitlines()[0]}") from None
    (prefix.parent / "checkpoint").write_text(f'model_checkpoint_path: "{prefix.name}"\n', encoding="utf-8")


def prefixes(folder: Path) -> list[Path]:
    """Prefixes of all checkpoints in ``folder``, those included that lack their index or their data."""
    found = {path.with_suffix("") for path in folder.glob(f"*{INDEX}")}
    found |= {folder / match["prefix"] for path in folder.glob("*.data-*") if (match := _SHARD.match(path.name))}
    return sorted(found)


def prefix_of(path: Path) -> Path | None:
    """The prefix of the checkpoint that ``path`` is a part of by its name, or is the prefix of; None for others."""
    if match := _PART.match(path.name):
        return path.with_name(match["prefix"])
    return path if path in prefixes(path.parent) else None


def latest(folder: Path) -> Path | None:
    """The checkpoint that the text file ``checkpoint`` names as the latest, in ``folder`` itself; None without one.

    The file may hold the path of the machine that wrote it. Raises CheckpointError when that checkpoint is not there.
    """
    path = folder / "checkpoint"
    if not path.is_file():
        return None
    match = _LATEST.search(path.read_text("utf-8", "replace"))
    if match is None:
        raise CheckpointError(f"{path} names no model_checkpoint_path; remove it, or give the checkpoint's prefix")
    prefix = folder / re.split(r"[/\\]", match["path"])[-1]
    if prefix not in prefixes(folder):
        raise CheckpointError(f"{path} names {prefix.name} as the latest checkpoint, but it is not in the folder; "
                              "give the prefix of one that is")
    return prefix


def _index(prefix: Path) -> Path:
    path = Path(f"{prefix}{INDEX}")
    if path.is_file():
        return path
    data = ", ".join(sorted(one.name for one in prefix.parent.glob(f"{prefix.name}.data-*")))
    without = f", without which {data} cannot be read" if data else ""
    raise CheckpointError(f"{prefix.parent} lacks {path.name}{without}")


def _shards(prefix: Path) -> list[Path]:
    """The data files. Raises CheckpointError naming those that are missing."""
    there = [path for path in prefix.parent.glob(f"{prefix.name}.data-*") if _SHARD.match(path.name)]
    if not there:
        raise CheckpointError(f"{prefix.parent} lacks {prefix.name}.data-00000-of-00001 (or more parts) "
                              f"that belongs to {prefix.name}{INDEX}")
    count = there[0].name.rsplit("-", 1)[1]
    wanted = [Path(f"{prefix}.data-{number:05d}-of-{count}") for number in range(int(count))]
    missing = [path.name for path in wanted if path not in there]
    if missing:
        raise CheckpointError(f"{prefix.parent} lacks the shards {', '.join(missing)}")
    return wanted


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # must stand before TensorFlow's own import
    try:
        import tensorflow as tf
    except ImportError as error:
        raise DependencyError(f"reading and writing TensorFlow checkpoints needs TensorFlow ({error}): "
                              "pip install 'mobilebert-lite[convert]'") from None
    return tf
