"""The documents as a site, in a real browser: every page opens, asks nobody else, and misses nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from chromium import chromium, events

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.browser


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: requests are looked at in the browser."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` builds it; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
                          cwd=ROOT, text=True, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def test_every_page_opens(browser: Any, site: Path, address: str) -> None:
    """No message in the console, no failed request, no request to another host, and a title and text on each page."""
    pages = sorted(path.parent.relative_to(site).as_posix() for path in site.rglob("index.html"))
    assert len(pages) >= 25
    troubles = []
    for page in pages:
        browser.get_log("browser"), events(browser)
        browser.get(address + ("" if page == "." else f"{page}/"))
        seen = events(browser)
        asked = [event["params"]["request"]["url"] for event in seen if event["method"] == "Network.requestWillBeSent"]
        answers = [event["params"]["response"] for event in seen if event["method"] == "Network.responseReceived"]
        troubles += [f"{page}: {entry['message']}" for entry in browser.get_log("browser")]
        troubles += [f"{page}: asks {url}" for url in asked if not url.startswith((address, "data:", "blob:"))]
        troubles += [f"{page}: {answer['status']} {answer['url']}" for answer in answers if answer["status"] >= 400]
        troubles += [f"{page}: {event['params']['errorText']}" for event in seen
                     if event["method"] == "Network.loadingFailed"]
        if len(browser.find_element("css selector", "article").text) < 20 or "mobilebert-lite" not in browser.title:
            troubles.append(f"{page}: is empty")
    assert not troubles, "\n".join(troubles)


def test_search_finds_a_page(browser: Any, address: str) -> None:
    """The index is the site's own, so search works without a network."""
    browser.get(address)
    field = browser.find_element("css selector", "input.md-search__input")
    browser.execute_script("document.querySelector('#__search').checked = true")
    browser.execute_script("arguments[0].focus()", field)
    field.send_keys("equalization")
    browser.implicitly_wait(20)
    found = browser.find_element("css selector", ".md-search-result__link")
    assert "equalization" in found.get_attribute("href")
