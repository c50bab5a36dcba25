"""Phones of the rig, and the program that runs models on them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import image
import pytest
import rig

HERE = Path(__file__).resolve().parent

Wrapper = Callable[..., Path]


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[rig.Host, list[rig.Phone]]]:
    """A host with a Pixel 4 and a Pixel 7."""
    if os.geteuid():
        pytest.skip("namespaces of processes, mounts and networks need root")
    if not (shutil.which("adb") and rig.ADBD.exists()):
        pytest.skip("scripts/prepare_adbd.sh has not been run; use make test-device")
    yield from rig.phones(tmp_path_factory.mktemp("rig"), image.PIXEL_4, image.PIXEL_7)


@pytest.fixture
def host(network: tuple[rig.Host, list[rig.Phone]]) -> rig.Host:
    return network[0]


@pytest.fixture
def pixel4(network: tuple[rig.Host, list[rig.Phone]]) -> Iterator[rig.Phone]:
    """Attached, cool and empty, whatever the test before has done to it; and after the test nothing is left on it."""
    yield from attached(network[1][0])


@pytest.fixture
def pixel7(network: tuple[rig.Host, list[rig.Phone]]) -> Iterator[rig.Phone]:
    yield from attached(network[1][1])


def attached(phone: rig.Phone) -> Iterator[rig.Phone]:
    phone.repair()
    yield phone
    phone.repair()
    phone.assert_empty()


@pytest.fixture
def with_app(pixel4: rig.Phone) -> Iterator[rig.Phone]:
    """A phone whose `pm` knows the demo app, and whose `am` starts it (demo_app.py)."""
    yield from app_on(pixel4)


@pytest.fixture
def other_with_app(pixel7: rig.Phone) -> Iterator[rig.Phone]:
    yield from app_on(pixel7)


def app_on(phone: rig.Phone) -> Iterator[rig.Phone]:
    phone.sh(f"""mkdir -p /system/app; echo a package >/system/app/base.apk
printf '#!/bin/sh\\n[ -f /system/app/base.apk ] && echo package:/system/app/base.apk\\n' >/system/bin/pm
printf '#!/bin/sh\\nunset LD_LIBRARY_PATH\\nexec {sys.executable} {HERE}/demo_app.py "$@"\\n' >/system/bin/am
chmod 755 /system/bin/pm /system/bin/am""")
    yield phone
    phone.sh("rm -rf /sdcard /system/app /system/bin/pm /system/bin/am")


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    """``wrapper(before)``: the program for the phone. It appends its arguments to ``calls`` beside itself, which the
    phone shares with this machine, runs the shell commands ``before``, and carries ``padding`` bytes."""
    folder = tmp_path / "program"
    folder.mkdir()

    def make(before: str = "", padding: int = 0) -> Path:
        path = folder / "benchmark_model"
        path.write_text(f'#!/bin/sh\nunset LD_LIBRARY_PATH\necho "$@" >>{folder}/calls\n{before}\n'
                        f'exec {sys.executable} {HERE}/benchmark_model.py "$@"\n')
        with path.open("ab") as stream:
            stream.write(os.urandom(1 << 20) * (padding >> 20))
        return path

    return make


@pytest.fixture
def program(wrapper: Wrapper) -> Path:
    return wrapper()


@pytest.fixture(scope="session")
def model(converted: Callable[[str, str], Path]) -> Path:
    return converted("qa", "int8")
