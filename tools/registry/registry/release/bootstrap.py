"""Release every dataset for the first time, parents first."""

import logging
from collections.abc import Iterator
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.versions import released

from registry.batches import Failures
from registry.build.pipeline import reproduce
from registry.datasets import find_datasets
from registry.release.numbering import FIRST
from registry.release.release import Released, release

log = logging.getLogger(__name__)


def bootstrap(root: Path, remote: str, force: bool = False, with_embeddings: bool = False) -> Iterator[Released]:
    """Build and release every dataset as 1.0.0, and yield the outcomes; existing releases stay.

    ``force`` also runs stages that are current. The failure of a dataset does not stop the others; the gravest is
    raised at the end, and the next run does the rest.
    """
    Git(root).run("fetch", "-q", "--tags")  # releases of others count too; release() reports what is wrong
    failures = Failures()
    for dataset in find_datasets(root, "all"):
        done = None
        with failures.collected(dataset.name):
            if dataset.parent and not with_embeddings:
                log.info("%s: skipped (WITH_EMBEDDINGS=1 builds it)", dataset.name)
            elif (versions := released(Git(root), dataset.name).get(dataset.name, [])) and versions[-1] > FIRST:
                log.info("%s: already at %s", dataset.name, versions[-1])
            else:
                reproduce(dataset, root, remote, force)
                done = release(dataset, root, remote, str(FIRST))
        if done:
            yield done
    failures.end()
