"""Run programs of the catalogue as they stand, and say what each has found: programs.py PROGRAMS.json FOUND.json.

Only what the programs themselves need is imported.
"""

import contextlib
import io
import json
import sys
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any


def found_by(program: str) -> dict[str, Any]:
    """Run a program; return what it printed, the rows of its ``data``, and the sums of its tensors."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(program, "program", "exec"), names)
            rows = plain(rows_of(names.get("data")))
    except Exception:  # noqa: BLE001 (a program may raise anything; the others run all the same)
        return {"failed": f"{program}\n\n{traceback.format_exc()}"}
    sums = {name: float(each.sum()) for name, each in names.items() if type(each).__name__ == "Tensor"}
    return {"printed": printed.getvalue(), "rows": rows, "sums": sums}


def rows_of(data: Any) -> Any:
    """Return the rows of Arrow, pandas, Ray or Hugging Face data."""
    if hasattr(data, "to_pylist"):
        return data.to_pylist()
    if hasattr(data, "take_all"):
        return data.take_all()
    if hasattr(data, "features"):
        return list(data)
    return data.to_dict("records") if hasattr(data, "columns") else data


def plain(value: Any) -> Any:
    """Return a value as JSON has it: of an image its size, of bytes how many, of a duration its seconds."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (bytes, bytearray)):
        return len(value)
    if hasattr(value, "convert"):
        return list(value.size)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if type(value).__name__ in {"NaTType", "NAType"} or value != value:
        return None  # pandas has NaT, NA and NaN for what is not there
    if hasattr(value, "total_seconds"):
        return float(value.total_seconds())
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, float):
        return round(value, 6)
    return str(value) if isinstance(value, Decimal) else value


if __name__ == "__main__":
    programs = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    found = {title: found_by(program) for title, program in programs.items()}
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
