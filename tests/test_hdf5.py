"""HDF5 without its library: what h5py writes is read alike, what it can write besides is refused, so is damage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pickle_attacks
import pytest
from hostile_weights import survey

from mobilebert_lite.converters.files import hdf5
from mobilebert_lite.converters.huggingface import tensor_files


def write(path: Path, datasets: dict[str, np.ndarray], **options: Any) -> Path:
    """A file of these datasets."""
    with h5py.File(path, "w", **options) as file:
        for name, array in datasets.items():
            file.create_dataset(name, data=array)
    return path


def samples(folder: Path) -> list[bytes]:
    """Whole files to be damaged."""
    folder.mkdir(exist_ok=True)
    datasets = {f"layer.{i}/model/layer.{i}/kernel:0": np.full((7, 5), i, np.float32) for i in range(20)}
    return [write(folder / "many.h5", datasets).read_bytes(),
            write(folder / "few.h5", dict(list(datasets.items())[:2])).read_bytes()]


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8", ">f8", "|i1", "|u1", "<i2", ">i4", "<i8", "<u8"])
def test_number_formats(tmp_path: Path, dtype: str) -> None:
    values = np.array([[1, 0, 3], [100, 7, 2]]).astype(dtype)
    read = hdf5.read(write(tmp_path / "x.h5", {"x": values}))["x"]
    assert read.dtype == np.float32
    assert np.array_equal(read, values)


def test_groups(tmp_path: Path) -> None:
    """More names than one node of a tree holds, groups in groups, empty ones, shapes of every kind, attributes."""
    rng = np.random.default_rng(0)
    datasets = {f"{'deep/' * (i % 5)}a{i}/kernel:0": rng.normal(size=rng.integers(1, 5, i % 4)).astype(np.float32)
                for i in range(700)}
    datasets |= {"scalar": np.float32(5), "none": np.zeros((0, 3), np.float32), "ä": np.ones(2, np.float32)}
    path = write(tmp_path / "x.h5", datasets)
    with h5py.File(path, "a") as file:
        file.create_group("empty")
        file.attrs["layer_names"] = ["layer" * 50] * 200
        file["scalar"].attrs["note"] = "x" * 30_000
        file.create_dataset("compact", data=np.arange(4.0), dcpl=compact())
    read = hdf5.read(path)
    assert read.keys() == {*datasets, "compact"}
    assert read["compact"].tolist() == [0, 1, 2, 3]
    for name, array in datasets.items():
        assert read[name].shape == np.shape(array)
        assert np.array_equal(read[name], array), name


def compact() -> Any:
    """Numbers within the header."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    return properties


def _soft(file: Any) -> None:
    file["y"] = h5py.SoftLink("/x")


def _external_link(file: Any) -> None:
    file["y"] = h5py.ExternalLink("other.h5", "/x")


def _hard(file: Any) -> None:
    file["y"] = file["x"]


def _cycle(file: Any) -> None:
    file.create_group("group")["inside"] = file["/"]


def _compressed(file: Any) -> None:
    file.create_dataset("y", data=np.zeros((1000, 1000)), compression="gzip")


def _chunked(file: Any) -> None:
    file.create_dataset("y", data=np.zeros((10, 10)), chunks=(5, 5))


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("y", layout)


def _external(file: Any) -> None:
    file.create_dataset("y", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def _text(file: Any) -> None:
    file["y"] = "text"


def _pairs(file: Any) -> None:
    file["y"] = np.zeros(3, [("a", "f4"), ("b", "f4")])


def _complex(file: Any) -> None:
    file["y"] = np.zeros(3, np.complex64)


def _never_written(file: Any) -> None:
    file.create_dataset("y", (1 << 20, 1 << 20), "f4")


def _named_type(file: Any) -> None:
    file["type"] = np.dtype("f4")
    file.create_dataset("y", (3,), file["type"], data=np.zeros(3))


def _ordered(file: Any) -> None:
    file.create_group("y", track_order=True)["z"] = np.zeros(3)


@pytest.mark.parametrize(("change", "reason"), [
    (_soft, "that transformers does not write"), (_external_link, "that transformers does not write"),
    (_hard, "at two places"), (_cycle, "at two places"), (_compressed, "that transformers does not write"),
    (_chunked, "that transformers does not write"), (_virtual, "that transformers does not write"),
    (_external, "that transformers does not write"), (_text, "holds 'y', which are no numbers"),
    (_pairs, "holds 'y', which are no numbers"), (_complex, "holds 'y', which are no numbers"),
    (_never_written, "larger than the file"), (_named_type, "(that transformers does not write|neither a group)"),
    (_ordered, "that transformers does not write")])
def test_what_else_there_is(tmp_path: Path, change: Callable[[Any], None], reason: str) -> None:
    path = write(tmp_path / "x.h5", {"x": np.ones(4, np.float32)})
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(hdf5.Hdf5Error, match=reason) as error:
        hdf5.read(path)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(("content", "reason"), [
    (b"", "is no HDF5 file"), (b"\x89HDF\r\n\x1a\n", "leads outside"), (b"<html>", "is no HDF5 file")])
def test_other_files(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "x.h5").write_bytes(content)
    with pytest.raises(hdf5.Hdf5Error, match=reason):
        hdf5.read(tmp_path / "x.h5")


def test_newer_layout(tmp_path: Path) -> None:
    with pytest.raises(hdf5.Hdf5Error, match="that transformers does not write"):
        hdf5.read(write(tmp_path / "x.h5", {"x": np.ones(4, np.float32)}, libver="latest"))


def test_cut_off(tmp_path: Path) -> None:
    """As a download that stopped."""
    content = samples(tmp_path)[0]
    (tmp_path / "x.h5").write_bytes(content[:-1])
    with pytest.raises(hdf5.Hdf5Error, match="it ends early"):
        hdf5.read(tmp_path / "x.h5")


def test_damaged_files(tmp_path: Path) -> None:
    outcomes = survey(tmp_path / tensor_files.HDF5, range(300), pickle_attacks.mutate, samples(tmp_path / "whole"))
    assert outcomes.count("") < 250  # HDF5 of this layout has no sums
    assert len(set(outcomes)) > 5
