"""Pages for the browser: what they show, and that files cannot make them show or do anything else."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import examples
from documents import Document, assert_harmless
from hostile import IMAGE, SCRIPT, write_hostile
from hypothesis import example, given
from hypothesis import strategies as st

from mobilebert_lite.cli.inspect import command as inspect_command
from mobilebert_lite.errors import OutputError
from mobilebert_lite.fusion import channel_ranges
from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.pages import charts, page, svg
from mobilebert_lite.pages import inspect_page as pages
from mobilebert_lite.pages.inspect_page import inspect_page

Converted = Callable[[str, str], Path]


@pytest.mark.parametrize(("task", "mode"), [("qa", "int8"), ("classification", "fp16")])
def test_page_of_a_file(converted: Converted, task: str, mode: str) -> None:
    found = inspect(converted(task, mode)).to_json()
    text = inspect_page(found)
    document = assert_harmless(text)
    identifiers = {attributes["id"] for _, attributes in document.elements if "id" in attributes}
    assert {"size", "signatures", "operators", "ranges", "tensors", "provenance", "graph"} <= identifiers
    assert ("float16" in identifiers) == (mode == "fp16")
    rows = [attributes for tag, attributes in document.elements if tag == "tr" and "data-role" in attributes]
    assert len(rows) == len(found["tensors"])
    assert [row["data-dtype"] for row in rows] == [tensor["dtype"] for tensor in found["tensors"]]
    for operator in found["operators"]:
        assert operator["name"] in document.text
    for part in found["parts"]:
        assert f"{part['bytes']:,}" in document.text
    # What --json prints is all there is to show.
    assert inspect_page(json.loads(json.dumps(found))) == text


def test_page_of_a_diagnosis(converted: Converted, tmp_path: Path) -> None:
    """With --client, the page says what --json says of each client."""
    path, page = converted("qa", "int8"), tmp_path / "page.html"
    done = CliRunner().invoke(inspect_command, [str(path), "--client", "all", "--json", "--html", str(page)])
    told = json.loads(done.stdout)
    assert told["fits"]["task-library"] is False  # 384 is the only length it takes
    document = assert_harmless(page.read_text())
    assert {"clients", "size"} <= {attributes["id"] for _, attributes in document.elements if "id" in attributes}
    assert any(one["severity"] == "error" for one in told["findings"])
    for one in told["findings"]:
        assert one["what"] in document.text
        assert one["mend"] in document.text
    errors = [one for one in told["findings"] if one["severity"] == "error"]
    assert sum(attributes.get("class") == "error" for _, attributes in document.elements) == len(errors)


def test_page_of_a_hostile_file(converted: Converted, tmp_path: Path) -> None:
    """Its names are shown as they are, as text."""
    path = write_hostile(converted("classification", "int8"), tmp_path / "hostile.tflite")
    document = assert_harmless(inspect_page(inspect(path).to_json()))
    assert document.text.count(SCRIPT) > 100
    assert document.text.count(IMAGE) > 100
    assert not [tag for tag, _ in document.elements if tag in ("img",)]
    assert {tag for tag, attributes in document.elements if "onload" in attributes} == set()


VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner,
                                                                                  max_size=3), max_leaves=6)
KEYS = ("task", "recipe", "min_runtime_version", "float16", "verification", "verified_against", "fusion",
        "channel_ranges")


@examples(40)
@example({"verification": {"qa_8": {"agreement": 1.0, "texts": 3, "error": 0.1}}})
@given(st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_page_of_any_provenance(small_found: dict[str, Any], provenance: dict[str, Any]) -> None:
    """A part that is not as we write it is left out."""
    assert_harmless(inspect_page({**small_found, "provenance": provenance}))


NUMBERS = st.floats() | st.integers() | st.sampled_from([0.0, -1.0, 1e308, 5e-324])


@examples(40)
@example([[1e308, 1e308, 1.7e308]], 1.0, 1.0)
@example([[5e-324, 5e-324, 5e-324]], 1e308, 5e-324)
@given(st.lists(st.lists(NUMBERS, min_size=3, max_size=3), max_size=3), NUMBERS, NUMBERS)
def test_page_of_any_numbers(small_found: dict[str, Any], rows: list[list[float]], one: float, other: float) -> None:
    record = {"rule": "equalize", "texts": 1, "length": 8, "padding": False,
              "parts": {"keys": {"before": rows, "after": rows[::-1]}}}
    room = {"largest": one, "largest_in": "x", "bits_above": other, "smallest_typical": other, "smallest_in": "y",
            "bits_below": one}
    text = inspect_page({**small_found, "provenance": {"channel_ranges": record, "float16": room}})
    for tag, attributes in assert_harmless(text).elements:
        if tag in ("rect", "line", "polyline", "polygon", "text"):
            assert not re.search("nan|inf", " ".join(attributes.values()).replace("infinite", "")), attributes


@pytest.fixture(scope="module")
def small_found(converted: Converted) -> dict[str, Any]:
    """An inspection with three tensors, which is quick to draw."""
    found = inspect(converted("classification", "int8")).to_json()
    return {**found, "tensors": found["tensors"][:3]}


def test_command(converted: Converted, tmp_path: Path) -> None:
    path, output = converted("classification", "int8"), tmp_path / "page.html"
    done = CliRunner().invoke(inspect_command, [str(path), "--html", str(output)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert output.read_text(encoding="utf-8") == inspect_page(inspect(path).to_json())
    both = CliRunner().invoke(inspect_command, [str(path), "--html", str(output), "--json"])
    assert json.loads(both.stdout)["tensors"] == json.loads(json.dumps(inspect(path).to_json()))["tensors"]
    failed = CliRunner().invoke(inspect_command, [str(path), "--html", str(tmp_path / "absent" / "page.html")])
    assert isinstance(failed.exception, OutputError)
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]


def test_link_to_model_explorer(converted: Converted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed; a file's name is one word of the shell's and one value of the address."""
    path = tmp_path / "it's; \"ours\".tflite"
    path.write_bytes(converted("classification", "int8").read_bytes())
    found = {**inspect(path).to_json(), "tensors": []}
    shown = assert_harmless(inspect_page(found)).text
    assert "pip install ai-edge-model-explorer" in shown
    [command] = re.findall(r"^\s*(model-explorer .*)$", shown, re.MULTILINE)
    assert shlex.split(command) == ["model-explorer", str(path)]
    monkeypatch.setattr(pages, "model_explorer_installed", lambda: True)
    document = Document(inspect_page(found))
    [link] = [attributes["href"] for tag, attributes in document.elements if "http" in attributes.get("href", "")]
    address = urlsplit(link)
    assert (address.scheme, address.netloc) == ("http", "localhost:8080")
    assert json.loads(parse_qs(address.query)["data"][0]) == {"models": [{"url": str(path)}]}


def test_ranges_are_in_the_file_and_told(converted: Converted) -> None:
    path = converted("qa", "int8")
    found = inspect(path).provenance["channel_ranges"]
    assert (found["rule"], found["length"], found["padding"]) == ("equalize", 48, False)
    assert set(found["parts"]) == set(channel_ranges.PARTS)
    assert all(np.shape(rows) == (2, 3) for part in found["parts"].values() for rows in part.values())
    shown = " ".join(CliRunner().invoke(inspect_command, [str(path), "--all"], env={"COLUMNS": "200"}).output.split())
    before, after = channel_ranges.imbalance(found)["hidden layers"]
    assert f"hidden layers {before:.1f} → {after:.1f}" in shown
    assert '"parts"' not in shown
    assert inspect(converted("classification", "fp16")).provenance["channel_ranges"]["rule"] == "center"


# Charts

@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=30), st.floats(0.2, 5))
def test_treemap(values: list[float], aspect: float) -> None:
    """Areas are in proportion, tiles fill the plane, and no two overlap."""
    values = sorted(values, reverse=True)
    tiles = charts.treemap(values, aspect)
    assert [tile.index for tile in tiles] == list(range(len(values)))
    for tile, value in zip(tiles, values, strict=True):
        assert tile.width * tile.height == pytest.approx(1e4 * value / sum(values), rel=1e-6)
        assert min(tile.x, tile.y) >= -1e-5
        assert max(tile.x + tile.width, tile.y + tile.height) <= 100 + 1e-5
    for i, one in enumerate(tiles):
        for other in tiles[:i]:
            wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert wide <= 1e-5 or high <= 1e-5


def test_treemap_of_equal_tiles_is_square() -> None:
    assert {(round(tile.width), round(tile.height)) for tile in charts.treemap([1, 1, 1, 1], 1)} == {(50, 50)}
    assert charts.treemap([0, 0]) == []


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks(low: float, extent: float) -> None:
    found = svg.ticks(low, low + extent)
    assert 2 <= len(found) <= 7
    assert all(low - 1e-6 * extent <= tick <= low + extent * (1 + 1e-6) for tick in found)
    steps = np.diff(found)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


def test_logarithmic_axis() -> None:
    assert svg.powers(0.9, 1100) == [1, 10, 100, 1000]
    assert svg.powers(1.5, 12) == [2, 5, 10]
    assert len(svg.powers(1e-9, 1e9)) <= 7
    scale = svg.logarithmic((1, 100), (0, 10))
    assert [scale(value) for value in (0, 1, 10, 100, 1e6)] == pytest.approx([0, 0, 5, 10, 10])


def test_ranges_are_drawn_where_they_are() -> None:
    """The median's line of a known series, back from pixels to numbers."""
    before = np.array([[1.0, 10.0, 1000.0], [1.0, 100.0, 1000.0]])
    markup = str(charts.ranges_by_block("x", before, before / 2))
    lines = re.findall(r'<polyline class="median (\w+)"[^>]*points="([^"]*)"', markup)
    grid = {float(y) for y in re.findall(r'<line class="grid"[^>]*y1="([^"]*)"', markup)}
    assert [style for style, _ in lines] == ["before", "after"]
    first, second = (float(point.split(",")[1]) for point in lines[0][1].split())
    assert {round(first, 1), round(second, 1)} < {round(y, 1) for y in grid}
    decade = first - second
    assert float(lines[1][1].split()[0].split(",")[1]) - first == pytest.approx(decade * np.log10(2), abs=0.2)


def test_strip_marks_what_is_outside() -> None:
    markup = str(charts.strip(10, [(3, "GATHER"), (99, "NOWHERE")], "x"))
    assert re.findall(r'<rect class="outside" x="(\d+)"[^>]*><title>([^<]*)', markup) == [("300", "3: GATHER")]


@pytest.mark.parametrize(("value", "text"), [
    (0, "0 B"), (999, "999 B"), (1234, "1.23 kB"), (25970554, "26.0 MB"), (9.87e6, "9.87 MB"), (3e9, "3.00 GB")])
def test_sizes(value: float, text: str) -> None:
    assert page.size(value) == text


@pytest.mark.parametrize(("value", "text"), [
    (None, "–"), (0.0, "0"), (-0.5, "−0.5"), (1.2345, "1.23"), (123456.0, "1.23·10⁵"), (-4.86e-5, "-4.86·10⁻⁵"),
    (float("inf"), "inf")])
def test_numbers(value: float | None, text: str) -> None:
    assert page.number(value).replace("−", "-") == text.replace("−", "-")


def test_shares() -> None:
    assert [page.share(1, 8), page.share(1, 1e6), page.share(0, 5), page.share(0, 0)] == [
        "12.5 %", "< 0.1 %", "0.0 %", "0.0 %"]
