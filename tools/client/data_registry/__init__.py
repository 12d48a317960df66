"""Read the releases of a data registry: from a clone of it, or by its git URL.

    from data_registry import load, log_dataset

Nothing but the standard library is imported until one of them is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_registry.training.loading import load
    from data_registry.training.log_dataset import log_dataset

__all__ = ["load", "log_dataset"]

_MODULES = {"load": "data_registry.training.loading", "log_dataset": "data_registry.training.log_dataset"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
