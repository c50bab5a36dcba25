"""What `mbl android install` does before and beside adb; over the real adb: tests/device/test_android_install.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mobilebert_lite.benchmarks.app import install
from mobilebert_lite.benchmarks.phone.adb import Adb, Phone

# A phone whose package manager takes everything, whose app makes its folder when it is started, and where nobody else
# may write into it; with the folders of the test in place of the phone's.
PHONE = """printf '%s\\n' "$*" >> {root}/calls
case "$1" in devices) echo 'S device'; exit;; start-server) exit;; esac
shift 2; command=$1; shift
case $command in
  install) echo Success;;
  push) [ -d "$(dirname "{root}$2")" ] && cp "$1" "{root}$2" || {{ echo 'adb: error: no folder' >&2; exit 1; }};;
  shell) PATH={root}/bin:$PATH sh -c "$(printf %s "$*" | sed 's|/sdcard|{root}/sdcard|g')";;
esac"""


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    folder = install.FOLDER
    (tmp_path / "bin").mkdir()
    for name, script in (("adb", PHONE.format(root=tmp_path)), ("am", f"mkdir -p {tmp_path}{folder}")):
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return Phone(Adb(executable=str(tmp_path / "bin" / "adb")), "S")


def test_the_app_makes_its_folder(phone: Phone, tmp_path: Path) -> None:
    install._own_folder(phone)
    assert (tmp_path / install.FOLDER.lstrip("/")).is_dir()
    assert f"am start -n {install.ACTIVITY}" in (tmp_path / "calls").read_text()


def test_the_package_built_last_is_taken(phone: Phone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "one.apk", tmp_path / "other.apk"
    monkeypatch.setattr(install, "BUILT", (one, other, tmp_path / "none.apk"))
    for i, newest in enumerate((one, other, one)):
        newest.touch()
        os.utime(newest, (i, 1_000_000_000 + i))
        assert install.install_app(phone, None) == newest


def test_a_model_arrives_whole(phone: Phone, tmp_path: Path) -> None:
    local = tmp_path / "my model.tflite"
    local.write_bytes(b"model")
    install._own_folder(phone)
    remote = f"{install.FOLDER}/{local.name}"
    # adb's own paths are not the test's.
    assert not phone.holds(local, remote)
    install._put(phone, local, remote)
    there = tmp_path / install.FOLDER.lstrip("/")
    assert [path.name for path in there.iterdir()] == [local.name]
    assert phone.holds(local, remote)
