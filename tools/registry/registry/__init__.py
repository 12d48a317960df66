"""Build, release, verify and explain datasets with git and DVC.

``load`` and ``log_dataset`` have moved to ``data_registry``; here they stay for programs that were written before. What
they need is imported when they are used: this package also runs where nothing is installed.
"""

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_registry import log_dataset

__all__ = ["load", "log_dataset"]

METHODS = {"arrow": "to_arrow", "pandas": "to_pandas", "ray": "to_ray", "huggingface": "to_huggingface"}
INSTALL = 'pip install "data-registry-client @ git+<url of the registry>#subdirectory=tools/client"'


def _load(
    name: str,
    version: str = "latest",
    *,
    split: str | None = None,
    as_: str = "arrow",
    repo: str | None = None,
    remote: str | None = None,
) -> Any:
    """Return a split of a release as Arrow, pandas, Ray or Hugging Face data, which has all splits if none is named."""
    import data_registry

    if as_ not in METHODS:
        what, fix = f"unknown format {as_!r:.40}", f"use one of: {', '.join(METHODS)}"
        raise data_registry.errors.UsageError("as_", what, fix)
    if as_ == "huggingface" and split is None:
        splits = data_registry.load_splits(name, version, repo=repo, remote=remote)
        if len(splits) > 1:
            from datasets import DatasetDict

            return DatasetDict({name: part.to_huggingface() for name, part in splits.items()})
    return getattr(data_registry.load(name, version, split=split, repo=repo, remote=remote), METHODS[as_])()


if TYPE_CHECKING:
    load = _load


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import data_registry
    except ImportError as error:
        raise ImportError(f"registry.{name} has moved to data_registry: {INSTALL}") from error
    more = ", whose to_arrow() returns what this one does" if name == "load" else ""
    text = f"registry.{name} has moved: from data_registry import {name}{more}"
    warnings.warn(text, DeprecationWarning, stacklevel=2)
    value = globals()[name] = _load if name == "load" else data_registry.log_dataset  # so this is called once a name
    return value
