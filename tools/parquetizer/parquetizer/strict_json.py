"""Parse JSON as RFC 8259 has it, and refuse what Python's reader passes over: NaN, and a name twice in one object."""

import json
from typing import Any, NoReturn

from stage.errors import BadRows


def parse(text: str, where: str) -> Any:
    """Return the value of a JSON text. Raises BadRows where it is none, or nested deeper than Python goes."""
    try:
        return json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadRows(where, f"no valid JSON: {reason}", "correct it") from error


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
