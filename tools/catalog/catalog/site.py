"""Write the catalogue: a folder of pages that need no server and ask nothing of the network."""

import os
import re
import shutil
import time
from collections.abc import Container
from dataclasses import dataclass
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
from data_registry.store.objects import Meter, in_parallel
from registry.batches import Failures
from registry.datasets import Dataset, find_datasets

from catalog.entries import read_entry, read_releases
from catalog.models import read_uses
from catalog.page import Page, make_page
from catalog.views import Card, dataset, index

FOLDER = "site"
THREADS = min(4, os.cpu_count() or 1)  # which compare versions, each in memory, and draw charts


@dataclass(frozen=True)
class Written:
    """Where the site is, what it has, and why releases are left out of it."""

    index: Path
    datasets: int
    releases: int
    seconds: float
    failures: Failures


def write_site(root: Path, remote: str, out: Path | None = None) -> Written:
    """Write ``site/``, or ``out``, anew; it takes the place of an earlier one once it is whole.

    Raises UsageError where ``out`` is a folder of other things.
    """
    started = time.monotonic()
    failures, lacking = Failures(), report_gaps(Git(root)).lines
    site = _place(root, out)
    with replacing_folder(site) as made:
        shutil.copytree(str(files("catalog") / "static"), made / "assets")
        (made / "datasets").mkdir()
        datasets = sorted(find_datasets(root, "all"), key=lambda each: each.name)
        names = {each.name for each in datasets}
        repository, uses = _repository(root), read_uses(root)
        with progress("catalogue", len(datasets), "datasets") as advance, Reading(root).opened() as git:
            releases, meter = read_releases(git), Meter(advance)

            def card(dataset: Dataset) -> Card | None:
                found = None
                with failures.collected(dataset.name):
                    entry = read_entry(dataset, releases.get(dataset.name, ()), remote)
                    page = make_page(entry, remote, repository, names, uses)
                    found = Card(page, _write_page(page, made / "datasets", names))
                    for error in (*entry.errors, *page.errors):
                        failures.add(error)
                meter(1)
                return found

            cards = [each for each in in_parallel(card, datasets, meter, THREADS) if each]
            failures.errors.sort(key=str)  # threads find them in any order
            lacking += [f"{error.where}: {error.what}" for error in failures.errors]
        elsewhere = {
            name: [str(each.version) for each, _ in releases[name]] for name in sorted(releases.keys() - names)
        }
        _write(made / "index.html", index(cards, elsewhere, lacking))
    count = sum(edition.release is not None for card in cards for edition in card.page.entry.editions)
    return Written(site / "index.html", len(cards), count, time.monotonic() - started, failures)


def _place(root: Path, out: Path | None) -> Path:
    """Return where the site goes: what is there is replaced, so it must be one."""
    site = out.absolute() if out else root / FOLDER
    if out and site.is_dir() and any(site.iterdir()) and not (site / "datasets").is_dir():
        raise UsageError(out, "already exists and is not a catalogue", "name a folder that is new or empty: OUT=...")
    return site


def _write_page(page: Page, folder: Path, pages: Container[str]) -> list[str]:
    """Write a page and the files beside it; return the paths of its pictures."""
    name = page.entry.name
    beside = folder / name
    beside.mkdir()
    pictures = []
    for number, picture in enumerate(page.profile.pictures):
        path = beside / f"{number}.{picture.suffix.lstrip('.')}"
        path.write_bytes(picture.data)
        pictures.append(f"{name}/{path.name}")
    if page.croissant:
        (beside / CROISSANT).write_bytes(page.croissant)
    _write(folder / f"{name}.html", dataset(page, pictures, pages))
    return pictures


def _write(path: Path, text: str) -> None:
    path.write_text(printable(text), encoding="utf-8", errors="replace")


def _repository(root: Path) -> str:
    """Return the git URL that consumers use: that of origin, without a password; or the clone's own path."""
    url = Git(root).run("remote", "get-url", "origin").stdout.decode().strip()
    if re.match(r"[a-z+]+://", url):
        user = urlsplit(url).username if "ssh" in urlsplit(url).scheme else None  # everybody's, as git@ is
        return safe_url(url).replace("://", f"://{user}@", 1) if user else safe_url(url)
    return str((root / url).resolve()) if url and (root / url).exists() else safe_url(url) or str(root.resolve())
