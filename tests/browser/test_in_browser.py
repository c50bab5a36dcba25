"""Pages in a real browser: they load nothing, fit a phone, can be read and used, and run no script of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench_reports import make_report
from chromium import chromium, requests
from eval_reports import make_report as make_evaluation
from hostile import SCRIPT, write_hostile
from selenium import webdriver

from mobilebert_lite.inspection.report import inspect
from mobilebert_lite.pages.bench_page import bench_page
from mobilebert_lite.pages.eval_page import eval_page
from mobilebert_lite.pages.inspect_page import inspect_page

pytestmark = pytest.mark.browser

# Page → kind of report.
EVALUATIONS = {"eval": "classes", "eval-many": "many classes", "eval-numbers": "numbers", "eval-qa": "questions"}
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}

# Contrast of every visible text with what is behind it, by WCAG 2.1's formula; those below 4.5.
LOW_CONTRAST = """
const parse = (text) => (text.match(/[\\d.]+/g) || []).map((v) => text.startsWith("color(srgb") ? 255 * v : +v);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const color = parse(getComputedStyle(e).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const found = new Map();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("svg, script, .skip")) continue;
  const pair = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (ratio < 4.5) found.set(element.tagName + "." + element.className, ratio);
}
return [...found];
"""


# Elements that reach beyond the screen, but for those inside what scrolls by itself or is hidden on purpose.
WIDER = """
return [...document.body.querySelectorAll("*")].filter((element) => element.checkVisibility()
  && element.getBoundingClientRect().right > document.documentElement.clientWidth + 1
  && !element.closest(".scroll, .rest, .tile, svg, pre")).map((element) => element.outerHTML.slice(0, 120));
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def pages(converted: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name -> page: of an int8 file, of one for GPUs, of one whose names are scripts; of benchmarks on a host and on an
    emulated phone; of evaluations."""
    folder = tmp_path_factory.mktemp("pages")
    files = {"int8": converted("qa", "int8"), "fp16": converted("classification", "fp16"),
             "hostile": write_hostile(converted("qa", "int8"), folder / "hostile.tflite")}
    made = {}
    for name, file in files.items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(inspect_page(inspect(file).to_json()), encoding="utf-8")
    phone = make_report("pixel4", f"Pixel 4{SCRIPT}", emulated=True)
    for name, report in (("bench", make_report()), ("phone", phone)):
        made[name] = folder / f"{name}.html"
        made[name].write_text(bench_page(report), encoding="utf-8")
    for name, kind in EVALUATIONS.items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(eval_page(make_evaluation(kind, f"model{SCRIPT}")), encoding="utf-8")
    return made


def open_page(browser: Any, page: Path, size: str = "desktop", scheme: str = "light") -> None:
    width, height = SIZES[size]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(page.as_uri())


def find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def shown_rows(browser: Any) -> list[str]:
    """Names in the table of tensors."""
    names: list[str] = browser.execute_script(
        "return [...document.querySelectorAll('table.tensors tbody tr')].filter(row => row.checkVisibility())"
        ".map(row => row.cells[0].textContent)")
    return names


@pytest.mark.parametrize("name", ["int8", "fp16", "hostile", "bench", "phone", *EVALUATIONS])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page(browser: Any, pages: dict[str, Path], name: str, size: str, scheme: str) -> None:
    """No error, no request but the file, nothing wider than the screen, enough contrast, no script but the page's."""
    open_page(browser, pages[name], size, scheme)
    assert browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    assert browser.get_log("browser") == []
    assert [url for url in requests(browser) if not url.startswith("data:,")] == [pages[name].as_uri()]
    width = SIZES[size][0]
    assert browser.execute_script(WIDER) == []
    assert browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]") == [width, width]
    assert browser.execute_script(LOW_CONTRAST) == []
    assert browser.execute_script("return window.hacked") is None


def test_filter(browser: Any, pages: dict[str, Path]) -> None:
    open_page(browser, pages["int8"])
    status, rows = find(browser, ".status"), shown_rows(browser)
    assert len(rows) == 60
    assert status.text.startswith("The first 60 of ")
    search = find(browser, "input[type=search]")
    search.send_keys("layers.1.ffn.0 FULLY_CONNECTED")
    rows = shown_rows(browser)
    assert 0 < len(rows) <= 4
    assert all("layers.1.ffn.0" in row and "FULLY_CONNECTED" in row for row in rows)
    assert status.text.startswith(f"{len(rows)} that match, of ")
    search.clear()
    find(browser, "select[name=dtype]").send_keys("INT8")
    find(browser, "select[name=kind]").send_keys("several")
    kinds = browser.execute_script(
        "return [...document.querySelectorAll('table.tensors tbody tr')].filter(row => row.checkVisibility())"
        ".map(row => row.dataset.dtype + row.dataset.kind)")
    assert set(kinds) == {"INT8channels"}


def test_sort_and_show_all(browser: Any, pages: dict[str, Path]) -> None:
    open_page(browser, pages["int8"])
    heading = next(cell for cell in browser.find_elements("css selector", ".tensors thead th")
                   if cell.text == "bytes")
    # With the keyboard alone.
    browser.execute_script("arguments[0].focus()", heading.find_element("tag name", "button"))
    webdriver.ActionChains(browser).send_keys("\ue007").send_keys("\ue007").perform()
    assert heading.get_attribute("aria-sort") == "descending"
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('table.tensors tbody tr')].map(row => +row.cells[5].dataset.value)")
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1] == 0
    more = find(browser, "button.more")
    browser.execute_script("arguments[0].click()", more)
    assert len(shown_rows(browser)) == len(sizes)
    assert more.text == "Show the first 60"


def test_print(browser: Any, pages: dict[str, Path]) -> None:
    """On paper colors are light, and what can only be clicked is gone."""
    open_page(browser, pages["int8"], scheme="dark")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not find(browser, "form.filter").is_displayed()
    assert not find(browser, "nav").is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_without_scripts(browser: Any, pages: dict[str, Path]) -> None:
    """The whole table is there."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        open_page(browser, pages["int8"])
        rows = browser.find_elements("css selector", "table.tensors tbody tr")
        assert len(rows) > 60
        assert rows[-1].is_displayed()
        assert not find(browser, "form.filter").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
