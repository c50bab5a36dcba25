"""The Hugging Face hub on this machine: its cache as the client lays it out, and a server that answers the client."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

COMMIT = hashlib.sha1(b"a commit").hexdigest()


def files_in(folder: Path) -> dict[str, bytes]:
    """Name -> content of every file below ``folder``."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def offline(home: Path) -> dict[str, str]:
    """The environment of a client whose cache is below ``home`` and that asks nobody."""
    return {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}


def fill_cache(home: Path, name: str, files: Mapping[str, bytes], branch: str = "main") -> Path:
    """``files`` as a download of the repository ``name`` leaves them; returns the snapshot's folder."""
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for file, content in files.items():
        blob = repository / "blobs" / hashlib.sha256(content).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link = snapshot / file
        link.parent.mkdir(parents=True, exist_ok=True)
        depth = len(Path(file).parts) + 1
        link.symlink_to(Path(*[".."] * depth, "blobs", blob.name))
        assert link.read_bytes() == content
    reference = repository / "refs" / branch
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(COMMIT)
    return snapshot


class _Handler(BaseHTTPRequestHandler):
    """What the hub answers about the repository ``name``; anything else is not found."""

    protocol_version = "HTTP/1.1"
    name: ClassVar[str]
    files: ClassVar[Mapping[str, bytes]]
    asked: ClassVar[list[str]]
    fetched: ClassVar[list[str]]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *values: object) -> None:
        """Nothing: tests read what was asked."""

    def _answer(self, body: bool) -> None:
        self.asked.append(self.path)
        path = self.path.split("?")[0]
        api, resolve = f"/api/models/{self.name}", f"/{self.name}/resolve/"
        headers, content = {}, None
        if path == api or path.startswith(f"{api}/revision/"):
            content = json.dumps({"id": self.name, "sha": COMMIT, "siblings": [
                {"rfilename": name} for name in self.files]}).encode()
        elif path.startswith(f"{api}/tree/"):
            content = json.dumps([
                {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                for name, data in self.files.items()]).encode()
        elif path.startswith(resolve):
            name = path.removeprefix(resolve).partition("/")[2]
            content = self.files[name]
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
            if body:
                self.fetched.append(name)
        self.send_response(404 if content is None else 200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if body and content:
            self.wfile.write(content)


class Hub:
    """A running server: the environment of its clients, and what they have asked and fetched."""

    def __init__(self, address: str, handler: type[_Handler], home: Path) -> None:
        self.address, self._handler = address, handler
        self.environment = {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
                            "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "0"}

    @property
    def asked(self) -> list[str]:
        """Paths of all requests about models."""
        return [path for path in self._handler.asked if "/models/" in path or "/resolve/" in path]

    @property
    def fetched(self) -> set[str]:
        """Names of the files that were downloaded."""
        return set(self._handler.fetched)


@contextmanager
def serving(name: str, files: Mapping[str, bytes], home: Path) -> Iterator[Hub]:
    """A hub that has the repository ``name`` alone."""
    handler = type("Handler", (_Handler,), {"name": name, "files": files, "asked": [], "fetched": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Hub(f"http://127.0.0.1:{server.server_port}", handler, home)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
