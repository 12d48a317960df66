"""Write the catalogue: a folder of pages that need no server and ask nothing of the network."""

import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from stage.progress import progress

from registry.cards import CROISSANT
from registry.catalog.entries import read_entry, read_releases
from registry.catalog.models import read_uses
from registry.catalog.page import Page, make_page
from registry.catalog.views import Card, dataset, index
from registry.datasets import Dataset, find_datasets
from registry.git import Git, Reading
from registry.services.tracking import shown
from registry.storage.objects import Meter, in_parallel

FOLDER = "site"
THREADS = min(4, os.cpu_count() or 1)  # which compare versions, each in memory, and draw charts


@dataclass(frozen=True)
class Written:
    """Where the site is, and what it has."""

    index: Path
    datasets: int
    releases: int
    seconds: float


def write_site(root: Path, remote: str) -> Written:
    """Write ``site/`` anew; it appears once it is whole."""
    started = time.monotonic()
    parent = root / ".dvc" / "tmp"
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="site-", dir=parent) as scratch:
        made = Path(scratch) / FOLDER
        shutil.copytree(str(files("registry.catalog") / "static"), made / "assets")
        (made / "datasets").mkdir()
        datasets = sorted(find_datasets(root, "all"), key=lambda each: each.name)
        names = {each.name for each in datasets}
        repository, uses = _repository(root), read_uses(root)
        with progress("catalogue", len(datasets), "datasets") as advance, Reading(root).opened() as git:
            releases, meter = read_releases(git), Meter(advance)

            def card(dataset: Dataset) -> Card:
                entry = read_entry(dataset, releases.get(dataset.name, ()), remote)
                page = make_page(entry, remote, repository, names, uses)
                pictures = _write_page(page, made / "datasets")
                meter(1)
                return Card(page, pictures)

            cards = in_parallel(card, datasets, meter, THREADS)
        (made / "index.html").write_text(index(cards), encoding="utf-8")
        made.chmod(0o755)
        if (root / FOLDER).exists():
            (root / FOLDER).rename(Path(scratch) / "before")
        made.rename(root / FOLDER)
    count = sum(edition.release is not None for card in cards for edition in card.page.entry.editions)
    return Written(root / FOLDER / "index.html", len(cards), count, time.monotonic() - started)


def _write_page(page: Page, folder: Path) -> list[str]:
    """Write a page and the files beside it; return the paths of its pictures."""
    name, release = page.entry.name, page.entry.current.release
    beside = folder / name
    beside.mkdir()
    pictures = []
    for number, picture in enumerate(page.profile.pictures):
        path = beside / f"{number}.{picture.suffix.lstrip('.')}"
        path.write_bytes(picture.data)
        pictures.append(f"{name}/{path.name}")
    croissant = release.find(CROISSANT) if release else None
    if croissant:
        (beside / CROISSANT).write_bytes(croissant)
    (folder / f"{name}.html").write_text(dataset(page, pictures, croissant), encoding="utf-8")
    return pictures


def _repository(root: Path) -> str:
    """Return the git URL that consumers use: that of origin, without a password; or the clone's own path."""
    url = Git(root).run("remote", "get-url", "origin").stdout.decode().strip()
    if re.match(r"[a-z+]+://", url):
        return shown(url)
    return str((root / url).resolve()) if url and (root / url).exists() else url or str(root.resolve())
