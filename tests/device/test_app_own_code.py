"""`mbl bench --runner app` with the app's own instrumentation: behind the phone's `am` stands a JVM with the app's
classes, Robolectric's framework and a real TFLite of 2021. `make test-app` builds what this needs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from rig import ROOT, Host, Phone

pytest_plugins = ["rig_fixtures"]
BUILT = ROOT / "android_demo" / "app" / "target"
CASES = ROOT / "out" / "cases"
pytestmark = [pytest.mark.device, pytest.mark.skipif("MBL_TEST_APP" not in os.environ, reason="use make test-app")]


@pytest.fixture
def own_code(with_app: Phone, tmp_path: Path) -> Phone:
    """A phone whose app is the Kotlin one."""
    instrumented = next((Path.home() / ".m2/repository/org/robolectric/android-all-instrumented").iterdir())
    classes = f"{BUILT}/test-classes:{BUILT}/classes:{(BUILT / 'test-classpath').read_text().strip()}"
    program = tmp_path / "demo_app"
    opens = " ".join(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "io"))
    program.write_text(
        f"#!/bin/sh\ncd {tmp_path}\nexport HOME={os.environ['HOME']} MBL_CASES={CASES}\n"
        f"exec {shutil.which('java')} -Xmx1500m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC {opens} "
        f"-Drobolectric.offline=true -Drobolectric.dependency.dir={instrumented} -cp {classes} "
        "org.junit.runner.JUnitCore org.mobilebertlite.demo.AmInstrument\n")
    program.chmod(0o755)
    with_app.sh(f"sed -i 's#^exec#export RIG_APP={program}\\nexec#' /system/bin/am")
    return with_app


def test_the_whole(host: Host, own_code: Phone, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = host.mbl("bench", str(CASES / "models" / "qa-old.tflite"), "--runner", "app", "--device", "pixel4", "--runs",
                    "40", "--seconds", "0", "--warmup", "10", "--threads", "2", "--report", str(report), timeout=400)
    assert done.returncode == 0, done.stderr
    assert "Pixel 4 EMULATED" in done.stdout
    [run] = json.loads(report.read_bytes())["runs"]
    assert (run["runtime"]["name"], run["runtime"]["version"]) == ("TFLite in the app", "2.6.2")
    assert run["complete"] is True
    assert len(run["samples"]["duration_us"]) == 40
    assert len(set(run["samples"]["tokens"])) > 2
    assert run["loading"]["load_us"] > 1
    assert run["memory"]["peak_bytes"] > 50e6
    # Kotlin's tokenizer, windows and decoding over TFLite 2.6, beside Python's over LiteRT.
    assert run["answers"]["compared"] == run["answers"]["same"] > 10
    assert run["answers"]["largest_difference"] < 1e-3


def test_a_model_that_it_cannot_run(host: Host, own_code: Phone, converted: object) -> None:
    """Its operators are newer than the app's runtime, which says so itself."""
    assert callable(converted)
    done = host.mbl("bench", str(converted("qa", "dynamic")), "--runner", "app", "--device", "pixel4", "--runs", "5",
                    timeout=200)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "the app (TFLite 2.6.2) says: " in line
