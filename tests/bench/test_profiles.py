"""The phones that are known beforehand."""

from __future__ import annotations

import pytest

from mobilebert_lite.benchmarks.phone.profiles import GENERIC, find_profile, profile_of, profiles
from mobilebert_lite.errors import DataError


def test_every_pixel_is_there() -> None:
    for name in ("pixel3", "pixel3a", "pixel4", "pixel4a", "pixel5", "pixel6", "pixel6a", "pixel7", "pixel8", "pixel9",
                 "pixel10", "pixel6pro", "pixel7pro", "pixel8pro", "pixel9pro", "pixel10pro", "emulator", GENERIC):
        assert name in profiles()


@pytest.mark.parametrize("name", list(profiles()))
def test_facts_fit_together(name: str) -> None:
    """Clusters do not overlap and leave no core out, and the big cores are whole clusters with the fastest one."""
    profile = profiles()[name]
    assert profile.name == name
    assert profile.abi == "arm64-v8a"
    cpus = [cpu for cluster in profile.clusters for cpu in cluster.cpus]
    assert cpus == list(range(len(cpus)))
    if profile.clusters:
        big = set(profile.big_cpus)
        assert [cluster for cluster in profile.clusters if big & set(cluster.cpus)] == [
            cluster for cluster in profile.clusters if big >= set(cluster.cpus)]
        assert big >= set(max(profile.clusters, key=lambda cluster: cluster.mhz).cpus)
        assert 0 < len(big) < len(cpus)
    else:
        assert profile.big_mask is None
    for reference in profile.references:
        assert reference.ms > 0
        assert reference.source


def test_names_are_of_one_phone() -> None:
    codenames = [profile.codename for profile in profiles().values() if profile.codename]
    models = [profile.model for profile in profiles().values() if profile.model]
    assert len(codenames) == len(set(codenames))
    assert len(models) == len(set(models))


def test_published_figures() -> None:
    """The paper's own for Pixel 4; of another phone they say nothing, be it an XL."""
    figures = {(one.model, one.length): one.ms for one in find_profile("Pixel 4").references}
    assert figures[("MobileBERT", 128)] == 62
    assert figures[("MobileBERT-tiny", 128)] == 40
    assert find_profile("pixel4xl").references == ()


def test_names_are_forgiving() -> None:
    assert find_profile("Pixel-6 Pro").codename == "raven"
    assert find_profile("pixel4").big_cpus == (4, 5, 6, 7)
    with pytest.raises(DataError, match=r"unknown device 'nokia3310'; known are host, any, .*pixel10pro"):
        find_profile("nokia3310")


@pytest.mark.parametrize(("model", "codename", "name"), [
    ("Pixel 4", "flame", "pixel4"), ("Pixel 4 XL", "coral", "pixel4xl"), ("a custom name", "shiba", "pixel8"),
    ("Pixel 9 Pro", "", "pixel9pro"), ("SM-G991B", "o1s", GENERIC), ("", "", GENERIC),
    ("sdk_gphone64_arm64", "emu64a", "emulator"), ("sdk_gphone_x86", "generic_x86", "emulator")])
def test_phones_are_recognized(model: str, codename: str, name: str) -> None:
    assert profile_of(model, codename).name == name
