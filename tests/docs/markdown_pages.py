"""The project's Markdown pages: their code blocks, headings and links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

# A comment straight before a block: why the tests parse it but do not run it.
_NOT_RUN = re.compile(r"<!-- not run: (\S.*\S) -->")
_FENCE = re.compile(r"(\s*)```(.*)")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: str
    # Of its first line.
    line: int
    language: str
    text: str
    # Why the tests do not run it; None: they do.
    not_run: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page: those of the site, and those that stand beside what they are about."""
    beside = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "android_demo/README.md")
    return [*sorted(DOCS.rglob("*.md")), *(path for name in beside if (path := ROOT / name).exists())]


def name(page: Path) -> str:
    """``page`` relative to the repository."""
    return page.relative_to(ROOT).as_posix()


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of ``page``, from top to bottom."""
    found: list[Block] = []
    start, indent, language, body = 0, "", "", list[str]()
    not_run = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = _FENCE.fullmatch(line)
        if start and fence and not fence[2]:
            found.append(Block(name(page), start, language, "\n".join(body), not_run))
            start, not_run = 0, None
        elif start:
            body.append(line.removeprefix(indent))
        elif fence:
            start, indent, language, body = number + 1, fence[1], fence[2].strip(), []
        elif line.strip():
            marker = _NOT_RUN.fullmatch(line.strip())
            not_run = marker[1] if marker else None
    return tuple(found)


def every_block(*languages: str) -> list[Block]:
    """Of all pages, those in one of ``languages``."""
    return [block for page in pages() for block in blocks(page) if block.language in languages]


def commands(block: Block) -> Iterator[list[str]]:
    """The commands of a shell block as words: continued lines are joined, comments and prompts left out."""
    text = block.text.replace("\\\n", " ")
    if block.language == "console":
        text = "\n".join(line[2:] for line in text.splitlines() if line.startswith("$ "))
    lines = iter(text.splitlines())
    for line in lines:
        while line.count("'") % 2 and (more := next(lines, None)) is not None:  # a quoted text of several lines
            line += "\n" + more
        if words := shlex.split(line, comments=True):
            yield words


@cache
def prose(page: Path) -> str:
    """``page`` without its fenced blocks and inline code."""
    text = re.sub(r"^(\s*)```.*?^\1```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "`code`", text)


def links(page: Path) -> list[str]:
    """Targets of the links and images on ``page``."""
    return _LINK.findall(prose(page))


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of the headings of ``page``, as both GitHub and the site make them."""
    without_blocks = re.sub(r"^(\s*)```.*?^\1```$", "", page.read_text(encoding="utf-8"),
                            flags=re.DOTALL | re.MULTILINE)
    return frozenset(slug(heading) for heading in re.findall(r"^#+ (.*)$", without_blocks, re.MULTILINE))


def slug(heading: str) -> str:
    """``What runs on a phone`` → ``what-runs-on-a-phone``."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", plain.lower()).strip())
