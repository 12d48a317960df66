"""Read datasets with every promised reader, in a process of its own: read_all.py CHOSEN.json FOUND.json.

It runs in the folder of the datasets. CHOSEN has, for each of them, the catalogue's programs by title, and its folder
where the readers that need no program are asked too: only then are their libraries needed. FOUND gets its columns by
reader.
"""

import contextlib
import io
import json
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any


def columns(data: Any) -> dict[str, list[Any]]:
    """Return the columns of rows, or of Arrow, pandas, Ray or Hugging Face data, in Python's own types."""
    if isinstance(data, list):
        found = {name: [row[name] for row in data] for name in data[0]}
    elif hasattr(data, "to_pydict"):
        found = data.to_pydict()
    elif hasattr(data, "take_all"):
        rows = data.take_all()
        found = {name: [row[name] for row in rows] for name in rows[0]}
    elif hasattr(data, "features"):
        found = data.to_dict()
    else:
        found = {name: column.tolist() for name, column in data.items()}
    return {name: [plain(each) for each in values] for name, values in found.items()}


def plain(value: Any) -> Any:
    """Return a value as JSON has it; what pandas has for nothing is None."""
    if isinstance(value, bytes):
        return value.decode()
    if type(value).__name__ in {"NAType", "NoneType"} or value != value:
        return None
    return value.item() if hasattr(value, "item") else value


def croissant(folder: Path) -> dict[str, list[Any]]:
    import mlcroissant

    found = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    rows = [{key.rpartition("/")[2]: value for key, value in row.items()} for row in found.records("samples")]
    return {name: [plain(row[name]) for row in rows] for name in rows[0]}


def program(text: str) -> dict[str, list[Any]]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "program", "exec"), names)
    return columns(names["data"] if "data" in names else names["samples"])


def readers_of(name: str, folder: Path) -> dict[str, Callable[[], dict[str, list[Any]]]]:
    """Return what reads a dataset, by its name."""
    import datasets
    from registry import load

    def loaded(as_: str) -> dict[str, list[Any]]:
        return columns(load(name, as_=as_))

    return {
        **{as_: partial(loaded, as_) for as_ in ("arrow", "pandas", "ray", "huggingface")},
        "load_dataset": lambda: columns(datasets.load_dataset(f"./{folder.name}", split="train")),
        "mlcroissant": lambda: croissant(folder),
    }


def main(chosen: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, of in chosen.items():
        found[name] = {}
        readers = {title: partial(program, text) for title, text in of["programs"].items()}
        for reader, read in (readers_of(name, Path(of["folder"])) | readers if of["folder"] else readers).items():
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    found[name][reader] = read()
            except Exception:  # noqa: BLE001 (a reader may raise anything; the others read all the same)
                found[name][reader] = traceback.format_exc()
    return found


if __name__ == "__main__":
    asked = json.loads(Path(sys.argv[1]).read_text())
    if any(of["folder"] for of in asked.values()):
        import ray

        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    Path(sys.argv[2]).write_text(json.dumps(main(asked)))
