"""Charts as SVG, each with a table of its numbers and a text alternative.

They are rendered from Vega-Lite specifications (https://vega.github.io/vega-lite). Colours are variables of the page's
style sheet, so that one drawing serves light and dark.
"""

import dataclasses
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert

from catalog.numbers import GAP, exact, figure, share

LABELS = 20  # names in one chart
AXIS = {"ticks": False, "domain": False, "labelPadding": 6}
WIDTH = 300  # pixels: three side by side on a page, and a phone shows it without scaling
PADDING = {"left": 12, "right": 5, "top": 5, "bottom": 5}  # more at the left, for a wider font than the measured one
COLOURS = ("var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)")
DASHES = ([1, 0], [4, 2], [1, 2], [6, 2, 1, 2], [2, 4])  # to tell lines apart that overlap
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


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart: ``rows`` are its numbers below ``head``, ``alt`` describes it in a sentence."""

    title: str
    alt: str
    svg: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    series: tuple[str, ...] = ()


def bars(title: str, plural: str, values: Mapping[str, Mapping[str, float]], as_shares: bool) -> Chart:
    """Draw a bar for each name of each series, ``values[series][name]``; shares are of the series' total.

    The rarest of more than ``LABELS`` names are summed up. ``plural`` says what the names are.
    """
    names, folded = _folded(values)
    totals = {one: (sum(of_series.values()) or 1) if as_shares else 1 for one, of_series in folded.items()}
    parts = {one: {name: of_series.get(name, 0) / totals[one] for name in names} for one, of_series in folded.items()}
    text = share if as_shares else figure
    several = len(folded) > 1
    longest = max((part for of_series in parts.values() for part in of_series.values()), default=0) or 1
    records = [
        {"name": name, "series": one, "value": parts[one][name], "text": text(parts[one][name])}
        for name in names
        for one in folded
    ]
    svg = _svg(
        {
            "height": {"step": 13, "for": "offset"} if several else {"step": 22},
            "data": {"values": records},
            "encoding": {
                "y": {"field": "name", "type": "nominal", "sort": names, "title": None, "axis": AXIS},
                **({"yOffset": {"field": "series", "sort": list(folded)}} if several else {}),
                "x": {
                    "field": "value",
                    "type": "quantitative",
                    "axis": None,
                    "stack": None,  # stacked bars are clipped by ids that differ from run to run
                    "scale": {"domain": [0, 1.22 * longest]},  # room for the text at its end
                },
            },
            "layer": [
                {"mark": {"type": "bar", "cornerRadiusEnd": 2}, "encoding": {"color": _scale(tuple(folded), COLOURS)}},
                {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {"text": {"field": "text"}}},
            ],
        }
    )

    def cell(series: str, name: str) -> str:
        number = figure(folded[series].get(name, 0))
        return f"{number} ({share(parts[series][name])})" if as_shares else number

    rows = tuple((name, *(cell(one, name) for one in folded)) for name in names)
    sums = _sums(values)
    largest = max(sums, key=sums.__getitem__, default="none")
    alt = f"Bar chart: {title}, {figure(len(sums))} {plural}. Largest: {largest}."
    head = (plural, *(folded if several else ("number",)))
    return Chart(title, alt, svg, head, rows, tuple(folded) if several else ())


def histogram(title: str, edges: Sequence[float], counts: Mapping[str, Sequence[int]]) -> Chart:
    """Draw the distribution of values: ``counts[series]`` between ``edges``; several series as shares of each."""
    series = tuple(counts)
    several = len(series) > 1
    records: list[dict[str, Any]] = []
    for one in series:
        total = (sum(counts[one]) or 1) if several else 1
        for low, high, count in zip(edges, edges[1:], counts[one], strict=False):
            records.append({"series": one, "low": low, "high": high, "value": count / total})
        if several:
            records.append({"series": one, "low": edges[-1], "value": 0})
    x = {
        "field": "low",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [edges[0], edges[-1]], "nice": False},
        "axis": {"grid": False, "tickCount": 4},
    }
    labels = "format(datum.value, '.0%')" if several else "format(datum.value, datum.value < 1000 ? '~r' : '~s')"
    largest = max(itertools.chain(*counts.values()), default=0)
    ticks = {"values": list(range(largest + 1))} if largest < 3 and not several else {}  # not at half samples
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "axis": {"tickCount": 3, "domain": False, "labelExpr": labels, **ticks},
    }
    layer: dict[str, Any]
    if several:
        layer = {
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5},
            "encoding": {"x": x, "y": y, "color": _scale(series, COLOURS), "strokeDash": _scale(series, DASHES)},
        }
    else:
        layer = {
            "mark": {"type": "bar", "color": COLOURS[0], "binSpacing": 1},
            "encoding": {"x": {**x, "bin": {"binned": True}}, "x2": {"field": "high"}, "y": y},
        }
    svg = _svg({"height": 130, "data": {"values": records}, **layer})
    single = all(float(low).is_integer() and high - low == 1 for low, high in itertools.pairwise(edges))
    rows = tuple(
        (exact(low) if single else f"{exact(low)} to {exact(high)}", *(figure(counts[one][place]) for one in series))
        for place, (low, high) in enumerate(itertools.pairwise(edges))
    )
    alt = f"Histogram: {title}, from {exact(edges[0])} to {exact(edges[-1])}."
    return Chart(title, alt, svg, (title, *(series if several else ("number",))), rows, series if several else ())


def _sums(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for of_series in values.values():
        for name, value in of_series.items():
            sums[name] = sums.get(name, 0) + value
    return sums


def _folded(values: Mapping[str, Mapping[str, float]]) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Return the names in order, and the values; the rarest names as one, if there are too many."""
    sums = _sums(values)
    if len(sums) <= LABELS:
        return list(sums), {one: dict(of_series) for one, of_series in values.items()}
    frequent = set(sorted(sums, key=lambda name: -sums[name])[: LABELS - 1])
    rest = f"{len(sums) - len(frequent)} others"
    folded = {
        one: {name: of_series[name] for name in of_series if name in frequent} for one, of_series in values.items()
    }
    for one, of_series in values.items():
        folded[one][rest] = sum(of_series.values()) - sum(folded[one].values())
    return [*(name for name in sums if name in frequent), rest], folded


def _svg(specification: dict[str, Any]) -> str:
    """Render a specification with the size, fonts and colours of all charts."""
    complete = {
        "width": WIDTH,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": PADDING,
        "config": CONFIG,
        **_xml_safe(specification),
    }
    return str(vl_convert.vegalite_to_svg(complete, format_locale=NUMBERS))


def _scale(series: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Return an encoding that gives each series a value of its own, as far as there are enough."""
    used = [values[place % len(values)] for place in range(len(series))]
    return {"field": "series", "scale": {"domain": list(series), "range": used}, "legend": None}


def _xml_safe(value: Any) -> Any:
    """Return a specification without the characters that XML forbids: the converter aborts the process at one."""
    if isinstance(value, str):
        return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, Mapping):
        return {name: _xml_safe(item) for name, item in value.items()}
    return [_xml_safe(item) for item in value] if isinstance(value, (list, tuple)) else value
