"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mobilebert_lite.errors import ConversionError
from mobilebert_lite.files import making_folder, replacing, write_atomically


@pytest.fixture
def unwritable(tmp_path: Path) -> Path:
    """A folder in which nobody can make files, root included."""
    if os.geteuid() == 0:
        return Path("/proc")
    folder = tmp_path / "unwritable"
    folder.mkdir(mode=0o500)
    return folder


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A file with content."""
    path = tmp_path / "model.tflite"
    path.write_bytes(b"before")
    return path


def test_success(output: Path) -> None:
    with replacing(output) as temporary:
        assert temporary.parent == output.parent  # or the last step would copy between file systems
        temporary.write_bytes(b"after")
        assert output.read_bytes() == b"before"
    assert output.read_bytes() == b"after"
    assert os.listdir(output.parent) == [output.name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("existed", [True, False])
def test_a_failure_leaves_everything_as_it_was(output: Path, existed: bool, error: type[BaseException]) -> None:
    if not existed:
        output.unlink()
    with pytest.raises(error), replacing(output) as temporary:  # noqa: PT012
        temporary.write_bytes(b"half of")
        raise error
    assert os.listdir(output.parent) == ([output.name] if existed else [])
    assert not existed or output.read_bytes() == b"before"


def test_a_full_disk_is_one_error(output: Path) -> None:
    """/dev/full behaves as a full disk does: the write itself fails."""
    with pytest.raises(ConversionError, match="No space left on device"), replacing(output):
        Path("/dev/full").write_bytes(b"x")
    assert os.listdir(output.parent) == [output.name]
    assert output.read_bytes() == b"before"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_permissions_of_a_new_file(tmp_path: Path, umask: int, mode: int) -> None:
    previous = os.umask(umask)
    try:
        write_atomically(tmp_path / "new", b"x")
        assert os.umask(umask) == umask  # and the umask is as it was
    finally:
        os.umask(previous)
    assert (tmp_path / "new").stat().st_mode & 0o777 == mode


def test_folders_that_cannot_be_written(unwritable: Path, output: Path) -> None:
    for path in (unwritable / "x", output.parent / "absent" / "x", output / "x"):
        with pytest.raises(ConversionError, match=f"^cannot write {path}: "):
            write_atomically(path, b"x")
    assert output.read_bytes() == b"before"


# Folders

def test_folder(tmp_path: Path) -> None:
    """It appears with its files; an empty one that is there already is taken."""
    for path in (tmp_path / "new", tmp_path / "empty"):
        with making_folder(path) as temporary:
            (temporary / "file").write_bytes(b"after")
            assert not (path / "file").exists()
            (tmp_path / "empty").mkdir(exist_ok=True)
        assert (path / "file").read_bytes() == b"after"
        umask = os.umask(0)
        os.umask(umask)
        assert path.stat().st_mode & 0o777 == 0o777 & ~umask
    assert sorted(os.listdir(tmp_path)) == ["empty", "new"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_no_folder(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), making_folder(tmp_path / "new") as temporary:  # noqa: PT012
        (temporary / "file").write_bytes(b"half")
        raise error
    assert os.listdir(tmp_path) == []


def test_folder_that_cannot_be_made(unwritable: Path, output: Path) -> None:
    for path, message in ((unwritable / "new", "cannot write"), (output, "is there already"),
                          (output.parent, "is there already")):
        with pytest.raises(ConversionError, match=message), making_folder(path):
            pytest.fail("not reached")
