"""Every relative link leads to a file, and every anchor to a heading."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown_pages import DOCS, ROOT, anchors, links, name, pages

SCHEMES = ("http://", "https://", "mailto:")


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links(page: Path) -> None:
    wrong = []
    for target in links(page):
        if target.startswith(SCHEMES):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or ROOT not in file.parents:
            wrong.append(f"{target}: there is no such file")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file):
            wrong.append(f"{target}: there is no such heading; there are {', '.join(sorted(anchors(file)))}")
        elif DOCS in page.parents and DOCS not in file.parents:
            wrong.append(f"{target}: the site does not hold it; name the path in backquotes")
    assert not wrong, "\n".join(wrong)


def test_every_page_is_reached() -> None:
    """From the front page of the site, or from README.md, by links alone."""
    reached, ahead = set(), [DOCS / "index.md", ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in reached:
            reached.add(page)
            ahead += [file for target in links(page) if not target.startswith(SCHEMES)
                      if (file := (page.parent / target.partition("#")[0]).resolve()).suffix == ".md"
                      if file.exists()]
    assert set(pages()) - reached == set()
