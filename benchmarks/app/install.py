"""The demo app and models for it, onto a phone over adb."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobilebert_lite.android.assets import check_model, own_examples
from mobilebert_lite.benchmarks.app.request import PACKAGE
from mobilebert_lite.benchmarks.phone.adb import ANSWER, Adb, AdbError, CommandError, Phone
from mobilebert_lite.benchmarks.phone.phones import ANY, choose, find, parse_servers
from mobilebert_lite.benchmarks.phone.session import PhoneFolder
from mobilebert_lite.common.temporary import scratch_folder

# Where the app looks for models that were pushed (Context.getExternalFilesDir).
FOLDER = f"/sdcard/Android/data/{PACKAGE}/files"
# Where builds leave the app: Gradle's, and `make android-apk`'s, seen from a checkout.
BUILT = (Path("android_demo/app/build/outputs/apk/debug/app-debug.apk"), Path("out/demo.apk"))
ACTIVITY = f"{PACKAGE}/.screen.MainActivity"
# For the app to start on a slow phone.
_STARTING_S = 10
# Installing compiles; slow phones take a minute.
_INSTALLING = 300.0


@dataclass(frozen=True)
class Installed:
    """What was done."""

    serial: str
    # The package that was installed; None where the app was there.
    app: str | None
    # On the phone.
    files: tuple[str, ...]


def install(paths: Sequence[Path], app: Path | None, count: int, *, serials: Sequence[str] = (),
            servers: Sequence[str] = (), connect: Sequence[str] = (), runtime: str | None = None) -> Installed:
    """Push models with ``count`` examples each, and the app before them where it is missing or ``app`` is given.

    Everything is checked before the phone is touched; ``runtime`` is the app's, as for ``check_model``. Raises
    ModelFileError for a model that the app cannot use, AdbError where there is no phone or it refuses.
    """
    models = [(path, check_model(path, runtime)) for path in paths]
    chosen = choose(find(parse_servers(servers), connect), ANY, serials)
    if len(chosen) > 1:
        labels = "; ".join(one.label for one in chosen)
        raise AdbError(f"more than one phone is attached: {labels}; choose with --serial")
    phone = Phone(Adb(chosen[0].server), chosen[0].attached.serial)
    installed = None if app is None and app_on(phone) else install_app(phone, app)
    _own_folder(phone)
    files = []
    for path, model in models:
        with scratch_folder() as folder:
            beside = folder / path.with_suffix(".examples.json").name
            beside.write_text(json.dumps(own_examples(model, count), ensure_ascii=False), encoding="utf-8")
            for local in (path, beside):
                _put(phone, local, f"{FOLDER}/{local.name}")
                files.append(f"{FOLDER}/{local.name}")
    return Installed(phone.serial, str(installed) if installed else None, tuple(files))


def _own_folder(phone: Phone) -> None:
    """The app's folder, which is the app's to make: on Android 11 and later nobody else may write into one that adb has
    made, not even the app. So the app is started first. Raises AdbError."""
    script = (f"[ -d {FOLDER} ] && exit; am start -n {ACTIVITY} >/dev/null 2>&1 && "
              f"for i in $(seq {_STARTING_S}); do [ -d {FOLDER} ] && exit; sleep 1; done; mkdir -p {FOLDER}")
    phone.shell(script, timeout=ANSWER + _STARTING_S)


def _put(phone: Phone, local: Path, remote: str) -> None:
    """``local`` as ``remote``, all at once: an app that has the old file mapped keeps that. Where adb may not write
    there, the app itself takes it (run-as), as builds for debugging can. Raises AdbError."""
    if phone.holds(local, remote):
        return
    part, name = f"{remote}.part", shlex.quote(remote)
    try:
        phone.push(local, part)
        phone.shell(f"mv {shlex.quote(part)} {name}")
        return
    except AdbError as error:
        refused = error
        if not any(word in str(error).lower() for word in ("permission", "not permitted", "read-only")):
            raise
    staging = PhoneFolder(phone)
    try:
        phone.shell(f"chmod 755 {staging.folder}")
        staged = shlex.quote(staging.put(local, "staged"))
        inside = f"mkdir -p {FOLDER} && cat > {name}"
        phone.shell(f"chmod 644 {staged} && run-as {PACKAGE} sh -c {shlex.quote(inside)} < {staged}", timeout=120)
    except CommandError as error:
        raise AdbError(f"{refused}; and the app itself cannot take it ({error}): start the app on the phone once, and "
                       "try again") from None
    finally:
        staging.close()


def install_app(phone: Phone, app: Path | None) -> Path:
    """Install ``app``, by default the package built last, which is returned. Raises AdbError."""
    built = [path for path in BUILT if path.is_file()]
    chosen = app or max(built, key=lambda path: path.stat().st_mtime, default=None)
    if chosen is None or not chosen.is_file():
        raise AdbError(f"{chosen or PACKAGE} is not there to be installed; give the app with --app, build it "
                       f"(./gradlew :app:assembleDebug in android_demo, or make android-apk), or look into {BUILT[0]}")
    said = phone.adb.run("-s", phone.serial, "install", "-r", str(chosen.resolve()), timeout=_INSTALLING)
    text = said.stdout + said.stderr
    if said.returncode or "Success" not in text:
        reason = next((line.strip() for line in text.splitlines() if "Failure" in line or "rror" in line), text.strip())
        raise AdbError(f"{phone.serial} does not install {chosen}: {reason}; if another build of it is there, remove "
                       f"that first: adb uninstall {PACKAGE}")
    return chosen


def app_on(phone: Phone) -> str:
    """Where the app's package is on the phone; empty where it is not installed. Raises AdbError."""
    try:
        said = phone.shell(f"pm path {shlex.quote(PACKAGE)}").splitlines()
    except CommandError:  # pm says so with its status
        return ""
    return next((line.removeprefix("package:").strip() for line in said if line.startswith("package:")), "")
