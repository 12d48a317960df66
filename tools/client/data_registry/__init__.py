"""Load, verify and log the releases of a data registry, from a clone of it or by its git URL.

    from data_registry import load, log_dataset

    train = load("emotion", "1.1.0", split="train").to_pandas()

Functions are imported when they are first used; what they need that is slow to load (pyarrow, minio), when they run.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_registry import errors
    from data_registry.downloads import get, verify
    from data_registry.releases.lookup import list_releases
    from data_registry.training.log_dataset import log_dataset
    from data_registry.training.split import Split, load, load_splits

__all__ = ["Split", "errors", "get", "list_releases", "load", "load_splits", "log_dataset", "verify"]

_MODULES = {
    "get": "data_registry.downloads",
    "verify": "data_registry.downloads",
    "list_releases": "data_registry.releases.lookup",
    "log_dataset": "data_registry.training.log_dataset",
    "Split": "data_registry.training.split",
    "load": "data_registry.training.split",
    "load_splits": "data_registry.training.split",
}

for _name in ("stage", "samples"):  # links, in place of which a clone without core.symlinks has files
    if (_folder := Path(__file__).parent / _name).is_file():
        __path__.append(str(_folder.parents[2] / _name))


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("data_registry.errors")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
