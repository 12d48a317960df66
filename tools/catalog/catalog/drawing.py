"""Draw a chart once, as SVG, from a specification of Vega-Lite (https://vega.github.io/vega-lite).

Colours are variables of the page's style, so that one drawing serves light and dark.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert

from catalog.numbers import GAP

WIDTH = 300  # pixels: three beside each other on a page, and a phone shows it without scaling
PADDING = {"left": 12, "right": 5, "top": 5, "bottom": 5}  # at the left for a font that is wider than the measured one
SERIES = ("var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)")
DASHES = ([1, 0], [4, 2], [1, 2], [6, 2, 1, 2], [2, 4])  # lines that lie on each other are seen all the same
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # Char of https://www.w3.org/TR/xml/
NUMBERS = {"decimal": ".", "thousands": GAP, "grouping": [3], "currency": ["", ""]}
CONFIG = {
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--soft)",
        "labelFontSize": 11,
        "labelLimit": 120,
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
    },
    "text": {"color": "var(--ink)", "fontSize": 11},
}


def drawing(specification: dict[str, Any]) -> str:
    """Return the SVG of a chart; its size, fonts and colours are those of all charts."""
    whole = {
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": PADDING,
        "config": CONFIG,
        **_drawable(specification),
    }
    return str(vl_convert.vegalite_to_svg(whole, format_locale=NUMBERS))


def scale(series: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Return an encoding that gives each series a value of its own, as long as there are some."""
    used = [values[place % len(values)] for place in range(len(series))]
    return {"field": "series", "scale": {"domain": list(series), "range": used}, "legend": None}


def _drawable(value: Any) -> Any:
    """Return a specification without the characters that XML forbids: the converter ends the whole process for one."""
    if isinstance(value, str):
        return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {name: _drawable(each) for name, each in value.items()}
    return [_drawable(each) for each in value] if isinstance(value, (list, tuple)) else value
