"""What is known of phones before they are attached: ``devices/*.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from mobilebert_lite.errors import DataError, shorten

# The profile of phones that no other one fits.
GENERIC = "arm64"
# Android's own emulator calls itself sdk_… in many variants.
EMULATOR = "emulator"


@dataclass(frozen=True)
class Cluster:
    """Cores of one kind."""

    # Their numbers in the kernel.
    cpus: tuple[int, ...]
    core: str
    # Highest clock.
    mhz: int


@dataclass(frozen=True)
class Reference:
    """A published latency on this phone."""

    model: str
    length: int
    threads: int
    ms: float
    # Where it is published.
    source: str


@dataclass(frozen=True)
class Profile:
    """One phone, or one kind."""

    # As --device takes it.
    name: str
    title: str
    soc: str
    abi: str
    # Values of ro.product.model and ro.product.device; empty: any phone.
    model: str
    codename: str
    # Bit i: core i is among those that an app runs on when it works hard; None: read it from the phone.
    big_mask: int | None
    clusters: tuple[Cluster, ...] = ()
    references: tuple[Reference, ...] = ()
    emulated: bool = False

    @property
    def big_cpus(self) -> tuple[int, ...]:
        """The cores of ``big_mask``."""
        mask = self.big_mask or 0
        return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


@cache
def profiles() -> dict[str, Profile]:
    """All of them by name, in the order of their files."""
    found: dict[str, Profile] = {}
    folder = resources.files("mobilebert_lite.benchmarks.phone").joinpath("devices")
    for file in sorted(folder.iterdir(), key=lambda file: (len(file.name), file.name)):
        if file.name.endswith(".toml"):
            found |= {profile.name: profile for profile in _read(file.read_text(encoding="utf-8"))}
    return found


def _read(text: str) -> list[Profile]:
    raw = tomllib.loads(text)
    first = Profile(
        "", raw["title"], raw["soc"], raw["abi"], "", "", raw.get("big_mask"),
        tuple(Cluster(tuple(one["cpus"]), one["core"], one["mhz"]) for one in raw.get("clusters", ())),
        tuple(Reference(**one) for one in raw.get("references", ())), raw.get("emulated", False))
    # The published figures are of the phone that the file is named after.
    return [replace(first, name=name, title=said["model"] or first.title, **said,
                    references=first.references if i == 0 else ())
            for i, (name, said) in enumerate(raw["variants"].items())]


def find_profile(name: str) -> Profile:
    """The profile called ``name``; spaces, dashes and capitals do not count. Raises DataError listing the known."""
    wanted = "".join(character for character in name.lower() if character.isalnum())
    if wanted not in profiles():
        raise DataError(f"unknown device {name!r}; known are host, any, {shorten(list(profiles()), 99)}")
    return profiles()[wanted]


def profile_of(model: str, codename: str) -> Profile:
    """The profile of the phone that calls itself ``model`` (ro.product.model) and ``codename`` (ro.product.device)."""
    known = [one for one in profiles().values() if one.codename and codename == one.codename] or [
        one for one in profiles().values() if one.model and model == one.model]
    if not known and model.startswith("sdk_"):
        return profiles()[EMULATOR]
    return known[0] if known else profiles()[GENERIC]
