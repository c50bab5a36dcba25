"""Pages as a browser reads them."""

from __future__ import annotations

import base64
import hashlib
from html.parser import HTMLParser
from pathlib import Path

from mobilebert_lite.pages import page


class Document(HTMLParser):
    """A page as a browser reads it: elements with their attributes, the text of each script, all other text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._inside = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif not self._inside:
            self.text += data


def assert_harmless(text: str) -> Document:
    """One script, the page's own, which the policy admits by its hash; nothing loads, nothing is called by an element.
    """
    document = Document(text)
    [script] = document.scripts
    assert script == (Path(page.__file__).parent / "templates" / "page.js").read_text(encoding="utf-8")
    [policy] = [attributes["content"] for tag, attributes in document.elements
                if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}';" in policy
    for tag, attributes in document.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base", "audio", "video", "source"), tag
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcdoc", "formaction")]
        assert attributes.get("href", "#").startswith(("#", "data:,")), attributes
    return document
