"""Charts of the catalogue, each with its numbers for whoever cannot see it."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from catalog.drawing import DASHES, SERIES, drawing, scale
from catalog.numbers import exact, figure, share

LABELS = 20  # classes that one chart shows
NAMES = {"ticks": False, "domain": False, "labelPadding": 6}


@dataclasses.dataclass(frozen=True)
class Chart:
    """A drawing; ``rows`` are its numbers below ``head``, and ``alt`` says in a sentence what there is to see."""

    title: str
    alt: str
    svg: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    series: tuple[str, ...] = ()


def bars(title: str, what: str, values: Mapping[str, Mapping[str, float]], as_shares: bool) -> Chart:
    """Draw a bar for each name of each series, ``values[series][name]``; shares are of the series' whole.

    Above ``LABELS`` names the smallest are added up. ``what`` the names are is said in the plural.
    """
    names, folded = _folded(values)
    whole = {one: (sum(each.values()) or 1) if as_shares else 1 for one, each in folded.items()}
    parts = {one: {name: each.get(name, 0) / whole[one] for name in names} for one, each in folded.items()}
    text = share if as_shares else figure
    several = len(folded) > 1
    longest = max((part for each in parts.values() for part in each.values()), default=0) or 1
    drawn = [
        {"name": name, "series": one, "value": parts[one][name], "text": text(parts[one][name])}
        for name in names
        for one in folded
    ]
    svg = drawing(
        {
            "height": {"step": 13, "for": "offset"} if several else {"step": 22},
            "data": {"values": drawn},
            "encoding": {
                "y": {"field": "name", "type": "nominal", "sort": names, "title": None, "axis": NAMES},
                **({"yOffset": {"field": "series", "sort": list(folded)}} if several else {}),
                "x": {
                    "field": "value",
                    "type": "quantitative",
                    "axis": None,
                    "stack": None,  # stacked bars are clipped, by ids that differ from run to run
                    "scale": {"domain": [0, 1.22 * longest]},  # room for the text at its end
                },
            },
            "layer": [
                {"mark": {"type": "bar", "cornerRadiusEnd": 2}, "encoding": {"color": scale(tuple(folded), SERIES)}},
                {"mark": {"type": "text", "align": "left", "dx": 4}, "encoding": {"text": {"field": "text"}}},
            ],
        }
    )
    rows = tuple(
        (
            name,
            *(
                f"{figure(each.get(name, 0))}{f' ({share(parts[one][name])})' * as_shares}"
                for one, each in folded.items()
            ),
        )
        for name in names
    )
    known = dict.fromkeys(name for each in values.values() for name in each)
    most = max(known, key=lambda name: sum(each.get(name, 0) for each in values.values()), default="nothing")
    alt = f"Bar chart: {title}, {figure(len(known))} {what}. Most: {most}."
    return Chart(title, alt, svg, (what, *(folded if several else ("number",))), rows, tuple(folded) if several else ())


def _folded(values: Mapping[str, Mapping[str, float]]) -> tuple[list[str], dict[str, dict[str, float]]]:
    """Return the names in their order, and the values; the rarest names as one, where there are too many."""
    total: dict[str, float] = {}
    for each in values.values():
        for name, value in each.items():
            total[name] = total.get(name, 0) + value
    if len(total) <= LABELS:
        return list(total), {one: dict(each) for one, each in values.items()}
    kept = set(sorted(total, key=lambda name: -total[name])[: LABELS - 1])
    rest = f"{len(total) - len(kept)} others"
    folded = {one: {name: value for name, value in each.items() if name in kept} for one, each in values.items()}
    for one, each in values.items():
        folded[one][rest] = sum(each.values()) - sum(folded[one].values())
    return [*(name for name in total if name in kept), rest], folded


def histogram(title: str, edges: Sequence[float], counts: Mapping[str, Sequence[int]]) -> Chart:
    """Draw how values are spread: ``counts[series]`` between ``edges``, of each series as shares if several."""
    series = tuple(counts)
    several = len(series) > 1
    drawn: list[dict[str, Any]] = []
    for one in series:
        whole = (sum(counts[one]) or 1) if several else 1
        for low, high, count in zip(edges, edges[1:], counts[one], strict=False):
            drawn.append({"series": one, "low": low, "high": high, "value": count / whole})
        if several:
            drawn.append({"series": one, "low": edges[-1], "value": 0})
    x = {
        "field": "low",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [edges[0], edges[-1]], "nice": False},
        "axis": {"grid": False, "tickCount": 4},
    }
    labels = "format(datum.value, '.0%')" if several else "format(datum.value, datum.value < 1000 ? '~r' : '~s')"
    most = max(itertools.chain(*counts.values()), default=0)
    few = {"values": list(range(most + 1))} if most < 3 and not several else {}  # or halves of samples are marked
    y = {
        "field": "value",
        "type": "quantitative",
        "title": None,
        "axis": {"tickCount": 3, "domain": False, "labelExpr": labels, **few},
    }
    layer: dict[str, Any]
    if several:
        layer = {
            "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5},
            "encoding": {"x": x, "y": y, "color": scale(series, SERIES), "strokeDash": scale(series, DASHES)},
        }
    else:
        layer = {
            "mark": {"type": "bar", "color": SERIES[0], "binSpacing": 1},
            "encoding": {"x": {**x, "bin": {"binned": True}}, "x2": {"field": "high"}, "y": y},
        }
    svg = drawing({"height": 130, "data": {"values": drawn}, **layer})
    single = all(float(low).is_integer() and high - low == 1 for low, high in itertools.pairwise(edges))
    rows = tuple(
        (exact(low) if single else f"{exact(low)} to {exact(high)}", *(figure(counts[one][place]) for one in series))
        for place, (low, high) in enumerate(itertools.pairwise(edges))
    )
    alt = f"Histogram: {title}, from {exact(edges[0])} to {exact(edges[-1])}."
    return Chart(title, alt, svg, (title, *(series if several else ("number",))), rows, series if several else ())
