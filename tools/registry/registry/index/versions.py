"""The versions of a vector index: load one, point readers at it, and roll back."""

import logging
from pathlib import Path
from typing import Any

from data_registry.git import Git
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.stage.errors import InputMissing, UsageError, VerificationFailed
from data_registry.stage.foreign import read_json
from data_registry.store.get import get
from data_registry.store.remote import open_store

from registry.build.running import run_tool
from registry.build.scratch import scratch_folder
from registry.datasets import Dataset, find_datasets

log = logging.getLogger(__name__)

EMBEDDINGS, RECEIPT = "embeddings.parquet", "receipt.json"


def find_index(root: Path, name: str = "") -> Dataset:
    """Return the named dataset, or the first one with a pgloader stage. Raises UsageError where it has none."""
    datasets = find_datasets(root, name, all_of_them=False) if name else find_datasets(root, "all")
    for dataset in datasets:
        if "pgloader" in dataset.stages():
            return dataset
    fix = "choose a vector index, as opencloudhub-readmes-embeddings"
    raise UsageError("DS", f"{name:.70} has no pgloader stage" if name else "no dataset has a pgloader stage", fix)


def load(dataset: Dataset, root: Path) -> Any:
    """Load the working copy into the database, unless it is there; readers see no change.

    Raises InputMissing where it is not built, and ChildFailed.
    """
    if not (dataset.folder / EMBEDDINGS).is_file():
        raise InputMissing(f"data/{dataset.name}/{EMBEDDINGS}", "not built", f"make dataset DS={dataset.name}")
    return run_tool(root, dataset.folder, "pgloader", "load", EMBEDDINGS, RECEIPT)


def load_release(release: Release, root: Path, remote: str) -> Any:
    """Load a release from the remote."""
    with scratch_folder(root, release.tag) as scratch:
        folder = scratch / release.name  # get locks the folder that it writes
        get(release, open_store(release.git, "HEAD", remote), folder)
        return run_tool(root, folder, "pgloader", "load", EMBEDDINGS, RECEIPT)


def switch(dataset: Dataset, root: Path, remote: str, version: str) -> Any:
    """Point readers at a release, loaded first if the database does not have it.

    Raises UsageError for a version that is not released, and ChildFailed.
    """
    release = find_release(Git(root), dataset.name, version)
    status = run_tool(root, dataset.folder, "pgloader", "status")
    if table_of(release) not in {entry["table_name"] for entry in status["loads"] if entry["bytes"]}:
        log.info("loading %s: it is not in the database", release.tag)
        load_release(release, root, remote)
    with scratch_folder(root, release.tag) as folder:
        for name in ("params.yaml", RECEIPT):
            (folder / name).write_bytes(release.read(name))
        return run_tool(root, folder, "pgloader", "switch", RECEIPT, "--version", release.tag)


def rollback(dataset: Dataset, root: Path) -> Any:
    """Point readers back at what they saw before the last switch."""
    return run_tool(root, dataset.folder, "pgloader", "rollback")


def table_of(release: Release) -> str:
    """Return the table of a release, from its receipt."""
    where, fix = f"{release.tag} {RECEIPT}", "release it again under another version"
    return str(read_json(release.read(RECEIPT), where, {"table": str}, VerificationFailed, fix)["table"])


def released_table(dataset: Dataset, root: Path, version: str) -> str:
    """Return the table of a release by its version, tag, or ``latest``. Raises UsageError for an unknown version."""
    return table_of(find_release(Git(root), dataset.name, version))
