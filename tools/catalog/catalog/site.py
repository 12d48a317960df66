"""Write the catalogue: a folder of static pages that load nothing from elsewhere."""

import os
import re
import shutil
import time
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from data_registry.git import Git, Reading
from data_registry.releases.completeness import report_gaps
from data_registry.releases.release import CROISSANT
from data_registry.stage.errors import UsageError
from data_registry.stage.output import replacing_folder
from data_registry.stage.progress import progress
from data_registry.stage.redaction import printable, safe_url
from data_registry.store.parallel import Meter, in_parallel
from registry.batches import Failures
from registry.datasets import Dataset, find_datasets

from catalog.entries import read_entry, read_releases
from catalog.models import read_uses
from catalog.page import Page, make_page
from catalog.profile import Picture, Sound
from catalog.views import Built, Card, dataset_html, index_html

FOLDER = "site"
THREADS = min(4, os.cpu_count() or 1)  # each compares versions in memory, and draws charts


@dataclass(frozen=True)
class Site:
    """Where the index is, what the site contains, and why releases are left out of it."""

    index: Path
    datasets: int
    releases: int
    seconds: float
    failures: Failures


def write_site(root: Path, remote: str, out: Path | None = None) -> Site:
    """Write ``site/`` or ``out``, replacing an earlier catalogue once the new one is complete.

    Raises UsageError if ``out`` is a folder with other contents.
    """
    started = time.monotonic()
    failures, incomplete = Failures(), report_gaps(Git(root)).lines
    target = _target(root, out)
    with replacing_folder(target) as folder:
        shutil.copytree(str(files("catalog") / "static"), folder / "assets")
        (folder / "datasets").mkdir()
        datasets = sorted(find_datasets(root, "all"), key=lambda dataset: dataset.name)
        names = {dataset.name for dataset in datasets}
        repository, uses = _repository(root), read_uses(root)
        with progress("catalogue", len(datasets), "datasets") as advance, Reading(root).opened() as git:
            releases, meter = read_releases(git), Meter(advance)

            def write_dataset(dataset: Dataset) -> Card | None:
                card = None
                with failures.collected(dataset.name):
                    entry = read_entry(dataset, releases.get(dataset.name, ()), remote)
                    page = make_page(entry, remote, repository, names, uses)
                    card = Card(page, _write_page(page, folder / "datasets", names))
                    for error in (*entry.errors, *page.errors):
                        failures.add(error)
                meter(1)
                return card

            cards = [card for card in in_parallel(write_dataset, datasets, meter, THREADS) if card]
            failures.errors.sort(key=str)  # threads add them in any order
            incomplete += [f"{error.where}: {error.what}" for error in failures.errors]
        removed = {
            name: [str(release.version) for release, _ in releases[name]] for name in sorted(releases.keys() - names)
        }
        known = sum(len(releases.get(name, ())) for name in names)
        read = sum(edition.release is not None for card in cards for edition in card.page.entry.editions)
        built = Built(*_head(root), known, read, incomplete)
        _write(folder / "index.html", index_html(cards, removed, built))
    return Site(target / "index.html", len(cards), read, time.monotonic() - started, failures)


def _target(root: Path, out: Path | None) -> Path:
    """Return the folder to replace, which must be an earlier catalogue if it is not empty."""
    target = out.absolute() if out else root / FOLDER
    if out and target.is_dir() and any(target.iterdir()) and not (target / "datasets").is_dir():
        raise UsageError(out, "already exists and is not a catalogue", "choose a new or empty folder: OUT=...")
    return target


def _head(root: Path) -> tuple[str, str]:
    """Return the hash of the current commit and its time in UTC; empty texts before the first one."""
    line = Git(root).run("rev-list", "-1", "--timestamp", "HEAD").stdout.decode().strip()
    seconds, _, commit = line.partition(" ")
    return commit, f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%d %H:%M UTC}" if commit else ""


def _write_page(page: Page, folder: Path, pages: Container[str]) -> list[str]:
    """Write a page and the files beside it; return the paths of its pictures."""
    name = page.entry.name
    beside = folder / name
    beside.mkdir()

    def write(stem: str, file: Picture | Sound) -> str:
        path = beside / f"{stem}{file.suffix}"
        path.write_bytes(file.data)
        return f"{name}/{path.name}"

    pictures = [write(str(number), picture) for number, picture in enumerate(page.profile.pictures)]
    sounds = [write(f"sound-{n}", sound) if sound.data else "" for n, sound in enumerate(page.profile.sounds)]
    if page.croissant:
        (beside / CROISSANT).write_bytes(page.croissant)
    _write(folder / f"{name}.html", dataset_html(page, pictures, sounds, pages))
    return pictures


def _write(path: Path, text: str) -> None:
    path.write_text(printable(text), encoding="utf-8", errors="replace")


def _repository(root: Path) -> str:
    """Return the git URL that consumers use: that of origin, without a password; or the path of the clone."""
    url = Git(root).run("remote", "get-url", "origin").stdout.decode().strip()
    if re.match(r"[a-z+]+://", url):
        user = urlsplit(url).username if "ssh" in urlsplit(url).scheme else None  # shared by all, as in git@
        return safe_url(url).replace("://", f"://{user}@", 1) if user else safe_url(url)
    return str((root / url).resolve()) if url and (root / url).exists() else safe_url(url) or str(root.resolve())
