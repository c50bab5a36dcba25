"""The program for phones: fetched once from a server on this machine, checked ever after."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mobilebert_lite.benchmarks.measuring.runner import RunnerError
from mobilebert_lite.benchmarks.phone import runner_binary
from mobilebert_lite.benchmarks.phone.runner_binary import find_binary

VERSION = importlib.metadata.version("ai-edge-litert")


class Site:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.content, self.status, self.promised = b"\x7fELF" + b"program" * 1000, 200, 0
        self.asked: list[str] = []


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            self.send_response(made.status)
            self.send_header("Content-Length", str(made.promised or len(made.content)))
            self.end_headers()
            self.wfile.write(made.content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("MBL_BENCHMARK_MODEL", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(runner_binary, "ADDRESS", f"http://127.0.0.1:{server.server_port}/{{version}}/{{name}}")
    yield made
    server.shutdown()
    server.server_close()


def test_fetched_once(site: Site) -> None:
    first = find_binary()
    assert site.asked == [f"/{VERSION}/benchmark_model"]
    assert first.path.read_bytes() == site.content
    assert (first.version, first.sha256) == (VERSION, hashlib.sha256(site.content).hexdigest())
    record = json.loads(first.path.with_name("benchmark_model.json").read_bytes())
    assert (record["bytes"], record["sha256"]) == (len(site.content), first.sha256)
    assert find_binary() == first
    assert len(site.asked) == 1


def test_changed_in_the_cache(site: Site) -> None:
    path = find_binary().path
    path.write_bytes(site.content[:-1] + b"!")
    with pytest.raises(RunnerError, match="is not what was fetched"):
        find_binary()
    path.with_name("benchmark_model.json").write_text("{}")
    with pytest.raises(RunnerError, match="damaged"):
        find_binary()


@pytest.mark.parametrize(("what", "value", "message"), [
    ("status", 404, "answers 404"), ("content", b"<html>sign in</html>", "no program"),
    ("promised", 10_000_000, "broke off")])
def test_not_fetched(site: Site, what: str, value: object, message: str) -> None:
    """Nothing stays in the cache."""
    setattr(site, what, value)
    with pytest.raises(RunnerError, match=message):
        find_binary()
    assert [path for path in runner_binary.cache().rglob("*") if path.is_file()] == []


def test_no_network(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_binary, "ADDRESS", "http://127.0.0.1:9/{version}")
    with pytest.raises(RunnerError, match="--runner-binary"):
        find_binary()


def test_given(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    mine.write_bytes(b"mine")
    other.write_bytes(b"other")
    (tmp_path / "libLiteRtGpuAccelerator.so").write_bytes(b"library")
    monkeypatch.setenv("MBL_BENCHMARK_MODEL", str(other))
    assert find_binary().path == other
    binary = find_binary(mine)
    assert (binary.path, binary.version, binary.sha256) == (mine, "", hashlib.sha256(b"mine").hexdigest())
    assert [path.name for path in binary.libraries] == ["libLiteRtGpuAccelerator.so"]
    assert site.asked == []
    with pytest.raises(RunnerError, match="is no file"):
        find_binary(tmp_path)


def test_pinned(site: Site, tmp_path: Path) -> None:
    digest = hashlib.sha256(site.content).hexdigest()
    assert find_binary(pin=digest.upper()).sha256 == digest
    for given in (None, find_binary().path):
        with pytest.raises(RunnerError, match=f"has SHA-256 {digest}, not {'0' * 64} as --runner-sha256 says"):
            find_binary(given, pin="0" * 64)


def test_trusted_on_first_use_is_said(site: Site) -> None:
    told: list[str] = []
    find_binary(tell=told.append)
    find_binary(tell=told.append)
    [line] = told
    assert hashlib.sha256(site.content).hexdigest() in line
    assert "trusted because it is the first" in line


def test_known_official_files(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing else is kept under their names."""
    known, told = tmp_path / "known.json", list[str]()
    monkeypatch.setattr(runner_binary, "KNOWN", known)
    pin = {"bytes": len(site.content), "sha256": hashlib.sha256(site.content).hexdigest()}
    for wrong in ({"bytes": 7}, {"sha256": "0" * 64}):
        known.write_text(json.dumps({f"{VERSION}/benchmark_model": pin | wrong}))
        with pytest.raises(RunnerError, match="another file than the official one"):
            find_binary()
    assert not list(runner_binary.cache().rglob("benchmark_model*"))
    known.write_text(json.dumps({f"{VERSION}/benchmark_model": pin}))
    find_binary(tell=told.append)
    assert told == []


def test_libraries_of_accelerators(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetched with the program for those that were asked for; a version without one has it inside."""
    find_binary(accelerators=["cpu"])
    assert site.asked == [f"/{VERSION}/benchmark_model"]
    binary = find_binary(accelerators=["cpu", "gpu"])
    assert [path.name for path in binary.libraries] == ["libLiteRtClGlAccelerator.so"]
    find_binary(accelerators=["gpu"])
    assert site.asked == [f"/{VERSION}/benchmark_model", f"/{VERSION}/libLiteRtClGlAccelerator.so"]
    binary.libraries[0].unlink()
    site.status = 404
    assert find_binary(accelerators=["gpu"]).libraries == []


def test_without_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_binary, "LARGEST", 1000)
    with pytest.raises(RunnerError, match="sends more than"):
        find_binary()
    assert [path for path in runner_binary.cache().rglob("*") if path.is_file()] == []
