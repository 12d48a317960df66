"""What a branch changes in the data: its datasets built anew, and compared with their last releases, built anew."""

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
from data_registry.stage.errors import StageError
from data_registry.store.manifests import NAME
from registry.compare.diff import compare
from registry.compare.diff_report import as_markdown
from registry.datasets import Dataset, built_manifest, find_datasets
from registry.repair.rebuild import rebuilt

from cluster.kubernetes.changed import changed_datasets

log = logging.getLogger(__name__)


class BuildFailed(StageError):
    """A build ended with an exit code of its own, which is passed on."""

    def __init__(self, dataset: Dataset, code: int) -> None:
        self.code = code
        super().__init__(dataset.name, f"building it failed with exit {code}", "see its error line above")


def review(root: Path, base: str) -> Iterator[tuple[str, StageError | None]]:
    """Yield the Markdown of each dataset that differs from ``base``, and the error where it could not be compared.

    No remote is asked, so whoever has the sources can do it. Datasets made from a release of another are left out, for
    that is on the remote alone. Raises UsageError for a base that is none.
    """
    git = Git(root)
    report_gaps(git)
    changed = changed_datasets(git, base)
    datasets = [each for each in find_datasets(root, "all") if each.name in changed and not each.parent]
    for dataset in datasets:
        try:
            yield _compared(dataset, root), None
        except StageError as error:
            yield f"### {dataset.name}\n\nCould not be compared; see the log of this job.", error
    if not datasets:
        yield "No dataset that has sources differs.", None


def _compared(dataset: Dataset, root: Path) -> str:
    git = Git(root)
    versions = released(git, dataset.name).get(dataset.name)
    log.info("%s: building it as it is here", dataset.name)
    command = [str(root / "tools" / "run"), "registry", "dataset", dataset.name]
    done = subprocess.run(command, cwd=root, env={**elsewhere(os.environ), "SOURCE": "upstream"}, stdout=sys.stderr)
    if done.returncode:
        raise BuildFailed(dataset, done.returncode if done.returncode > 0 else 128 - done.returncode)
    if not versions:
        return f"### {dataset.name}\n\nBuilt; there is no release yet to compare it with."
    release = Release(git, dataset.name, versions[-1])
    log.info("%s: building %s again", dataset.name, release.tag)
    with rebuilt(release, root) as clone:
        folder = clone / release.folder
        before = Dataset(dataset.name, folder).metadata()
        found = compare(folder / NAME, built_manifest(dataset), before, dataset.metadata())
    return as_markdown(f"{dataset.name} {release.version} -> this branch", found)
