"""`mbl android install` over the real adb and its daemon. The phone's package manager is a line of shell: it says
whether the app is there, and cannot install one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from rig import Host, Phone

pytest_plugins = ["rig_fixtures"]
pytestmark = pytest.mark.device

FOLDER = "/sdcard/Android/data/org.mobilebertlite.demo/files"


def test_model_and_examples_arrive(host: Host, with_app: Phone, model: Path) -> None:
    done = host.mbl("android", "install", str(model), "--serial", with_app.serial, "--examples", "3", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["app"] is None
    assert said["files"] == [f"{FOLDER}/{model.name}", f"{FOLDER}/{model.stem}.examples.json"]
    arrived = with_app.sh(f"sha256sum {FOLDER}/{model.name}").split()[0]
    assert arrived == hashlib.sha256(model.read_bytes()).hexdigest()
    examples = json.loads(with_app.sh(f"cat {FOLDER}/{model.stem}.examples.json"))
    assert examples["task"] == "qa"
    assert len(examples["examples"]) == 3


def test_app_that_is_missing_or_refused(host: Host, pixel4: Phone, model: Path, tmp_path: Path) -> None:
    app = tmp_path / "none.apk"
    done = host.mbl("android", "install", str(model), "--serial", pixel4.serial, "--app", str(app))
    assert done.returncode == 1
    assert f"Error: {app} is not there to be installed; give the app with --app, build it" in done.stderr
    app.write_bytes(b"PK")
    done = host.mbl("android", "install", str(model), "--serial", pixel4.serial, "--app", str(app))
    assert done.returncode == 1
    assert f"Error: {pixel4.serial} does not install {app}: " in done.stderr
    assert pixel4.sh("ls /sdcard 2>/dev/null") == "", "a model was pushed for an app that is not there"


def test_model_is_checked_before_a_phone_is_looked_for(host: Host, model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"TFL3")
    for wrong in ((broken,), (model, "--min-runtime", "2.2")):
        done = host.mbl("android", "install", *map(str, wrong))
        assert done.returncode == 1
        assert str(wrong[0]) in done.stderr
        assert "phone" not in done.stderr


def test_a_phone_is_chosen_by_its_person(host: Host, pixel4: Phone, pixel7: Phone, model: Path) -> None:
    done = host.mbl("android", "install", str(model))
    assert done.returncode == 1
    assert "more than one phone is attached" in done.stderr
    assert pixel4.serial in done.stderr
    assert pixel7.serial in done.stderr


def test_a_model_that_is_pushed_again_takes_the_place_of_the_old_one_at_once(host: Host, with_app: Phone, model: Path,
                                                                            tmp_path: Path) -> None:
    """Whoever has the old file open keeps it: the new one is another file."""
    again = tmp_path / model.name
    again.write_bytes(model.read_bytes())
    inodes = []
    for _ in range(2):
        assert host.mbl("android", "install", str(again), "--serial", with_app.serial).returncode == 0
        inodes.append(with_app.sh(f"ls -i {FOLDER}/{model.name}").split()[0])
        assert "part" not in with_app.sh(f"ls {FOLDER}")
    assert inodes[0] == inodes[1], "the same file was sent again"
    with_app.sh(f"echo other > {FOLDER}/{model.name}")
    before = with_app.sh(f"ls -i {FOLDER}/{model.name}").split()[0]
    assert host.mbl("android", "install", str(again), "--serial", with_app.serial).returncode == 0
    assert with_app.sh(f"ls -i {FOLDER}/{model.name}").split()[0] != before
