"""Pictures as functions of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from mobilebert_lite.pages.page import number
from mobilebert_lite.pages.svg import Chart, linear, logarithmic, powers, ticks


@dataclass(frozen=True)
class Tile:
    """A rectangle of a treemap, in per cent of the whole."""

    index: int
    x: float
    y: float
    width: float
    height: float


def treemap(values: Sequence[float], aspect: float = 2.2) -> list[Tile]:
    """Rectangles with areas as ``values``, which fall, as square as can be on a plane ``aspect`` times as wide as high.

    Squarified treemaps (Bruls, Huizing, van Wijk 2000): a row takes values as long as its worst tile gets no longer.
    """
    total = sum(values)
    if not total > 0:
        return []
    scale = 100.0 * 100.0 * aspect / total
    found: list[Tile] = []
    x, y, width, height = 0.0, 0.0, 100.0 * aspect, 100.0
    rest = [(index, value * scale) for index, value in enumerate(values) if value > 0]
    while rest:
        short = min(width, height)
        size = 1
        while size < len(rest) and _worst(rest[:size + 1], short) <= _worst(rest[:size], short):
            size += 1
        row, rest = rest[:size], rest[size:]
        thick = sum(area for _, area in row) / short
        along = 0.0
        for index, area in row:
            length = area / thick
            place = (x, y + along, thick, length) if width >= height else (x + along, y, length, thick)
            found.append(Tile(index, place[0] / aspect, place[1], place[2] / aspect, place[3]))
            along += length
        x, y, width, height = ((x + thick, y, width - thick, height) if width >= height
                               else (x, y + thick, width, height - thick))
    return found


def _worst(row: Sequence[tuple[int, float]], short: float) -> float:
    """The ratio of the sides of the row's longest tile."""
    total = sum(area for _, area in row)
    return max(max(short * short * area / total ** 2, total ** 2 / (short * short * area)) for _, area in row)


def ranges_by_block(label: str, before: np.ndarray, after: np.ndarray) -> Markup:
    """Two bands over the blocks, logarithmic: from a low percentile to the loudest channel, with the median as a line.

    *Shape:* both [layers, 3]: low percentile, median, greatest
    """
    chart = Chart(360, 190, label)
    positive = np.concatenate([before, after])
    positive = positive[positive > 0]
    if not positive.size:
        chart.text(180, 95, "zero throughout", "middle")
        return chart.markup()
    # Silent channels (of a ReLU that never opens) have no place on a logarithmic axis: five decades are enough.
    top = float(positive.max()) * 1.2
    bottom = max(float(positive.min()) / 1.2, top / 1e5)
    left, right, head, foot = 44.0, 352.0, 10.0, 166.0
    y = logarithmic((bottom, top), (foot, head))
    x = linear((0, max(len(before) - 1, 1)), (left + 6, right - 6))
    for power in powers(bottom, top):
        chart.add("line", "grid", x1=left, x2=right, y1=y(power), y2=y(power))
        chart.text(left - 6, y(power) + 4, number(power), "end")
    for block in ticks(0, len(before) - 1, 8):
        if block == int(block):
            chart.text(x(block), foot + 16, str(int(block)), "middle")
    chart.text(left - 6, foot + 16, "block", "end")
    for style, array in (("before", before), ("after", after)):
        low, middle, high = array.T
        # One block is a point, drawn as wide as the plane.
        places = [x(i) for i in range(len(array))] if len(array) > 1 else [left + 6, right - 6]
        low, middle, high = (np.repeat(one, 2) if len(array) == 1 else one for one in (low, middle, high))
        chart.area(f"band {style}", [*zip(places, map(y, high), strict=True),
                                     *reversed(list(zip(places, map(y, low), strict=True)))])
        chart.line(f"edge {style}", list(zip(places, map(y, high), strict=True)))
        chart.line(f"median {style}", list(zip(places, map(y, middle), strict=True)))
    for i in range(len(before)):
        width = (right - left) / len(before)
        told = [f"{name}: p10 {number(row[0])}, median {number(row[1])}, loudest {number(row[2])}"
                for name, row in (("before", before[i]), ("after", after[i]))]
        chart.add("rect", "hover", f"block {i}\n" + "\n".join(told), x=left + i * width, y=head, width=width,
                  height=foot - head)
    return chart.markup()


def strip(operators: int, outside: Sequence[tuple[int, str]], label: str) -> Markup:
    """Operators in the order of execution, those outside the delegate marked."""
    chart = Chart(1000, 34, label)
    chart.root.set("preserveAspectRatio", "none")
    width = 1000 / max(operators, 1)
    chart.add("rect", "inside", x=0, y=0, width=1000, height=34)
    for index, name in outside:
        if 0 <= index < operators:
            chart.add("rect", "outside", f"{index}: {name}", x=index * width, y=0, width=max(width, 3), height=34)
    return chart.markup()


# Powers of two: the least subnormal of float16, the least number with all its digits, and its end.
_TINY, _NORMAL, _END = -24.0, -14.0, 16.0


def head_room(largest: float, smallest: float, label: str) -> Markup:
    """Where activations lie in the range of float16: from the smallest typical to the largest."""
    chart = Chart(360, 104, label)
    low, high = math.log2(smallest), math.log2(largest)
    first, last = min(_TINY, math.floor(low) - 1), max(_END + 4, math.ceil(high) + 1)
    x = linear((first, last), (8, 352))
    for style, start, end in (("lossy", first, _NORMAL), ("good", _NORMAL, _END), ("over", _END, last)):
        chart.add("rect", style, x=x(start), y=32, width=x(end) - x(start), height=22)
    chart.add("rect", "used", x=x(low), y=37, width=max(x(high) - x(low), 2), height=12, rx=6)
    chart.text(8, 22, f"smallest typical {number(smallest)}", "start", "strong")
    chart.text(352, 22, f"largest {number(largest)}", "end", "strong")
    for power, text in ((_TINY, "2⁻²⁴"), (_NORMAL, "2⁻¹⁴"), (0.0, "1"), (_END, "65504")):
        chart.add("line", "mark", x1=x(power), x2=x(power), y1=54, y2=60)
        chart.text(x(power), 73, text, "start" if x(power) < 16 else "middle")
    for start, end, text in ((first, _NORMAL, "fewer digits"), (_NORMAL, _END, "11 binary digits"),
                             (_END, last, "infinite")):
        chart.text(x((start + end) / 2), 94, text, "middle")
    return chart.markup()
