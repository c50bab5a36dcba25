"""Verify the demo's package with the Android tools and by its bytes.

    python scripts/check_apk.py out/demo.apk --json out/apk.json

Its signature and badging, no permissions, libraries for both 64-bit kinds of processors, what is mapped stored at
multiples of 16 KB, the models byte for byte those given with ``--model``, and such as TFLite 2.16.1 can load. Exits 1
at the first that does not hold. That TensorFlow Lite 2.16.1 itself is linked for pages of 4 KB is said, not refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from mobilebert_lite.common.files import write_atomically
from mobilebert_lite.doctor.diagnose import diagnose
from mobilebert_lite.doctor.packages import PAGE, Package

NAME, MIN_SDK, TARGET_SDK = "org.mobilebertlite.demo", 26, 35
# The TFLite whose library is in it.
RUNTIME = "2.16.1"
ABIS = ("arm64-v8a", "x86_64")


def tool(*arguments: object) -> str:
    """What a tool prints; ends the check where it fails."""
    done = subprocess.run([str(one) for one in arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"Error: {' '.join(map(str, arguments))}: {done.stdout.strip()} {done.stderr.strip()}")
    return done.stdout


def expect(holds: bool, what: str) -> None:
    """End the check with what does not hold."""
    if not holds:
        raise SystemExit(f"Error: {what}")


def badging(apk: Path) -> dict[str, Any]:
    """Name, versions and permissions as Android's own tool reads them."""
    text = tool("aapt", "dump", "badging", apk)
    patterns = {"name": r"package: name='([^']+)'", "min": r"\bsdkVersion:'(\d+)'",
                "target": r"targetSdkVersion:'(\d+)'", "label": r"application-label:'([^']+)'",
                "activity": r"launchable-activity: name='([^']+)'", "native": r"native-code: (.*)"}
    found = {name: re.search(pattern, text) for name, pattern in patterns.items()}
    expect(all(found.values()), f"badging lacks {[name for name, value in found.items() if not value]}")
    values: dict[str, Any] = {name: match.group(1) for name, match in found.items() if match}
    values["permissions"] = re.findall(r"uses-permission: name='([^']+)'", text)
    expect(values["name"] == NAME, f"the package is called {values['name']}")
    expect((int(values["min"]), int(values["target"])) == (MIN_SDK, TARGET_SDK),
           f"it is for SDK {values['min']} to {values['target']}")
    expect(not values["permissions"], f"it asks for {values['permissions']}")
    expect(all(f"'{abi}'" in values["native"] for abi in ABIS), f"it has libraries for {values['native']} only")
    return values


def contents(apk: Path, models: list[Path]) -> list[dict[str, Any]]:
    """Every file; what is mapped must be stored at multiples of 16 KB, and models must be those given."""
    with Package(apk) as package, zipfile.ZipFile(apk) as archive:
        for entry in package.entries(r"\.(so|tflite)$"):
            expect(entry.stored, f"{entry.name} is compressed")
            expect(entry.offset % PAGE == 0, f"{entry.name} stands at {entry.offset}, no multiple of {PAGE}")
        names = archive.namelist()
        for name in ("AndroidManifest.xml", "resources.arsc", "classes.dex", "org/mobilebertlite/core/characters.txt",
                     *(f"lib/{abi}/libtensorflowlite_jni.so" for abi in ABIS)):
            expect(name in names, f"{name} is missing")
        for model in models:
            expect(archive.read(f"assets/{model.name}") == model.read_bytes(), f"assets/{model.name} is another")
        dex = archive.read("classes.dex")
        expect(dex[:4] == b"dex\n" and dex[4:7] in (b"035", b"037", b"038"), "classes.dex is of an unknown version")
        for name in (b"Lorg/mobilebertlite/demo/screen/MainActivity;", b"Lorg/mobilebertlite/core/Tokenizer;",
                     b"Lorg/tensorflow/lite/Interpreter;", b"Lkotlin/jvm/internal/Intrinsics;"):
            expect(name in dex, f"classes.dex lacks {name.decode()}")
        for name in (b"LambdaMetafactory", b"StringConcatFactory"):
            expect(name not in dex, f"classes.dex uses {name.decode()}, which Android lacks")
        return [{"name": info.filename, "bytes": info.file_size, "packed": info.compress_size}
                for info in archive.infolist()]


def signer(apk: Path) -> str:
    """SHA-256 of its certificate; its signature is verified."""
    said = tool("apksigner", "verify", "--verbose", "--print-certs", "--min-sdk-version", MIN_SDK, apk)
    expect("Verified using v2 scheme (APK Signature Scheme v2): true" in said, f"no signature of version 2: {said}")
    found = re.search(r"certificate SHA-256 digest: (\w+)", said)
    expect(found is not None, f"apksigner names no certificate: {said}")
    assert found
    return found[1]


def test_package(app: Path, test: Path) -> None:
    """What Android and device farms ask of the package with the instrumentation for farms: another name than the app's,
    the same key, the app as its target, and the class that it names, which is not in the app."""
    expect(signer(test) == signer(app), f"{test} is signed with another key than {app}")
    expect(f"package: name='{NAME}.test'" in tool("aapt", "dump", "badging", test), f"{test} has another name")
    manifest = tool("aapt", "dump", "xmltree", test, "AndroidManifest.xml")
    for name, value in (("targetPackage", NAME), ("name", f"{NAME}.test.FarmInstrumentation")):
        pattern = rf'E: instrumentation(?:(?!E: ).)*android:{name}\(\w+\)="{re.escape(value)}"'
        expect(re.search(pattern, manifest, re.DOTALL) is not None, f"{test}: no instrumentation with {name} {value}")
    with zipfile.ZipFile(test) as package, zipfile.ZipFile(app) as other:
        defined = b"L" + f"{NAME}.test.FarmInstrumentation".replace(".", "/").encode() + b";"
        expect(defined in package.read("classes.dex"), f"{test} lacks its class")
        expect(defined not in other.read("classes.dex"), f"{app} holds the class of {test}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("apk", type=Path)
    parser.add_argument("--test", type=Path, help="the package of tests for device farms")
    parser.add_argument("--model", type=Path, action="append", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    signer(options.apk)
    if options.test is not None:
        test_package(options.apk, options.test)
    tool("zipalign", "-c", PAGE, options.apk)
    about = badging(options.apk)
    files = contents(options.apk, options.model)
    doctor = diagnose(options.apk, ("android", "litert"), RUNTIME)
    others = [one for one in doctor.errors if not (one.check == "page-size" and "LOAD segments" in one.what)]
    expect(not others, f"the doctor: {[(one.where, one.what) for one in others]}")
    linked = sorted({one.where for one in doctor.errors})
    print(f"{options.apk}: {options.apk.stat().st_size / 1e6:.1f} MB, {about['name']}, SDK {about['min']} to "
          f"{about['target']}, no permissions, signed (v2), aligned to 16 KB")
    for one in sorted(files, key=lambda one: -one["packed"])[:12]:
        print(f"  {one['packed']:>10,}  {one['name']}")
    if options.test is not None:
        print(f"{options.test}: {options.test.stat().st_size / 1e3:.0f} kB, the instrumentation for device farms, "
              "signed with the same key")
    if linked:
        print(f"for pages of 4 KB only, as their maker linked them: {', '.join(linked)}")
    if options.json:
        content = {"bytes": options.apk.stat().st_size, "sha256": hashlib.sha256(options.apk.read_bytes()).hexdigest(),
                   "badging": about, "files": files, "linked_for_4_kb": linked}
        write_atomically(options.json, json.dumps(content, indent=1).encode())


if __name__ == "__main__":
    main()
