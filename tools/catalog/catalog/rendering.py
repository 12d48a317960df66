"""Template engines: one for pages, which escapes values, and one for programs, whose values come quoted."""

import json
import math
import shlex
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from registry.compare.diff import one_line
from registry.compare.drift import Change
from registry.terminal import amount

from catalog.numbers import exact, figure, share

_SETTINGS: dict[str, Any] = {
    "loader": PackageLoader("catalog"),
    "undefined": StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
}
TEXT = Environment(**_SETTINGS)  # noqa: S701 (programs are not HTML; pages escape them)
HTML = Environment(autoescape=True, **_SETTINGS)
# Nothing may end a script element, or start a comment in it: https://html.spec.whatwg.org/#restrictions-for-contents-of-script-elements
ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def literal(value: Any) -> str:
    """Return a string, or a list or dict of strings, as a Python literal."""
    return json.dumps(value, ensure_ascii=False)


def as_json(value: Any) -> Markup:
    """Return JSON in ASCII for a script element."""
    return Markup(json.dumps(value, separators=(",", ":")).translate(ESCAPES))  # noqa: S704 (escaped here)


def as_yaml(value: Any) -> str:
    """Return settings as in params.yaml."""
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False)).rstrip()


def sides(change: Change) -> tuple[str, str]:
    """Return a value before and after; numbers with six significant digits, or as many as they differ in."""
    before, after = change.before, change.after
    for digits in (6, 12, 17):
        texts = _value_text(before, digits), _value_text(after, digits)
        if texts[0] != texts[1]:
            break
    return texts


def _value_text(value: Any, digits: int) -> str:
    is_fraction = isinstance(value, float) and math.isfinite(value)
    return exact(value, digits) if is_fraction else one_line(value)


TEXT.filters.update(literal=literal)
HTML.filters.update(figure=figure, amount=amount, share=share, as_json=as_json, as_yaml=as_yaml)
HTML.filters.update(sides=sides, quoted=shlex.quote)
