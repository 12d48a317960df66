"""A split of a release, ready to train on: as Arrow, pandas, Ray or Hugging Face data."""

import dataclasses
import importlib
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_registry.releases.registries import opened, user_cache
from data_registry.releases.release import Release
from data_registry.samples import Manifest, read_manifest
from data_registry.stage.errors import UsageError, VerificationFailed
from data_registry.stage.foreign import read_bytes
from data_registry.store.manifests import fetch_manifest, obtain
from data_registry.store.objects import LIST, Item, in_parallel, list_limit, parse_list
from data_registry.training.missing import with_missing
from data_registry.training.payload import read_table

FORMS = {"arrow": "pyarrow", "pandas": "pandas", "ray": "ray[data]", "huggingface": "datasets"}


@dataclasses.dataclass(frozen=True)
class Split:
    """The files of a split, in order, where they are on this machine; ``items`` has whatever else they name."""

    manifest: Manifest
    files: tuple[str, ...]
    items: dict[str, Path]  # by path in the dataset's folder


def load(
    name: str,
    version: str = "latest",
    *,
    split: str | None = None,
    as_: str = "arrow",
    repo: str | None = None,
    remote: str | None = None,
) -> Any:
    """Return a split of a release as an Arrow table, or as data of pandas, Ray or Hugging Face.

    ``version`` is a number, a whole tag as in DVC_DATA_VERSION, or ``latest``. The registry is ``repo``, DVC_REPO,
    DVC_REPO_URL, or the clone around; the data comes from DVC's cache or ``remote``, DVC_REMOTE, or the release's
    default, and every file is verified by its hash. Hugging Face gives all splits where none is named.

    Raises UsageError for what there is not, and what fetching an object raises.
    """
    if as_ not in FORMS:
        raise UsageError("as_", f"{as_!r:.40} is unknown", f"use one of: {', '.join(FORMS)}")
    library = _imported(as_)
    with opened(name, version, repo) as release:
        remote = remote or os.environ.get("DVC_REMOTE", "")
        manifest = fetch_manifest(release, remote)
        places = files_by_split(manifest)
        if split is not None and split not in places:
            raise UsageError("split", f"{release.tag} has no {split!r:.60}", f"use one of: {', '.join(places)}")
        if split is None and len(places) > 1 and as_ != "huggingface":
            raise UsageError("split", f"{release.tag} has several", f"use one of: {', '.join(places)}")
        chosen = [split] if split else list(places)
        found = {each: fetched(release, read_manifest(manifest), places[each], remote) for each in chosen}
    if split is None and len(places) > 1:
        return library.DatasetDict({each: library.Dataset(_table(part)) for each, part in found.items()})
    (part,) = found.values()
    return _shaped(as_, library, part)


def _shaped(as_: str, library: Any, part: Split) -> Any:
    if as_ == "ray":
        paths = [str(part.items[file]) for file in part.files]
        if all(file.endswith(".parquet") for file in part.files):
            return library.data.read_parquet(paths, file_extensions=None)
        return library.data.from_arrow(_table(part))
    table = _table(part)
    if as_ == "huggingface":
        return library.Dataset(table)
    return _frame(table) if as_ == "pandas" else table


def _frame(table: pa.Table) -> Any:
    """Return a table as pandas has it; integers of which some are missing as such, for floats are not as exact."""
    import pandas as pd  # slow to load, and only here

    frame = table.to_pandas()
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_integer(column.type) and column.null_count:
            nullable = str(column.type).replace("int", "Int").replace("u", "U")  # as UInt8
            frame[name] = column.to_pandas(types_mapper={column.type: pd.api.types.pandas_dtype(nullable)}.get)
    return frame


def _table(part: Split) -> pa.Table:
    tables = ((file, read_table([file], part.items, part.manifest.columns)) for file in part.files)
    return pa.concat_tables(
        with_missing(table, part.manifest.path, file) if file.endswith(".csv") else table for file, table in tables
    )


def _imported(as_: str) -> Any:
    module = FORMS[as_].partition("[")[0]
    try:
        importlib.import_module("ray.data") if as_ == "ray" else None
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"as_={as_!r}", f"{module} is not installed", f"pip install '{FORMS[as_]}'") from error


def files_by_split(manifest: Path) -> dict[str, list[str]]:
    """Return the files of each split, in their order."""
    table = pq.read_table(manifest, columns=["split", "file"], read_dictionary=["split", "file"])
    # Each row group of a manifest has a dictionary of its own, and Arrow groups by one alone.
    pairs = table.unify_dictionaries().group_by(["split", "file"], use_threads=False).aggregate([])
    found: dict[str, list[str]] = {}
    for pair in pairs.to_pylist():
        found.setdefault(pair["split"], []).append(pair["file"])
    return found


def fetched(release: Release, manifest: Manifest, files: list[str], remote: str) -> Split:
    """Fetch the files of a split, and what lies beside an ``annotations.json``."""
    target = user_cache() / release.tag
    items: list[Item] = []
    for output in release.outputs:
        if not output.is_folder and output.path in files:
            items.append(Item(output.path, output.md5, limit=output.size))
        if output.is_folder and any(file.startswith(f"{output.path}/") for file in files):
            listed = obtain(release, output.md5, target / ".lists" / output.md5, remote, list_limit(output))
            content = read_bytes(listed, LIST)
            items += [item for item in parse_list(output.path, content, output.size) if _belongs(item.path, files)]
    lacking = set(files) - {item.path for item in items}
    if lacking:
        what = f"its manifest names {min(lacking)}, which is no output of it"
        raise VerificationFailed(release.tag, what, "release it again under another version")
    paths = in_parallel(lambda item: obtain(release, item.md5, target / item.path, remote, item.limit), items)
    return Split(manifest, tuple(files), dict(zip((item.path for item in items), paths, strict=True)))


def _belongs(path: str, files: list[str]) -> bool:
    folders = [file.rpartition("/")[0] for file in files if file.endswith("/annotations.json")]
    return path in files or any(path.startswith(f"{folder}/") for folder in folders)
