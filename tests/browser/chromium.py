"""A real browser that says what it asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """Chromium without a window and without a network, that logs what pages say and ask for."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                     "--disable-background-networking", "--disable-component-update", "--disable-sync",
                     "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def events(browser: Any) -> list[dict[str, Any]]:
    """What happened on the network since they were asked for last."""
    return [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]


def requests(browser: Any) -> list[str]:
    """What the browser asked for since the page was opened."""
    return [event["params"]["request"]["url"] for event in events(browser)
            if event["method"] == "Network.requestWillBeSent"]
