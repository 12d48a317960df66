"""Parse JSON (RFC 8259), and reject what Python's parser accepts: NaN, and a duplicate name in an object."""

import json
from collections.abc import Callable
from typing import Any, NoReturn

from stage.errors import BadRows


def parse(text: str, where: str, number: Callable[[str], Any] | None = None) -> Any:
    """Return the value of a JSON text; ``number`` makes the value of a number.

    Raises BadRows if it is invalid or nested too deeply.
    """
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_reject, parse_int=number, parse_float=number)
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
