"""Parquet files, and folders that ``datasets`` saved, by means of pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebert_lite.common.budget import Budget
from mobilebert_lite.common.fields import read_list, read_string
from mobilebert_lite.common.json_text import parse
from mobilebert_lite.datasets.rows import DataRow
from mobilebert_lite.errors import DataError, DependencyError

# Rows that become Python objects at once.
_BATCH = 1000
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class ArrowTable:
    """Rows in Arrow's files, and what they say of their columns."""

    names: tuple[str, ...]
    rows: Iterator[DataRow]
    # Column -> names of its classes, where they are numbers.
    classes: Mapping[str, tuple[str, ...]]


def is_arrow(path: Path) -> bool:
    """Whether ``path`` is a folder, or a Parquet file."""
    if path.is_dir():
        return True
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_PARQUET)) == _PARQUET
    except OSError:
        return False


def read_arrow(path: Path) -> ArrowTable:
    """``path`` as a table. Raises DataError for what cannot be read, DependencyError without pyarrow."""
    files = _files(path) if path.is_dir() else [path]
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise DependencyError(f"{path} needs pyarrow: pip install 'mobilebert-lite[data]'") from None
    except ImportError as error:
        raise DependencyError(f"{path} needs pyarrow, which does not work here: {error}") from None
    try:
        schema = _opened(files[0]).schema
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{files[0]} cannot be read: {' '.join(str(error).split())}") from None
    return ArrowTable(tuple(schema.names), _rows(path, files), _classes(path, schema))


def _files(folder: Path) -> list[Path]:
    """The data files in ``folder``, in their order. Raises DataError where it holds none, or several sets."""
    state, place = _json(folder / "state.json"), f"{folder / 'state.json'}: _data_files"
    if state.get("_data_files"):
        listed = [folder / read_string(one, "filename", place) for one in read_list(state, "_data_files", place)]
        if outside := [one for one in listed if not one.resolve().is_relative_to(folder.resolve())]:
            raise DataError(f"{place} leads out of its folder, to {outside[0]}")
        return listed
    splits = _json(folder / "dataset_dict.json").get("splits")
    if isinstance(splits, list) and splits and all(isinstance(one, str) for one in splits):
        raise DataError(f"{folder} holds the sets {', '.join(splits)}; give one of them, such as {folder / splits[0]}")
    found = sorted(folder.glob("*.parquet"))
    sets = sorted({one.name.split("-")[0] for one in found})
    if len(sets) > 1:
        raise DataError(f"{folder} holds the sets {', '.join(sets)}; give one file, such as {found[0]}")
    if not found:
        raise DataError(f"{folder} cannot be read: a folder, but no data set that `datasets` saved (save_to_disk), and "
                        "no Parquet files in it; give a file")
    return found


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = parse(path.read_bytes(), str(path))
    except (OSError, DataError):
        return {}
    return value if isinstance(value, dict) else {}


class _Opened:
    """A file with its schema and its batches, whatever its kind."""

    def __init__(self, schema: Any, batches: Iterator[Any]) -> None:
        self.schema, self.batches = schema, batches


def _opened(file: Path) -> _Opened:
    import pyarrow
    import pyarrow.parquet

    if is_arrow(file):
        parquet = pyarrow.parquet.ParquetFile(str(file))
        groups = (parquet.metadata.row_group(number) for number in range(parquet.metadata.num_row_groups))
        # A column is unpacked by its pages, of which one may hold a single text.
        largest = max((one.total_byte_size for one in groups), default=0)
        Budget(file.stat().st_size, DataError).keep(largest, 1, str(file))
        return _Opened(parquet.schema_arrow, parquet.iter_batches(_BATCH))
    # Mapped: what is read of it takes no memory of its own.
    reader = pyarrow.ipc.open_stream(pyarrow.memory_map(str(file)))
    return _Opened(reader.schema, map(_valid, reader))


def _valid(batch: Any) -> Any:
    """``batch``, whose offsets Arrow believes, wherever they lead. Raises ArrowInvalid for a damaged one."""
    batch.validate(full=True)
    return batch


def _rows(path: Path, files: list[Path]) -> Iterator[DataRow]:
    import pyarrow

    number = 0
    try:
        for file in files:
            for batch in _opened(file).batches:
                for start in range(0, batch.num_rows, _BATCH):
                    for values in batch.slice(start, _BATCH).to_pylist():
                        number += 1
                        yield DataRow(f"{path}, row {number}", str(number), values)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read after row {number}: {' '.join(str(error).split())}") from None


def _classes(path: Path, schema: Any) -> dict[str, tuple[str, ...]]:
    """Column -> names of classes, from the features that ``datasets`` writes into files and beside them."""
    said = _json(path / "dataset_info.json").get("features") if path.is_dir() else None
    if not said:
        try:
            said = parse((schema.metadata or {}).get(b"huggingface", b"{}"), "its features")["info"]["features"]
        except (DataError, KeyError, TypeError):
            said = {}
    found = {name: _names(feature) for name, feature in said.items()} if isinstance(said, dict) else {}
    return {name: names for name, names in found.items() if names}


def _names(feature: Any) -> tuple[str, ...]:
    if isinstance(feature, list) and feature:
        return _names(feature[0])
    if not isinstance(feature, dict):
        return ()
    if feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        return tuple(map(str, names)) if isinstance(names, list) else ()
    return _names(feature.get("feature"))
