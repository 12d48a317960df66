"""Compare the datasets that a branch changes with their last releases, both built from their sources."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from data_registry.git import Git
from data_registry.git_settings import elsewhere
from data_registry.releases.completeness import report_gaps
from data_registry.releases.release import Release
from data_registry.releases.versions import released
from data_registry.stage.errors import ChildFailed, StageError
from data_registry.store.manifests import NAME
from registry.compare.diff import as_markdown
from registry.compare.matching import compare
from registry.datasets import Dataset, built_manifest, find_datasets
from registry.repair.rebuild import rebuilt

from cluster.github.request import changed_datasets

log = logging.getLogger(__name__)


def review(root: Path, base: str) -> Iterator[tuple[str, StageError | None]]:
    """Yield the Markdown of each dataset that differs from ``base``, and the error if it could not be compared.

    No remote is needed, only the sources. Datasets made from a release of another one are left out, for that is on the
    remote alone. Raises UsageError for an unknown base.
    """
    git = Git(root)
    report_gaps(git)
    changed = changed_datasets(git, base)
    datasets = [dataset for dataset in find_datasets(root, "all") if dataset.name in changed and not dataset.parent]
    for dataset in datasets:
        try:
            yield _comparison(dataset, root), None
        except StageError as error:
            yield f"### {dataset.name}\n\nThe comparison failed; see the log of this job.", error
    if not datasets:
        yield "No dataset with sources has changed.", None


def _comparison(dataset: Dataset, root: Path) -> str:
    git = Git(root)
    versions = released(git, dataset.name).get(dataset.name)
    log.info("%s: building the working tree", dataset.name)
    command = [str(root / "tools" / "run"), "registry", "dataset", dataset.name]
    done = subprocess.run(command, cwd=root, env={**elsewhere(os.environ), "SOURCE": "upstream"}, stdout=sys.stderr)
    if done.returncode:
        raise ChildFailed(dataset.name, "build", done.returncode)
    if not versions:
        return f"### {dataset.name}\n\nBuilt; there is no release to compare it with yet."
    release = Release(git, dataset.name, versions[-1])
    log.info("%s: building %s again", dataset.name, release.tag)
    with rebuilt(release, root) as clone:
        folder = clone / release.folder
        before = Dataset(dataset.name, folder).metadata()
        differences = compare(folder / NAME, built_manifest(dataset), before, dataset.metadata())
    return as_markdown(f"{dataset.name} {release.version} -> this branch", differences)
