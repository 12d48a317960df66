"""The versions of a vector index: load one, make it the one that readers see, and go back."""

import logging
from pathlib import Path
from typing import Any

from data_registry.git import Git
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.stage.errors import InputMissing, VerificationFailed
from data_registry.stage.foreign import read_json
from data_registry.store.get import get
from data_registry.store.remote import open_store

from registry.build.temporary import scratch_folder
from registry.datasets import Dataset
from registry.index.running import PARAMS, run_tool

log = logging.getLogger(__name__)

EMBEDDINGS, RECEIPT = "embeddings.parquet", "receipt.json"


def load(dataset: Dataset, root: Path) -> Any:
    """Load the working copy into the database, where it is not there already; nothing changes for readers.

    Raises InputMissing where it is not built, and what pgloader does.
    """
    if not (dataset.folder / EMBEDDINGS).is_file():
        raise InputMissing(f"data/{dataset.name}/{EMBEDDINGS}", "is not there", f"make dataset DS={dataset.name}")
    return run_tool(root, dataset.folder, "pgloader", "load", *PARAMS, EMBEDDINGS, RECEIPT)


def load_release(release: Release, root: Path, remote: str) -> Any:
    """Load a release, as the remote has it."""
    with scratch_folder(root, release.tag) as scratch:
        folder = scratch / release.name  # get holds the lock of its own
        get(release, open_store(release.git, "HEAD", remote), folder)
        return run_tool(root, folder, "pgloader", "load", *PARAMS, EMBEDDINGS, RECEIPT)


def switch(dataset: Dataset, root: Path, remote: str, version: str = "latest") -> Any:
    """Let readers see a release from now on, loaded first where the database does not have it.

    Only a release can be switched to. Raises UsageError where it is none, and what pgloader does.
    """
    release = find_release(Git(root), dataset.name, version)
    if table_of(release) not in {each["table_name"] for each in status(dataset, root)["loads"] if each["bytes"]}:
        log.info("%s is not in the database: loading it", release.tag)
        load_release(release, root, remote)
    with scratch_folder(root, release.tag) as folder:
        for name in ("params.yaml", RECEIPT):
            (folder / name).write_bytes(release.read(name))
        return run_tool(root, folder, "pgloader", "switch", *PARAMS, RECEIPT, "--version", release.tag)


def rollback(dataset: Dataset, root: Path) -> Any:
    """Let readers see what they saw before the last switch."""
    return run_tool(root, dataset.folder, "pgloader", "rollback", *PARAMS)


def status(dataset: Dataset, root: Path) -> Any:
    """Return what the database has: its loads, and the one that readers see."""
    return run_tool(root, dataset.folder, "pgloader", "status", *PARAMS)


def table_of(release: Release) -> str:
    """Return the table that a release is loaded into, by its receipt."""
    where, fix = f"{release.tag} {RECEIPT}", "release it again under another version"
    return str(read_json(release.read(RECEIPT), where, {"table": str}, VerificationFailed, fix)["table"])


def released_table(dataset: Dataset, root: Path, version: str) -> str:
    """Return the table of a release by its version, tag, or ``latest``. Raises UsageError where it is none."""
    return table_of(find_release(Git(root), dataset.name, version))
