"""Plots that stretch to any width: the drawing is SVG without text, the labels of the axes stand beside it as HTML, so
that they are as large on a phone as on a desk. Numbers in, plots out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from mobilebert_lite.pages.svg import Chart, Point, Scale, linear, ticks

WIDTH, HEIGHT = 1000.0, 300.0
# Samples of a run over time are drawn one by one up to so many, with the medians of some stretches; more of them as
# many stretches alone.
_MOST_DOTS, _FEW_STRETCHES, _MANY_STRETCHES = 2000, 30, 200
_BINS = 80

# Position in per cent, text.
Tick = tuple[float, str]


@dataclass(frozen=True)
class Plot:
    """A drawing and its axes."""

    drawing: Markup
    # From the left, and from the top.
    x: tuple[Tick, ...]
    y: tuple[Tick, ...] = ()


@dataclass(frozen=True)
class Series:
    """What is drawn in one color. *Shape:* x and y (n,)"""

    # Number of the color.
    color: int
    x: np.ndarray
    y: np.ndarray
    # Of the same length as y, where each point has an upper end as well.
    upper: np.ndarray | None = None


def density(values: np.ndarray, domain: Point, marks: Sequence[tuple[str, float]], color: int, label: str) -> Plot:
    """How often each latency occurs within ``domain``, with ``marks`` (a style and a value each) as lines.

    *Shape:* (n,)
    """
    chart = _chart(label)
    counts, edges = np.histogram(np.clip(values, *domain), _BINS, domain)
    x = linear(domain, (0, WIDTH))
    y = linear((0, max(int(counts.max()), 1)), (HEIGHT, 8))
    outline: list[Point] = [(0, HEIGHT)]
    for count, left, right in zip(counts, edges, edges[1:], strict=False):
        outline += [(x(left), y(count)), (x(right), y(count))]
    chart.area(f"fill s{color}", [*outline, (WIDTH, HEIGHT)])
    for style, value in marks:
        if domain[0] <= value <= domain[1]:
            chart.line(f"{style} s{color}", [(x(value), 0), (x(value), HEIGHT)])
    return Plot(chart.markup(), axis(domain))


def axis(domain: Point, most: int = 6) -> tuple[Tick, ...]:
    """Round numbers along ``domain``."""
    place = linear(domain, (0, 100))
    return tuple((place(value), f"{value:g}") for value in ticks(*domain, most))


def latency_domain(values: Sequence[np.ndarray]) -> Point:
    """From the least to a little beyond the 99th percentile of the slowest: the few beyond would squeeze the rest."""
    low = min(float(one.min()) for one in values)
    high = max(float(np.percentile(one, 99)) for one in values)
    margin = 0.05 * (high - low) or 0.05 * max(high, 1e-9)
    return max(low - margin, 0.0), high + 2 * margin


def over_time(series: Sequence[Series], label: str, x_domain: Point, y_domain: Point) -> Plot:
    """Samples against seconds as dots, and the median of stretches of them as a line; where there are too many dots,
    a band from the least to the greatest of each stretch."""
    chart = _chart(label)
    x, y = linear(x_domain, (0, WIDTH)), _clipped(y_domain)
    _grid(chart, y_domain)
    for one in series:
        few = len(one.x) <= _MOST_DOTS
        if few:
            chart.add("path", f"dots s{one.color}", d="".join(
                f"M{x(a):.1f} {y(b):.1f}h0" for a, b in zip(one.x, one.y, strict=True)))
        times, low, middle, high = _stretches(one, _FEW_STRETCHES if few else _MANY_STRETCHES)
        places = [x(time) for time in times]
        if not few:
            chart.area(f"band s{one.color}", [*zip(places, map(y, high), strict=True),
                                               *reversed(list(zip(places, map(y, low), strict=True)))])
        chart.line(f"stroke s{one.color}", list(zip(places, map(y, middle), strict=True)))
    return Plot(chart.markup(), axis(x_domain), _y_ticks(y_domain))


def readings(one: Series, label: str, x_domain: Point) -> Plot:
    """A few readings against seconds, joined; those from before and after stand at the ends."""
    chart = _chart(label)
    y_domain = padded(one.y)
    x, y = _clipped(x_domain, (0, WIDTH)), _clipped(y_domain)
    _grid(chart, y_domain)
    chart.line(f"stroke s{one.color}", [(x(a), y(b)) for a, b in zip(one.x, one.y, strict=True)])
    return Plot(chart.markup(), axis(x_domain), _y_ticks(y_domain))


def _stretches(one: Series, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Middle, least, median and greatest of each stretch of samples."""
    order = np.argsort(one.x, kind="stable")
    times = np.array_split(one.x[order], min(most, len(order)))
    values = np.array_split(one.y[order], min(most, len(order)))
    return (np.array([part.mean() for part in times]), np.array([part.min() for part in values]),
            np.array([np.median(part) for part in values]), np.array([part.max() for part in values]))


def by_category(names: Sequence[str], series: Sequence[Series], label: str) -> Plot:
    """Points over ``names``, joined by color, from zero up; a thin line goes up to ``upper``. ``x`` counts names."""
    chart = _chart(label)
    ends = [one.y if one.upper is None else one.upper for one in series]
    y_domain = (0.0, 1.08 * max(float(end.max()) for end in ends))
    x, y = linear((-0.5, len(names) - 0.5), (0, WIDTH)), _clipped(y_domain)
    _grid(chart, y_domain)
    for i, one in enumerate(series):
        # Beside each other rather than over each other.
        shift = 0.06 * (i - (len(series) - 1) / 2)
        points = [(x(a + shift), y(b)) for a, b in zip(one.x, one.y, strict=True)]
        chart.line(f"stroke s{one.color}", points)
        for (place, height), end in zip(points, ends[i], strict=True):
            chart.line(f"thin s{one.color}", [(place, height), (place, y(float(end)))])
            chart.line(f"dot s{one.color}", [(place, height), (place, height)])
    return Plot(chart.markup(), tuple((x(i) / WIDTH * 100, name) for i, name in enumerate(names)), _y_ticks(y_domain))


def interval(low: float, value: float, high: float, domain: Point, style: str, *, label: str) -> Plot:
    """A value with its interval on a line, and where 1 is."""
    chart = _chart(label)
    x = _clipped(domain, (0, WIDTH))
    chart.line("one", [(x(1.0), 0), (x(1.0), HEIGHT)])
    chart.line(f"whisker {style}", [(x(low), HEIGHT / 2), (x(high), HEIGHT / 2)])
    chart.line(f"dot {style}", [(x(value), HEIGHT / 2), (x(value), HEIGHT / 2)])
    return Plot(chart.markup(), axis(domain))


def padded(values: np.ndarray) -> Point:
    """The extent of ``values`` with a margin."""
    low, high = float(values.min()), float(values.max())
    margin = 0.08 * (high - low) or 0.08 * max(abs(high), 1e-9)
    return low - margin, high + margin


def _chart(label: str) -> Chart:
    chart = Chart(WIDTH, HEIGHT, label)
    chart.root.set("preserveAspectRatio", "none")
    return chart


def _grid(chart: Chart, domain: Point) -> None:
    place = linear(domain, (HEIGHT, 0))
    for value in ticks(*domain, 4):
        chart.line("grid", [(0, place(value)), (WIDTH, place(value))])


def _y_ticks(domain: Point) -> tuple[Tick, ...]:
    place = linear(domain, (100, 0))
    return tuple((place(value), f"{value:g}") for value in ticks(*domain, 4))


def _clipped(domain: Point, extent: Point = (HEIGHT, 0)) -> Scale:
    """What lies beyond the domain stands at its end."""
    place = linear(domain, extent)
    return lambda value: place(min(max(value, domain[0]), domain[1]))


def reliability(bins: Sequence[Mapping[str, Any]], label: str) -> Plot:
    """Accuracy against confidence, both in percent, for bins that hold something, and the diagonal between them."""
    chart = _chart(label)
    domain = (0.0, 108.0)  # the last label stands within the plot
    x, y = linear(domain, (0, WIDTH)), linear(domain, (HEIGHT, 0))
    _grid(chart, domain)
    chart.line("one", [(x(0), y(0)), (x(100), y(100))])
    filled = [one for one in bins if one["count"]]
    points = [(x(one["confidence"]), y(one["accuracy"])) for one in filled]
    for one, (place, height) in zip(filled, points, strict=True):
        chart.line("thin s0", [(place, y(one["confidence"])), (place, height)])
        chart.line("dot s0", [(place, height), (place, height)], f"{one['count']}: {one['accuracy']:.1f} % right")
    chart.line("stroke s0", points)
    return Plot(chart.markup(), axis(domain), _y_ticks(domain))


def histogram(edges: Sequence[float], counts: Sequence[int], label: str) -> Plot:
    """How often values fall between ``edges``, of which there is one more than ``counts``."""
    chart = _chart(label)
    domain, most = padded(np.array(edges)), (0.0, max(1.0, float(max(counts))))
    x, y = linear(domain, (0, WIDTH)), linear(most, (HEIGHT, 8))
    outline: list[Point] = [(x(edges[0]), HEIGHT)]
    for count, left, right in zip(counts, edges, edges[1:], strict=False):
        outline += [(x(left), y(count)), (x(right), y(count))]
    chart.area("fill s0", [*outline, (x(edges[-1]), HEIGHT)])
    return Plot(chart.markup(), axis(domain), _y_ticks(most))
