"""``pytorch_model.bin``: both layouts, every number format, views, what training programs save, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from torch_writer import (
    ORDERED,
    call,
    checkpoint,
    legacy,
    mapping,
    name,
    number,
    parts,
    several,
    state_dict,
    storage,
    tensor,
    text,
    whole,
    zipped,
)

from mobilebert_lite.converters import formats
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface import tensor_files
from mobilebert_lite.errors import CheckpointError

BASE = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.fixture
def folder(tiny_qa: Path, tmp_path: Path) -> Path:
    """The question-answering checkpoint without its weights."""
    copy = Path(shutil.copytree(tiny_qa, tmp_path / "checkpoint"))
    (copy / tensor_files.SAFETENSORS).unlink()
    return copy


@pytest.fixture
def theirs(tiny_qa: Path) -> dict[str, np.ndarray]:
    """The tensors of that checkpoint by transformers' names."""
    return dict(load_file(tiny_qa / tensor_files.SAFETENSORS))


def read(content: bytes, folder: Path, note: tensor_files.Note = tensor_files.silent) -> dict[str, np.ndarray]:
    """What is in a file of these bytes."""
    path = folder / tensor_files.PICKLE
    path.write_bytes(content)
    return tensor_files.read_bin(path, note)


def refused(content: bytes, folder: Path) -> str:
    """Why it is, in one line."""
    with pytest.raises(CheckpointError) as error:
        read(content, folder)
    message = str(error.value).removeprefix(f"{folder / tensor_files.PICKLE} ")
    assert len(message) <= 300
    assert message.isprintable()
    return message


# Whole checkpoints

@pytest.mark.parametrize("layout", ["zip", "legacy"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_checkpoint(folder: Path, theirs: Mapping[str, np.ndarray], tiny_qa: Path, layout: str, dtype: str) -> None:
    (folder / tensor_files.PICKLE).write_bytes(checkpoint(theirs, layout, dtype))
    found = formats.find(folder)
    assert str(found) == "huggingface, pytorch_model.bin"
    expected, actual = huggingface.load(tiny_qa).tensors, found.load().tensors
    assert actual.keys() == expected.keys()
    for key, tensor_ in expected.items():
        rounded = (tensor_.view(np.uint32) >> 16 << 16).view(np.float32) if dtype == "bfloat16" else (
            tensor_.astype(dtype).astype(np.float32))
        assert actual[key].dtype == np.float32
        assert np.array_equal(actual[key], rounded), key


def test_shards(folder: Path, theirs: Mapping[str, np.ndarray], tiny_qa: Path) -> None:
    names = sorted(theirs)
    files = {"pytorch_model-00001-of-00002.bin": names[::2], "pytorch_model-00002-of-00002.bin": names[1::2]}
    for (file, held), layout in zip(files.items(), ("zip", "legacy"), strict=True):
        (folder / file).write_bytes(checkpoint({key: theirs[key] for key in held}, layout))
    weight_map = {key: file for file, held in files.items() for key in held}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    expected, actual = huggingface.load(tiny_qa).tensors, formats.find(folder).load().tensors
    assert actual.keys() == expected.keys()
    assert all(np.array_equal(actual[key], expected[key]) for key in expected)


# Numbers and views

@pytest.mark.parametrize("layout", ["zip", "legacy"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8", "bool"])
def test_whole_numbers(tmp_path: Path, layout: str, dtype: str) -> None:
    """Positions and counts stand beside weights."""
    values = np.array([[0, 1, 1], [2, 100, 0]]).astype(dtype)
    assert np.array_equal(read(checkpoint({"x": values}, layout, dtype), tmp_path)["x"], values)


@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_views_of_one_storage(tmp_path: Path, layout: str) -> None:
    source = storage("0", "float32", 24)
    views = {"whole": ((4, 6), (6, 1), 0), "transposed": ((6, 4), (1, 6), 0), "part": ((2, 4), (6, 1), 8),
             "row": ((6,), (1,), 12), "number": ((), (), 5), "expanded": ((3, 6), (0, 1), 6),
             "none": ((0, 6), (6, 1), 0), "one": ((1, 6), (99999, 1), 18)}
    value = mapping([(text(key), tensor(source, *view)) for key, view in views.items()])
    storages = {"0": BASE.tobytes()}
    tensors = read(zipped(value, storages) if layout == "zip" else legacy(value, storages, {"0": 4}), tmp_path)
    expected = {"whole": BASE, "transposed": BASE.T, "part": BASE[1:3, 2:], "row": BASE[2], "number": BASE[0, 5],
                "expanded": np.stack([BASE[1]] * 3), "none": BASE[:0], "one": BASE[3:]}
    assert tensors.keys() == expected.keys()
    for key, array in expected.items():
        assert tensors[key].shape == array.shape
        assert np.array_equal(tensors[key], array), key


def test_old_part_of_a_storage(tmp_path: Path) -> None:
    """PyTorch of the old layout writes a storage that is a part of another with (key, start, elements)."""
    part = several(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(24),
                   several(text("1"), number(6), number(6))) + b"Q"
    value = mapping([(text("x"), tensor(part, (2,), (1,), 4))])
    content = legacy(value, {"0": BASE.tobytes()}, {"0": 4})
    assert read(content, tmp_path)["x"].tolist() == [10, 11]
    outside = mapping([(text("x"), tensor(part, (2,), (1,), 5))])
    assert "x reaches beyond its storage" in refused(legacy(outside, {"0": BASE.tobytes()}, {"0": 4}), tmp_path)


def test_parameters_and_typed_bytes(tmp_path: Path) -> None:
    """What ``torch.save(dict(model.named_parameters()))`` writes, and tensors of types without storages."""
    pickled, storages = parts({"x": BASE, "y": BASE})
    raw = several(text("storage"), name("torch.storage", "UntypedStorage"), text("9"), text("cpu"), number(48)) + b"Q"
    tagged = call(name("torch._tensor", "_rebuild_from_type_v2"), name("torch._utils", "_rebuild_tensor_v2"),
                  name("torch", "Tensor"), several(storage("0", "float32", 24), number(2), several(number(2)),
                                                   several(number(1)), b"\x89", ORDERED), b"}")
    value = mapping([
        (text("x"), call(name("torch._utils", "_rebuild_parameter"), pickled["x"], b"\x88", ORDERED)),
        (text("y"), call(name("torch._utils", "_rebuild_parameter_with_state"), pickled["y"], b"\x88", ORDERED, b"}")),
        (text("tagged"), tagged),
        (text("typed"), call(name("torch._utils", "_rebuild_tensor_v3"), raw, number(2), several(number(10)),
                             several(number(1)), b"\x89", ORDERED, name("torch", "float32"), b"N"))])
    tensors = read(zipped(value, {**storages, "9": np.arange(12, dtype=np.float32).tobytes()}), tmp_path)
    assert np.array_equal(tensors["x"], BASE)
    assert np.array_equal(tensors["y"], BASE)
    assert tensors["tagged"].tolist() == [2, 3]
    assert tensors["typed"].tolist() == list(range(2, 12))


@pytest.mark.parametrize("protocol", [4, 5])
def test_later_protocols(tmp_path: Path, protocol: int) -> None:
    """FRAME, SHORT_BINUNICODE, MEMOIZE, STACK_GLOBAL."""
    short = {value: b"\x8c" + bytes([len(value)]) + value.encode() + b"\x94"
             for value in ("storage", "torch", "FloatStorage", "torch._utils", "_rebuild_tensor_v2", "0", "cpu", "x")}
    source = several(short["storage"], short["torch"] + short["FloatStorage"] + b"\x93\x94", short["0"], short["cpu"],
                     b"K\x18") + b"\x94Q"
    rebuild = short["torch._utils"] + short["_rebuild_tensor_v2"] + b"\x93\x94"
    value = call(rebuild, source, b"K\0", b"K\x04K\x06\x86", b"K\x06K\x01\x86", b"\x89", b"N")
    body = b"}\x94" + short["x"] + value + b"s."
    pickled = bytes([0x80, protocol, 0x95]) + len(body).to_bytes(8, "little") + body
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("m/data.pkl", pickled)
        archive.writestr("m/data/0", BASE.tobytes())
    assert np.array_equal(read(stream.getvalue(), tmp_path)["x"], BASE)


# What training programs save

@pytest.mark.parametrize("key", ["state_dict", "model", "weights of mine"])
def test_state_dict_one_level_down(tmp_path: Path, key: str) -> None:
    """Beside an optimizer, which has tensors too."""
    pickled, storages = parts({"weight": BASE, "moment": BASE + 1})
    optimizer = mapping([(text("state"), mapping([(number(0), mapping([(text("exp_avg"), pickled["moment"])]))])),
                         (text("param_groups"), b"](" + mapping([(text("lr"), b"G" + bytes(8))]) + b"e")])
    value = mapping([(text("epoch"), number(3)), (text("optimizer"), optimizer),
                     (text(key), state_dict({"weight": pickled["weight"]}))])
    said: list[str] = []
    tensors = read(zipped(value, storages), tmp_path, said.append)
    assert tensors.keys() == {"weight"}
    assert np.array_equal(tensors["weight"], BASE)
    assert said == [f"taking the weights under {key!r} in pytorch_model.bin"]


def test_several_state_dicts(tmp_path: Path) -> None:
    """A well-known name decides; without one nobody can."""
    pickled, storages = parts({"x": BASE, "y": BASE + 1})
    two = {"first": {"weight": pickled["x"]}, "second": {"weight": pickled["y"]}}
    content = {}
    for key, keys in {"known": ("ema", "model"), "unknown": ("a", "b")}.items():
        inside = [(text(one), state_dict(held)) for one, held in zip(keys, two.values(), strict=True)]
        content[key] = zipped(mapping(inside), storages)
    assert np.array_equal(read(content["known"], tmp_path)["weight"], BASE + 1)
    assert "holds several state dicts (a, b)" in refused(content["unknown"], tmp_path)


# What is refused

@pytest.mark.parametrize(("value", "reason"), [
    (whole(b"]"), "holds no state dict"), (whole(b"}"), "holds no tensors"),
    (whole(mapping([(text("x"), number(1))])), "holds no tensors")])
def test_nothing_in_it(tmp_path: Path, value: bytes, reason: str) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("m/data.pkl", value)
    assert reason in refused(stream.getvalue(), tmp_path)


def test_other_files(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pickle"), io.BytesIO())
    assert "is a tar file, as PyTorch wrote before" in refused(stream.getvalue(), tmp_path)
    assert "is a pickle, but not one of torch.save" in refused(whole(number(5)), tmp_path)
    assert "is no file of torch.save" in refused(b"<html>", tmp_path)
    assert "is no file of torch.save" in refused(b"", tmp_path)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "it has no data.pkl" in refused(stream.getvalue(), tmp_path)
    with zipfile.ZipFile(stream, "w") as archive:
        for entry in ("m/data.pkl", "m/constants.pkl"):
            archive.writestr(entry, whole(b"}"))
    assert "is a TorchScript program" in refused(stream.getvalue(), tmp_path)


def test_byte_order(tmp_path: Path) -> None:
    pickled, storages = parts({"x": BASE})
    content = legacy(state_dict(pickled), storages, {"0": 4}, little=False)
    assert "big-endian" in refused(content, tmp_path)
    content = zipped(state_dict(pickled), storages)
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(changed, "w") as copy:
        for entry in archive.namelist():
            copy.writestr(entry, b"big" if entry.endswith("byteorder") else archive.read(entry))
    assert "big-endian" in refused(changed.getvalue(), tmp_path)


def test_compressed(tmp_path: Path) -> None:
    """torch.save does not; what is small unpacks to what is not."""
    pickled, storages = parts({"x": np.zeros((2000, 2000), np.float32)})
    content = zipped(state_dict(pickled), storages, method=zipfile.ZIP_DEFLATED)
    assert len(content) < 100_000
    assert "its entries are larger than the file" in refused(content, tmp_path)
    pickled, storages = parts({"x": np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32)})
    content = zipped(state_dict(pickled), storages, method=zipfile.ZIP_DEFLATED)
    assert "has compressed or encrypted entries" in refused(content, tmp_path)


def test_types_that_are_no_weights(tmp_path: Path) -> None:
    content = checkpoint({"x": np.zeros(3, np.complex64)}, dtype="complex64")
    assert refused(content, tmp_path).startswith("holds x as complex64; weights are float16")
    raw = several(text("storage"), name("torch.storage", "UntypedStorage"), text("0"), text("cpu"), number(3)) + b"Q"
    value = mapping([(text("x"), call(name("torch._utils", "_rebuild_tensor_v3"), raw, number(0), several(number(3)),
                                      several(number(1)), b"\x89", ORDERED, name("torch", "float8_e4m3fn"), b"N"))])
    assert refused(zipped(value, {"0": bytes(3)}), tmp_path).startswith("holds x as float8_e4m3fn; weights are")


@pytest.mark.parametrize(("shape", "strides", "offset"), [
    ((25,), (1,), 0), ((4, 6), (6, 1), 1), ((4, 6), (7, 1), 0), ((1,), (1,), 24), ((2,), (1 << 40,), 0),
    ((), (), 24)])
def test_beyond_the_storage(tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> None:
    value = mapping([(text("x"), tensor(storage("0", "float32", 24), shape, strides, offset))])
    assert refused(zipped(value, {"0": BASE.tobytes()}), tmp_path) == "is damaged: x reaches beyond its storage"


@pytest.mark.parametrize(("shape", "strides", "offset"), [
    ((-1,), (1,), 0), ((4,), (-1,), 3), ((4,), (1,), -1), ((4, 6), (1,), 0), ((1,) * 40, (0,) * 40, 0),
    ((1 << 70,), (0,), 0)])
def test_shapes_that_make_no_sense(tmp_path: Path, shape: tuple[int, ...], strides: tuple[int, ...],
                                   offset: int) -> None:
    value = mapping([(text("x"), tensor(storage("0", "float32", 24), shape, strides, offset))])
    assert refused(zipped(value, {"0": BASE.tobytes()}), tmp_path).startswith("is damaged")


def test_storages_that_lie(tmp_path: Path) -> None:
    value = mapping([(text("x"), tensor(storage("0", "float32", 24), (4, 6), (6, 1)))])
    assert "data/0 in it is missing or too short" in refused(zipped(value, {"0": BASE.tobytes()[:-1]}), tmp_path)
    assert "data/0 in it is missing or too short" in refused(zipped(value, {"1": BASE.tobytes()}), tmp_path)
    content = legacy(value, {"0": BASE.tobytes()}, {"0": 4})
    assert "it ends within storage 0" in refused(content[:-1], tmp_path)
    assert refused(legacy(value, {"0": BASE.tobytes()}, {"0": 8}), tmp_path).startswith("is damaged")
    two = mapping([(text("x"), tensor(storage("0", "float32", 24), (4,), (1,))),
                   (text("y"), tensor(storage("0", "float16", 24), (4,), (1,)))])
    assert refused(zipped(two, {"0": BASE.tobytes()}), tmp_path).startswith("is damaged")


def test_a_damaged_storage_is_noticed(tmp_path: Path) -> None:
    content = bytearray(checkpoint({"x": BASE}))
    content[content.find(BASE.tobytes()) + 5] ^= 1
    assert "Bad CRC-32" in refused(bytes(content), tmp_path)


def test_entries_without_checksums(tmp_path: Path) -> None:
    """PyTorch leaves them out when asked to; zipfile would call that damage."""
    content = bytearray(checkpoint({"x": BASE}))
    for i in range(len(content)):
        if content[i:i + 4] == b"PK\x03\x04":
            content[i + 14:i + 18] = bytes(4)
        if content[i:i + 4] == b"PK\x01\x02":
            content[i + 16:i + 20] = bytes(4)
    assert np.array_equal(read(bytes(content), tmp_path)["x"], BASE)


def test_names_that_could_not_be_shown(tmp_path: Path) -> None:
    """They end up in messages."""
    for bad in ("a\nb", "a\x1b[31m", "x" * 1000):
        (tmp_path / tensor_files.PICKLE).write_bytes(checkpoint({bad: BASE}))
        with pytest.raises(CheckpointError, match="has a tensor of the name") as error:
            tensor_files.read_all(tmp_path)
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 500
