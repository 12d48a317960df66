"""The template engine: pages, whose values are escaped, and programs, whose values come quoted."""

import json
import math
import re
import shlex
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from registry.compare.diff_report import shown_value
from registry.compare.drift import Change
from registry.terminal import amount

from catalog.numbers import exact, figure, share

_SETTINGS: dict[str, Any] = {
    "loader": PackageLoader("catalog"),
    "undefined": StrictUndefined,
    "trim_blocks": True,
    "lstrip_blocks": True,
}
TEXT = Environment(**_SETTINGS)  # noqa: S701 (programs are no HTML; pages escape them)
HTML = Environment(autoescape=True, **_SETTINGS)


def as_json(value: Any) -> Markup:
    """Return JSON that may stand in a script element: nothing in it ends that."""
    text = json.dumps(value, ensure_ascii=False)
    text = re.sub(
        r"[^\x20-\x7e\n]", lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text
    )
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704 (escaped here)


def as_yaml(value: Any) -> str:
    """Return settings as params.yaml has them."""
    return str(yaml.safe_dump(value, allow_unicode=True, sort_keys=False)).rstrip()


def sides(change: Change) -> tuple[str, str]:
    """Return what a value was and is: of numbers six digits, or as many as it takes to tell them apart."""
    before, after = change.before, change.after
    for digits in (6, 12, 17):
        texts = _side(before, digits), _side(after, digits)
        if texts[0] != texts[1]:
            break
    return texts


def _side(value: Any, digits: int) -> str:
    is_fraction = isinstance(value, float) and math.isfinite(value)
    return exact(value, digits) if is_fraction else shown_value(value)


HTML.filters.update(figure=figure, amount=amount, share=share, as_json=as_json, as_yaml=as_yaml)
HTML.filters.update(sides=sides, quoted=shlex.quote)
