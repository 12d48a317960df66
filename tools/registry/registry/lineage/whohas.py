"""Every release, and every registered model, that a sample is in: the list to take it down from."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from data_registry.git import Git
from data_registry.releases.completeness import report_gaps
from data_registry.releases.release import Release
from data_registry.releases.versions import released
from data_registry.samples import read_manifest
from data_registry.stage.errors import CorruptFile, Incomplete
from data_registry.stage.progress import progress
from data_registry.store.manifests import NAME as MANIFEST
from data_registry.store.manifests import fetch_manifest, has_manifest
from data_registry.training.selection import ID, TRAINING, Selection

from registry.batches import Failures
from registry.lineage.runs import Trained, all_models, read_selections
from registry.lineage.sought import Names, Sought, names_in

if TYPE_CHECKING:
    from mlflow import MlflowClient

SELECTED, NOT_SELECTED, NOT_LOGGED = "selected", "not selected", "not logged"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a release has the sample. ``equal`` is what of it is the same: its id, content, key, or the file."""

    tag: str
    sample_id: str
    split: str
    file: str
    row: int
    equal: str


@dataclasses.dataclass(frozen=True)
class Model:
    """A model whose run names a release that has the sample; ``contexts`` say what it was selected for."""

    model: str
    version: str
    run_id: str
    tag: str
    status: str
    contexts: list[str]


@dataclasses.dataclass(frozen=True)
class Found:
    """Where a sample is.

    ``silent`` are models of which nothing says what they were trained on, ``unsearched`` releases without a manifest,
    ``unread`` releases and models that could not be read, and why; ``incomplete`` says what else the clone lacks.
    """

    releases: list[Place]
    models: list[Model]
    silent: list[str]
    unsearched: list[str]
    unread: list[str]
    incomplete: list[str]

    def check(self) -> None:
        """Raise Incomplete where not every release could be searched."""
        missing = [*self.unread, *(f"{tag} has no manifest" for tag in self.unsearched), *self.incomplete]
        if missing:
            what = f"the answer is incomplete: {missing[0]}" + f" ({len(missing)} in all)" * (len(missing) > 1)
            raise Incomplete("whohas", what, "fetch, repair or look by hand at what is named, then run again")


def whohas(client: "MlflowClient", root: Path, sample: str, remote: str = "") -> Found:
    """Look for a sample in every release of every dataset, and in the models that were trained on those.

    What has the key of a sample that was found is found too: a copy of it is the same to whoever wants it gone.
    What cannot be read is named in the answer. Raises UsageError or InputMissing for what is no sample.
    """
    git, sought, failures = Git(root), Sought.parse(sample), Failures()
    lacking = report_gaps(git).lines
    releases = [Release(git, name, version) for name, known in released(git).items() for version in known]
    manifests, unsearched = {}, []
    with progress("reading manifests", len(releases), "releases") as advance:
        for release in releases:
            with failures.collected(release.tag), _manifest_of(release):
                if has_manifest(release):
                    manifests[release] = fetch_manifest(release, remote)
                else:
                    unsearched.append(release.tag)
            advance(1)
    found: dict[tuple[str, str], Place] = {}
    copies: set[bytes] = set()
    for release, path in [*manifests.items()]:
        before = len(failures.errors)
        with failures.collected(release.tag), _manifest_of(release):
            for place, key in _search(release.tag, path, sought, names_in(sought, read_manifest(path))):
                found[place.tag, place.sample_id] = place
                copies.add(key)
        if len(failures.errors) > before:
            del manifests[release]
    for release, path in manifests.items() if copies else ():
        for place, _ in _search(release.tag, path, sought, Names(keys=frozenset(copies))):
            found.setdefault((place.tag, place.sample_id), place)
    places = list(found.values())
    models, silent = _models(client, places, {release.tag for release in manifests}, failures)
    unread = [f"{error.where}: {error.what}" for error in failures.errors]
    return Found(places, models, silent, unsearched, unread, lacking)


@contextlib.contextmanager
def _manifest_of(release: Release) -> Iterator[None]:
    """Say that a release has no manifest that can be read, where Arrow finds so."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise CorruptFile(f"{release.tag} {MANIFEST}", f"is no sample manifest: {error}", "make verify") from error


def _search(tag: str, path: Path, sought: Sought, names: Names) -> Iterator[tuple[Place, bytes]]:
    """Yield the samples of a manifest that have one of the names, and their keys."""
    key = "key_hash" if read_manifest(path).key else "content_hash"
    ids = {sought.value} if sought.kind == "id" else set()
    wanted: dict[str, tuple[str, Iterable[Any], pa.DataType]] = {
        "sample_id": ("id", ids, pa.binary(16)),
        "content_hash": ("content", names.contents, pa.binary(32)),
        key: ("key", names.keys, pa.binary(32)),
        "file": ("file", names.files, pa.string()),
    }
    if key == "content_hash":
        wanted[key] = ("content", names.contents | names.keys, pa.binary(32))
    sets = {name: pa.array(list(values), kind) for name, (_, values, kind) in wanted.items() if values}
    if not sets:
        return
    columns = list(dict.fromkeys(["sample_id", "split", "file", "row", key, *sets]))
    with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        for batch in file.iter_batches(columns=columns):
            masks = {name: pc.is_in(batch[name], value_set=values) for name, values in sets.items()}
            for name, mask in masks.items():
                for each in batch.filter(mask).to_pylist():
                    equal = wanted[name][0]
                    place = Place(tag, each["sample_id"].hex(), each["split"], each["file"], each["row"], equal)
                    yield place, each[key]


def _models(
    client: "MlflowClient", places: list[Place], known: set[str], failures: Failures
) -> tuple[list[Model], list[str]]:
    """Return the models that were trained on releases that have the sample, and those of which nobody can tell."""
    models, silent = [], []
    for trained in all_models(client):
        tag, _ = trained.said
        if tag not in known:
            silent.append(f"{trained.model}/{trained.version}" + (f" ({tag})" if tag else ""))
        elif places:
            with failures.collected(f"{trained.model}/{trained.version}"):
                models += list(_uses(client, trained, tag, places))
    return models, silent


def _uses(client: "MlflowClient", trained: Trained, said: str, places: list[Place]) -> Iterator[Model]:
    selections = read_selections(client, trained)
    for tag in dict.fromkeys([said, *(selection.tag for selection, _ in selections)]):
        there = [place for place in places if place.tag == tag]
        logged = [(selection, ids) for selection, ids in selections if selection.tag == tag]
        contexts = dict.fromkeys(selection.context for selection, ids in logged if _holds(selection, ids, there))
        if there:
            complete = any(selection.context == TRAINING for selection, _ in logged)
            status = SELECTED if contexts else NOT_SELECTED if complete else NOT_LOGGED
            run_id = trained.runs[0].info.run_id
            yield Model(trained.model, trained.version, run_id, tag, status, list(contexts))


def _holds(selection: Selection, ids: pa.Array | None, places: list[Place]) -> bool:
    if ids is None:
        return any(selection.split in {"", place.split} for place in places)
    wanted = pa.array([bytes.fromhex(place.sample_id) for place in places], ID)
    return bool(pc.any(pc.is_in(wanted, value_set=ids)).as_py())
