"""Parquet files, and folders as ``datasets`` saves them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mobilebert_lite.datasets.naming import name_labels
from mobilebert_lite.datasets.options import DataOptions
from mobilebert_lite.datasets.reading import read, read_examples
from mobilebert_lite.errors import DataError, DependencyError
from mobilebert_lite.tasks import find_task
from mobilebert_lite.text.examples import TextExample, TokenExample

ROWS = {"Sentence": ["good, cheap", "bad", "fine"], "label": [1, 0, 1]}
FEATURES = {"Sentence": {"dtype": "string", "_type": "Value"},
            "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}


def saved(folder: Path, columns: dict[str, list[Any]], features: dict[str, Any]) -> Path:
    """A folder as Dataset.save_to_disk makes it, in two files."""
    pyarrow = pytest.importorskip("pyarrow")
    folder.mkdir()
    table = pyarrow.table(columns)
    names = [f"data-0000{i}-of-00002.arrow" for i in range(2)]
    for i, name in enumerate(names):
        with pyarrow.OSFile(str(folder / name), "wb") as sink, pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.slice(2 * i, 2))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def parquet(path: Path, columns: dict[str, list[Any]], features: dict[str, Any] | None = None) -> Path:
    """A file as Dataset.to_parquet writes it, or as pandas does."""
    pyarrow, files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    files.write_table(table, str(path))
    return path


def test_parquet_and_saved_folders(tmp_path: Path) -> None:
    expected = [TextExample(text, None, str(label), str(i + 1))
                for i, (text, label) in enumerate(zip(*ROWS.values(), strict=True))]
    task = find_task("classification")
    for path in (parquet(tmp_path / "a.parquet", ROWS, FEATURES), saved(tmp_path / "b", ROWS, FEATURES)):
        found = read(path, task)
        assert found.examples == expected
        assert found.class_names == ("neg", "pos")
        # By name, whatever the order of the model's classes; by number where it calls them otherwise.
        assert [one.label for one in name_labels(found, task, ("POS", "NEG"))] == ["POS", "NEG", "POS"]
        assert [one.label for one in name_labels(found, task, ("x", "y"))] == ["1", "0", "1"]
    assert read(parquet(tmp_path / "c.parquet", ROWS), task).class_names == ()
    (tmp_path / "hub").mkdir()
    parquet(tmp_path / "hub" / "test-00000-of-00001.parquet", ROWS)
    assert read_examples(tmp_path / "hub", "classification") == expected


def test_words_with_numbers_and_names(tmp_path: Path) -> None:
    features = {"ner_tags": {"feature": {"names": ["O", "B-city"], "_type": "ClassLabel"}, "_type": "Sequence"}}
    path = saved(tmp_path / "a", {"tokens": [["to", "Oslo"], ["no"], ["go"]], "ner_tags": [[0, 1], [0], [0]]}, features)
    task = find_task("token-classification")
    assert name_labels(read(path, task), task, ())[0] == TokenExample(("to", "Oslo"), ("O", "B-city"), "1")


def test_bad_rows_have_numbers(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", {"text": ["a", None, "c", ""], "label": ["x", "y", None, "x"]})
    with pytest.raises(DataError, match=r"a.parquet: 2 bad rows: row 2: text is None.*; row 4: text is ''"):
        read_examples(path, "classification")
    assert len(read_examples(path, "classification", DataOptions(skip_bad_rows=2))) == 2


def test_folders_that_are_no_one_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: a folder, but no data set"):
        read_examples(tmp_path, "classification")
    for name in ("test-0.parquet", "train-0.parquet"):
        (tmp_path / name).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"holds the sets test, train; give one file, such as .*test-0.parquet"):
        read_examples(tmp_path, "classification")
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    with pytest.raises(DataError, match=r"holds the sets train, test; give one of them, such as .*/train"):
        read_examples(tmp_path, "classification")


def test_a_damaged_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1" + 100 * b"x")
    with pytest.raises(DataError, match=r"a.parquet cannot be read: "):
        read_examples(path, "classification")


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DependencyError, match=r"a.parquet needs pyarrow: pip install 'mobilebert-lite\[data\]'"):
        read_examples(path, "classification")


@pytest.mark.parametrize(("columns", "message"), [
    ({"text": ["a" * 1000] * 60_000}, "rows before take more memory"),
    ({"text": ["a" * 60_000_000]}, "packed too well")], ids=["repeated", "long"])
def test_packed_too_well(tmp_path: Path, columns: dict[str, list[Any]], message: str) -> None:
    pyarrow, files = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "data.parquet"
    files.write_table(pyarrow.table(columns), path, compression="zstd", use_dictionary=message.startswith("rows"))
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=message):
        read_examples(path, "classification")
