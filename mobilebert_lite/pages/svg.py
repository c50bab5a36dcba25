"""Drawing: elements, scales and axes of SVG charts. Text is escaped by the XML library; colors are classes of the
page's style, so that charts follow its dark mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

from markupsafe import Markup

Point = tuple[float, float]
Scale = Callable[[float], float]


@dataclass
class Chart:
    """An SVG image of a fixed size in its own units, which the page scales."""

    width: float
    height: float
    # What a screen reader says.
    label: str
    root: ElementTree.Element = field(init=False)

    def __post_init__(self) -> None:
        self.root = ElementTree.Element("svg", {"viewBox": f"0 0 {self.width:g} {self.height:g}", "role": "img",
                                                "aria-label": self.label})

    def add(self, tag: str, style: str, title: str = "", **attributes: float | str) -> ElementTree.Element:
        """An element of class ``style``; ``title`` shows on hover."""
        element = ElementTree.SubElement(self.root, tag, {"class": style, **{
            name.replace("_", "-"): value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
            for name, value in attributes.items()}})
        if title:
            ElementTree.SubElement(element, "title").text = title
        return element

    def text(self, x: float, y: float, text: str, anchor: str = "start", style: str = "tick") -> None:
        """A line of text at ``x``, ``y``."""
        self.add("text", style, x=x, y=y, text_anchor=anchor).text = text

    def line(self, style: str, points: Sequence[Point], title: str = "") -> None:
        """A line through ``points``."""
        self.add("polyline", style, title, points=_points(points), fill="none")

    def area(self, style: str, points: Sequence[Point], title: str = "") -> None:
        """A filled outline."""
        self.add("polygon", style, title, points=_points(points))

    def markup(self) -> Markup:
        """For a template."""
        return Markup(ElementTree.tostring(self.root, encoding="unicode"))


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def linear(domain: Point, extent: Point) -> Scale:
    """From ``domain`` to ``extent``; the middle where the domain is one point."""
    (low, high), (start, end) = domain, extent
    if high == low:
        return lambda value: (start + end) / 2
    return lambda value: start + (value - low) / (high - low) * (end - start)


def logarithmic(domain: Point, extent: Point) -> Scale:
    """The same for positive numbers; smaller ones than the domain's stand at its end."""
    low, high = domain
    inner = linear((math.log(low), math.log(high)), extent)
    return lambda value: inner(math.log(min(max(value, low), high)))


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """At most about ``most`` round numbers from ``low`` to ``high``."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def powers(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers for a logarithmic axis from ``low`` to ``high``: powers of ten, not more than ``most``; where less
    than two would be seen, their double and their fivefold as well."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first < 1:
        return [found for i in range(first - 1, last + 1) for factor in (1, 2, 5)
                if low <= (found := factor * 10.0 ** i) <= high]
    step = max(1, -(-(last - first + 1) // most))
    return [10.0 ** i for i in range(first, last + 1, step)]
