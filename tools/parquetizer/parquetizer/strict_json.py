"""Parse JSON (RFC 8259), and reject what Python's parser accepts: NaN, and a duplicate name in an object."""

import json
from typing import Any, NoReturn

from stage.errors import BadRows


def parse(text: str, where: str) -> Any:
    """Return the value of a JSON text. Raises BadRows if it is invalid or nested too deeply."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_reject)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadRows(where, f"invalid JSON: {reason}", "correct it") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("duplicate name in an object")
    return members


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"unsupported number {constant}")
