"""Write metadata.json: the same figures give the same bytes."""

import json
import math
from pathlib import Path
from typing import Any

from stage.output import replacing

DIGITS = 12  # significant digits: what all processors agree on, and more than anyone reads


def rounded(value: float | None) -> float | None:
    """Round to 12 significant digits, -0.0 to 0.0; what is no finite number becomes None, for JSON has none."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}") + 0.0


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a document atomically, keys in the order given."""
    with replacing(path) as (temporary,):
        temporary.write_text(
            json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8"
        )
