"""The demo is built by Gradle for users and by Maven for its tests: what stands in both must be the same."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

import mobilebert_lite

DEMO = Path(__file__).parents[2] / "android_demo"
MAVEN = {"m": "http://maven.apache.org/POM/4.0.0"}
# Name in the version catalog -> property of pom.xml.
SAME = {"kotlin": "kotlin.version", "serialization": "serialization.version", "junit": "junit.version",
        "tensorflow-lite-desktop": "tensorflow-lite.version", "javacpp": "javacpp.version",
        "tflite-engine": "tflite-engine.version", "tflite-native": "tflite-native.version"}


def only(pattern: str, path: str) -> str:
    """The one thing that ``pattern`` finds in a file of the demo."""
    found = re.findall(pattern, (DEMO / path).read_text())
    assert len(set(found)) == 1, f"{path}: {pattern} finds {found}"
    return str(found[0])


@pytest.mark.parametrize("name", SAME)
def test_libraries_have_the_same_versions(name: str) -> None:
    catalog = tomllib.loads((DEMO / "gradle/libs.versions.toml").read_text())["versions"]
    pom = ElementTree.parse(DEMO / "pom.xml")
    assert catalog[name] == pom.findtext(f"m:properties/m:{SAME[name]}", namespaces=MAVEN)


def test_app_has_the_version_of_the_package() -> None:
    pom = ElementTree.parse(DEMO / "pom.xml")
    assert only(r'versionName = "(.*)"', "app/build.gradle.kts") == mobilebert_lite.__version__
    assert pom.findtext("m:version", namespaces=MAVEN) == mobilebert_lite.__version__


def test_sdks() -> None:
    assert only(r"minSdk = (\d+)", "app/build.gradle.kts") == only(r"--min-sdk-version (\d+)", "maven/resources.sh")
    target = only(r"(?:compile|target)Sdk = (\d+)", "app/build.gradle.kts")
    assert target == only(r"--target-sdk-version (\d+)", "maven/resources.sh")


def test_one_gradle() -> None:
    assert only(r'gradleVersion = "(.*)"', "build.gradle.kts") == only(r"gradle-([\d.]+)-bin.zip",
                                                                       "gradle/wrapper/gradle-wrapper.properties")
    assert only(r'Sum = "(\w+)"', "build.gradle.kts") == only(r"Sum=(\w+)", "gradle/wrapper/gradle-wrapper.properties")
