"""Build, release, verify and explain datasets with git and DVC.

``from registry import load, log_dataset`` is for those who train on them. Both are imported where they are used: this
package also runs where nothing is installed.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_registry.training.loading import load
    from data_registry.training.log_dataset import log_dataset

__all__ = ["load", "log_dataset"]

HOMES = {"load": "data_registry.training.loading", "log_dataset": "data_registry.training.log_dataset"}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)
