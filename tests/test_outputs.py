"""What commands leave behind: outputs that are no files, killed commands, names that would steer a terminal."""

from __future__ import annotations

import ast
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import mbl

from mobilebert_lite.common.files import to_json, write_atomically
from mobilebert_lite.common.temporary import SUFFIX, sweep, temporary
from mobilebert_lite.errors import DataError, OutputError, one_line, printable
from mobilebert_lite.training import states

Converted = Callable[[str, str], Path]
MBL = Path(sys.executable).with_name("mbl")
# Random moments at which each command is killed: MBL_KILLS=100 pytest -m slow tests/test_outputs.py
KILLS = int(os.environ.get("MBL_KILLS", "3"))
HOSTILE = "a\x1b[31m\x07\x9b2J\u202e\u2028\nError: forged\r\x7f"


def test_printable() -> None:
    assert printable("é\t\n") == "é\t\n"
    assert one_line(HOSTILE).isprintable()
    assert printable("\udcff") == "\\udcff"
    text = to_json({"name": HOSTILE + "\udcff"})
    assert text.isprintable()
    assert json.loads(text) == {"name": HOSTILE + "\udcff"}


def test_one_module_prints() -> None:
    """Commands print through cli/output.py, whose lines are made printable."""
    folder = Path(__file__).resolve().parent.parent / "mobilebert_lite" / "cli"
    found = [f"{path.name}:{node.lineno}" for path in sorted(folder.glob("*.py")) if path.name != "output.py"
             for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)
             and ast.unparse(node.func) in ("print", "click.echo", "click.secho", "sys.stdout.write")]
    assert found == []


def test_names_cannot_forge_lines(converted: Converted, tmp_path: Path) -> None:
    path = tmp_path / HOSTILE.replace("/", "")
    path.write_bytes(converted("classification", "none").read_bytes())
    labels = tmp_path / "labels.jsonl"
    labels.write_text(json.dumps({"text": "hi", "label": HOSTILE}) + "\n", encoding="utf-8")
    for arguments in (("inspect", path), ("inspect", path, "--all"), ("inspect", path, "--json"),
                      ("inspect", path, "--client", "litert"), ("inspect", tmp_path / (HOSTILE + "absent")),
                      ("eval", path, "--data", labels), ("convert", "--task", HOSTILE),
                      ("run", path, "--question", "x")):
        done = mbl(*arguments)
        shown = (done.stdout + done.stderr).split("\n")
        assert all(line.isprintable() for line in shown), shown
        assert not any(line.startswith("Error: forged") for line in shown), shown


# In a mount namespace that ends with the process: a mistake must not reach the devices of the system.
_SCRIPT = """mount -t tmpfs tmpfs "$1" && mknod -m 666 "$1/null" c 1 3 && mknod "$1/disk" b 7 250 &&
             cd "$1" && shift && "$@\""""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
@pytest.mark.parametrize("arguments", [
    ("inspect", "MODEL", "--html", "OUT"), ("inspect", "MODEL", "--fix", "OUT", "--labels", "LABELS"),
    ("eval", "MODEL", "--data", "DATA", "--report", "OUT"), ("eval", "MODEL", "--data", "DATA", "--html", "OUT"),
    ("eval", "MODEL", "--data", "DATA", "--predictions", "OUT"),
    ("export", "CHECKPOINT", "--to", "huggingface", "-o", "OUT"),
    ("bench", "MODEL", "--runs", "1", "--report", "OUT"), ("train", "--data", "DATA", "-o", "OUT"),
    ("convert", "--weights", "CHECKPOINT", "--report", "OUT", "-o", "OUT")], ids=" ".join)
@pytest.mark.slow
def test_devices_stay(converted: Converted, tiny_classifier: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Every command that writes: /dev/null takes what it is given, a block device is refused before the work."""
    data, labels = tmp_path / "data.jsonl", tmp_path / "labels.txt"
    data.write_text('{"text": "play it", "label": "music"}\n' * 4, encoding="utf-8")
    labels.write_text("music\nweather\nalarm\nnone\n", encoding="utf-8")
    (tmp_path / "dev").mkdir()
    given = {"MODEL": str(converted("classification", "none")), "DATA": str(data), "LABELS": str(labels),
             "CHECKPOINT": str(tiny_classifier)}
    for name, code in (("null", {0, 1}), ("disk", {1})):
        command = [str(MBL), *(given.get(one, one.replace("OUT", name)) for one in arguments)]
        check = 'x=$("$@" 2>&1); c=$?; echo "$x"; ls -A; test -c null && test -b disk && exit $c; exit 99'
        done = subprocess.run(["unshare", "-m", "sh", "-c", _SCRIPT, "sh", tmp_path / "dev", "sh", "-c", check, "sh",
                               *command], capture_output=True, text=True)
        assert done.returncode in code, done
        assert "Traceback" not in done.stdout
        assert done.stdout.splitlines()[-2:] == ["disk", "null"], done.stdout


def test_standard_output_holds_the_file_alone(converted: Converted, tmp_path: Path) -> None:
    """What the command says goes to standard error; a file that is appended to is appended to."""
    page = tmp_path / "page"
    page.write_bytes(b"before")
    with page.open("ab") as stream:
        subprocess.run([MBL, "inspect", converted("classification", "none"), "--html", "/dev/stdout", "--json"],
                       check=True, stdout=stream, stderr=subprocess.DEVNULL)
    text = page.read_text("utf-8")
    assert text.startswith("before<!")
    assert text.rstrip().endswith("</html>")


def test_what_a_killed_command_left_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / f".model.abcdefgh{SUFFIX}"
    left.mkdir()
    (left / "file").write_bytes(b"half")
    (tmp_path / ".model.abcdefgh.part").write_bytes(b"another program's")
    with temporary(tmp_path, "model") as held:
        assert not left.exists()
        sweep(tmp_path)
        assert held.exists()  # it is at work
    write_atomically(tmp_path / "model", b"x")
    assert sorted(os.listdir(tmp_path)) == [".model.abcdefgh.part", "model"]


def test_one_training_in_a_folder(tmp_path: Path) -> None:
    with states.held(tmp_path), pytest.raises(OutputError, match="another process is training"), states.held(tmp_path):
        pytest.fail("not reached")
    with states.held(tmp_path):
        pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("command", ["export", pytest.param("fix", marks=pytest.mark.slow),
                                     pytest.param("eval", marks=pytest.mark.slow),
                                     pytest.param("bench", marks=pytest.mark.slow),
                                     pytest.param("convert", marks=pytest.mark.slow)])
@pytest.mark.timeout(600 + 60 * KILLS)
def test_killed(converted: Converted, tiny_classifier: Path, tmp_path: Path, command: str, number: int) -> None:
    """At random moments: a whole output or none, and nothing else, in its folder, in TMPDIR, in the process table."""
    out, scratch = tmp_path / "out", tmp_path / "tmp"
    data, labels = tmp_path / "data.jsonl", tmp_path / "labels.txt"
    data.write_text('{"text": "play it", "label": "music"}\n' * 40, encoding="utf-8")
    labels.write_text("music\nweather\nalarm\nnone\n", encoding="utf-8")
    model, target = str(converted("classification", "none")), str(out / "result")
    arguments = {"export": ["export", str(tiny_classifier), "--to", "huggingface", "-o", target],
                 "fix": ["inspect", model, "--labels", str(labels), "--fix", target],
                 "eval": ["eval", model, "--data", str(data), "--report", target],
                 "bench": ["bench", model, "--runs", "5", "--report", target],
                 "convert": ["convert", "--weights", str(tiny_classifier), "--seq-len", "16", "--quantize", "none",
                             "-o", target]}[command]
    rng = random.Random(number)
    span = 1.0
    for _ in range(KILLS):
        for folder in (out, scratch):
            folder.mkdir(exist_ok=True)
        began = time.monotonic()
        process = subprocess.Popen([MBL, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, "TMPDIR": str(scratch), "MBL_TEST": str(tmp_path)})
        try:
            process.wait(rng.uniform(0, span))
            span = time.monotonic() - began
        except subprocess.TimeoutExpired:
            span *= 1.3  # it lasts longer than was thought
        process.send_signal(number)
        process.wait()
        deadline = time.monotonic() + 10
        while alive(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert alive(tmp_path) == []
        assert os.listdir(scratch) == []
        assert [name for name in os.listdir(out) if name != "result" and "partial.jsonl" not in name] == []
        if (out / "result").is_dir():
            assert {"config.json", "model.safetensors", "vocab.txt"} <= set(os.listdir(out / "result"))
            for file in (out / "result").iterdir():
                file.unlink()
            (out / "result").rmdir()


def alive(mark: Path) -> list[int]:
    """Processes that the command with this mark in its environment has started, and itself."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"MBL_TEST={mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("redirected", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "| head -1"])
def test_closed_streams(converted: Converted, redirected: str) -> None:
    done = subprocess.run(["sh", "-c", f'"$0" inspect "$1" {redirected}', MBL, converted("classification", "none")],
                          capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 1


@pytest.mark.parametrize("limit", ["-n 6", "-v 60000", "-v 100000"])
def test_limits(converted: Converted, limit: str) -> None:
    model = converted("classification", "none")
    done = subprocess.run(["sh", "-c", f'ulimit {limit}; exec "$0" inspect "$1"', MBL, model], capture_output=True,
                          text=True, timeout=100)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: too many open files" if "-n" in limit else "Error: out of memory")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "vocab.txt"])
def test_fifos_in_a_checkpoint_are_not_opened(tiny_classifier: Path, tmp_path: Path, name: str) -> None:
    import shutil

    from mobilebert_lite.converters.checkpoints import load_checkpoint
    from mobilebert_lite.errors import CheckpointError

    folder = Path(shutil.copytree(tiny_classifier, tmp_path / "checkpoint"))
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero")):
        (folder / name).unlink()
        make(folder / name)
        with pytest.raises(CheckpointError, match=f"{name} is a device, a FIFO or a socket"):
            load_checkpoint(str(folder), None)


def test_endless_data() -> None:
    from mobilebert_lite.cli.lines import opened

    with pytest.raises(DataError, match="/dev/zero is a device"), opened(Path("/dev/zero")):
        pytest.fail("not reached")
