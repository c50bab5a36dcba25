"""Draw docs/images/results.svg from the tables of docs/reference/performance.md.

    python scripts/readme_figure.py

Two panels: what quantization leaves of the accuracy of a network whose channels are scaled apart as in published
checkpoints, and latency on the processor that the page names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference" / "performance.md"
OUTPUT = ROOT / "docs" / "images" / "results.svg"

WIDTH, BAR, GAP, LEFT, RIGHT = 760, 22, 8, 190, 90
OURS, OTHERS, INK, PALE, PAPER = "#1565c0", "#9aa5b1", "#1f2933", "#52606d", "#ffffff"


@dataclass(frozen=True)
class Row:
    """One bar."""

    name: str
    # As the page writes it.
    written: str
    ours: bool = False

    @property
    def value(self) -> float:
        """Its length."""
        return float(self.written)


def table(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose header begins with ``first``, without header and emphasis."""
    lines = text[text.index(f"\n| {first}") + 1:].splitlines()
    end = next(i for i, line in enumerate([*lines, ""]) if not line.startswith("|"))
    return [[cell.strip(" *") for cell in row.strip("|").split("|")] for row in lines[2:end]]


def spans(text: str) -> list[Row]:
    """Exact spans in percent after the channels were scaled apart; the first rewriting of each file."""
    [whole] = re.findall(r"\(float: ([\d.]+)\)", " ".join(text.split()))
    cells = {row[0]: row for row in table(text, "file | as trained")}
    pick = {"mbl int8": "mbl int8", "mbl int8-full": "mbl int8-full", "TensorFlow dynamic": "TensorFlow dynamic",
            "TensorFlow static": "TensorFlow static int8"}
    return [Row("float32", whole), *(Row(shown, cells[name][2].split(",")[0], name.startswith("mbl"))
                                     for name, shown in pick.items())]


def latencies(text: str) -> list[Row]:
    """Milliseconds at 128 tokens on one thread."""
    cells = {row[0]: row for row in table(text, "file | MB")}
    pick = {"TensorFlow float": "TensorFlow float32", "mbl int8": "mbl int8",
            "TensorFlow dynamic": "TensorFlow dynamic", "ONNX Runtime dynamic": "ONNX Runtime dynamic",
            "TensorFlow static int8": "TensorFlow static int8"}
    return [Row(shown, cells[name][5], name.startswith("mbl")) for name, shown in pick.items()]


def draw(text: str) -> bytes:
    """The whole picture as SVG."""
    [processor] = re.findall(r"Median milliseconds on an (.*?), without", " ".join(text.split()))
    panels = [("Exact answers to 300 questions after quantization, %",
               "12 layers, channels scaled apart as in published checkpoints; more is better", spans(text)),
              ("Milliseconds for 128 tokens, one thread", f"24 layers on an {processor}; less is better",
               latencies(text))]
    height = sum(74 + len(rows) * (BAR + GAP) for *_, rows in panels) + 10
    root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {height}",
                                       "role": "img", "font-family": "system-ui, sans-serif", "font-size": "14"})
    ElementTree.SubElement(root, "title").text = "; ".join(
        f"{title}: " + ", ".join(f"{row.name} {row.written}" for row in rows) for title, _, rows in panels)
    _add(root, "rect", width=WIDTH, height=height, fill=PAPER)
    top = 0.0
    for title, note, rows in panels:
        top = _panel(root, top, title, note, rows)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"


def _panel(root: ElementTree.Element, top: float, title: str, note: str, rows: list[Row]) -> float:
    _text(root, 16, top + 28, title, INK, weight="600")
    _text(root, 16, top + 47, note, PALE, size="12")
    most = max(row.value for row in rows)
    for i, row in enumerate(rows):
        y = top + 60 + i * (BAR + GAP)
        length = row.value / most * (WIDTH - LEFT - RIGHT)
        _text(root, LEFT - 10, y + BAR - 6, row.name, INK, anchor="end", weight="600" if row.ours else "400")
        _add(root, "rect", x=LEFT, y=y, width=f"{length:.1f}", height=BAR, rx=3, fill=OURS if row.ours else OTHERS)
        _text(root, LEFT + length + 8, y + BAR - 6, row.written, INK, weight="600" if row.ours else "400")
    return top + 74 + len(rows) * (BAR + GAP)


def _text(root: ElementTree.Element, x: float, y: float, text: str, fill: str, anchor: str = "start",
          weight: str = "400", size: str = "14") -> None:
    element = _add(root, "text", x=f"{x:.1f}", y=f"{y:.1f}", fill=fill)
    element.attrib |= {"text-anchor": anchor, "font-weight": weight, "font-size": size}
    element.text = text


def _add(root: ElementTree.Element, tag: str, **attributes: object) -> ElementTree.Element:
    return ElementTree.SubElement(root, tag, {name: str(value) for name, value in attributes.items()})


if __name__ == "__main__":
    OUTPUT.write_bytes(draw(PAGE.read_text(encoding="utf-8")))
    print(OUTPUT)
