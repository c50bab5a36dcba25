"""Files appear whole or not at all."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mobilebert_lite.common.files import check_output, making_folder, replacing, write_atomically
from mobilebert_lite.errors import OutputError


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
    with pytest.raises(OutputError, match="No space left on device"), replacing(output):
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
        with pytest.raises(OutputError, match=f"^cannot write {path}: "):
            write_atomically(path, b"x")
    assert output.read_bytes() == b"before"


# What is no regular file

def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """The file that it names is replaced, also through several links, and made where it is not there yet."""
    (tmp_path / "folder").mkdir()
    file, link, second = tmp_path / "folder" / "file", tmp_path / "link", tmp_path / "second"
    link.symlink_to(Path("folder") / "file")
    second.symlink_to(link)
    for path, content in ((link, b"new"), (second, b"again")):
        check_output(path)
        write_atomically(path, content)
        assert link.is_symlink()
        assert second.is_symlink()
        assert file.read_bytes() == content
        assert sorted(os.listdir(tmp_path)) == ["folder", "link", "second"]
        assert os.listdir(tmp_path / "folder") == ["file"]


def test_a_link_to_itself_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    for write in (check_output, lambda path: write_atomically(path, b"x")):
        with pytest.raises(OutputError, match=r"cannot write .*: Too many levels of symbolic links"):
            write(tmp_path / "link")


def test_a_fifo_is_written_to(tmp_path: Path) -> None:
    path, read = tmp_path / "fifo", []
    os.mkfifo(path)
    check_output(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write_atomically(path, b"content" * 100_000)
    reader.join(30)
    assert read == [b"content" * 100_000]
    assert path.is_fifo()
    assert os.listdir(tmp_path) == ["fifo"]


def test_a_pipe_whose_reader_has_gone_is_one_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(OutputError, match=r"Broken pipe|No such device"):
        write_atomically(Path(f"/proc/self/fd/{write}"), b"x" * 100_000)
    os.close(write)


def test_a_file_without_a_name_is_written_to(tmp_path: Path) -> None:
    """What /dev/stdout may be: an open file that was removed."""
    with (tmp_path / "gone").open("w+b") as stream:
        (tmp_path / "gone").unlink()
        write_atomically(Path(f"/proc/self/fd/{stream.fileno()}"), b"content")
        stream.seek(0)  # it is the same open file, which goes on where it stands
        assert stream.read() == b"content"
    assert os.listdir(tmp_path) == []


def test_sockets_and_folders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the address of a socket is short
        server.bind("socket")
        for path, what in ((tmp_path / "socket", "a socket"), (tmp_path, "a folder")):
            for write in (check_output, lambda path: write_atomically(path, b"x")):
                with pytest.raises(OutputError, match=f"cannot write .*: it is {what}"):
                    write(path)
    assert os.listdir(tmp_path) == ["socket"]


# Devices of its own, in a mount namespace that ends with the process: a mistake must not reach the system's.
_DEVICES = """
import os, stat, sys
from pathlib import Path
from mobilebert_lite.errors import OutputError
from mobilebert_lite.common.files import check_output, write_atomically
null, full, disk = (Path(sys.argv[1], name) for name in ("null", "full", "disk"))
os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
os.mknod(full, 0o666 | stat.S_IFCHR, os.makedev(1, 7))
os.mknod(disk, 0o666 | stat.S_IFBLK, os.makedev(7, 250))
check_output(null)
write_atomically(null, b"x" * 100_000)
for path, reason in ((full, "No space left on device"), (disk, "it is a block device")):
    try:
        write_atomically(path, b"x")
    except OutputError as error:
        assert reason in str(error), error
    else:
        raise AssertionError(path)
assert stat.S_ISCHR(null.stat().st_mode)
assert sorted(os.listdir(null.parent)) == ["disk", "full", "null"]
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_devices_stay_devices(tmp_path: Path) -> None:
    script = 'mount -t tmpfs tmpfs "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", tmp_path, sys.executable, _DEVICES],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
        with pytest.raises(OutputError, match=message), making_folder(path):
            pytest.fail("not reached")


_WRITER = """
import sys
from pathlib import Path
from mobilebert_lite.common.files import write_atomically
path, byte, size = Path(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
sys.stdin.readline()
for _ in range(150):
    write_atomically(path, byte * size)
"""


def test_two_writers_of_one_file(output: Path) -> None:
    """Whoever reads finds one whole file or the other, the last one stays, and nothing lies beside it."""
    wholes = {b"before", b"a" * 300_000, b"b" * 70_000}
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(output), letter, str(size)], text=True,
                                stdin=subprocess.PIPE, stderr=subprocess.PIPE)
               for letter, size in (("a", 300_000), ("b", 70_000))]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen.add(output.read_bytes())
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [("", 0)] * 2
    assert seen <= wholes
    assert output.read_bytes() in wholes - {b"before"}
    assert os.listdir(output.parent) == [output.name]
