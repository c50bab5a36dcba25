"""From a template and values to a page.

What is shown comes from files of unknown origin. Templates escape every value; and the page forbids its browser, by a
Content-Security-Policy, to load anything and to run any script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import math
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from mobilebert_lite.version import __version__


def render(template: str, **values: Any) -> str:
    """The page that ``templates/template`` draws of ``values``."""
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _environment().get_template(template).render(
        style=Markup(_resource("page.css")), script=Markup(script), script_digest=digest, version=__version__, **values)


def _resource(name: str) -> str:
    return (importlib.resources.files(__package__) / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(loader=jinja2.PackageLoader(__package__ or ""), autoescape=True,
                                     undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"size": size, "number": number, "share": share, "count": count}
    return environment


def size(value: float) -> str:
    """Bytes in the unit that suits them, thousands: 26.0 MB."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{value / factor:.{2 if value < 10 * factor else 1}f} {unit}"
    return f"{value:.0f} B"


def number(value: float | None, digits: int = 3) -> str:
    """Three digits; a dash for none."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return str(value)
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}·10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    return text.replace("-", "−")


def share(part: float, whole: float) -> str:
    """Per cent."""
    value = 100 * part / whole if whole else 0.0
    return "< 0.1 %" if 0 < value < 0.1 else f"{value:.1f} %"


def count(value: int) -> str:
    """With separators of thousands."""
    return f"{value:,}"


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
