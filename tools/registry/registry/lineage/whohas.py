"""Find every release and every registered model that has a sample, so that it can be removed."""

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
from data_registry.stage.errors import CorruptFile, Incomplete, UsageError
from data_registry.stage.progress import progress
from data_registry.store.manifests import NAME as MANIFEST
from data_registry.store.manifests import fetch_manifest, has_manifest
from data_registry.training.selection import ID, TRAINING, Selection

from registry.batches import Failures
from registry.datasets import features_of
from registry.lineage.query import Names, Query, names_in
from registry.lineage.runs import Trained, all_models, read_selections
from registry.terminal import printable, row, rows

if TYPE_CHECKING:
    from mlflow import MlflowClient

SELECTED, NOT_SELECTED, NOT_LOGGED = "selected", "not selected", "not logged"
MEANINGS = {
    SELECTED: "was given it",
    NOT_SELECTED: "its release has it, its logged selection does not",
    NOT_LOGGED: "its release has it, and no selection is logged: it may have been given it",
}


@dataclasses.dataclass(frozen=True)
class Match:
    """A sample of a release that matches, by its id, content, key or file (``equal``)."""

    tag: str
    sample_id: str
    split: str
    file: str
    row: int
    equal: str


@dataclasses.dataclass(frozen=True)
class Model:
    """A model whose run names a release with the sample; ``contexts`` are those that it was selected for."""

    model: str
    version: str
    run_id: str
    tag: str
    status: str
    contexts: list[str]


@dataclasses.dataclass(frozen=True)
class Occurrences:
    """The releases and models that have a sample, and what could not be searched.

    ``silent`` are models whose training data is unknown, ``unsearched`` releases without a manifest, ``unread``
    releases and models that could not be read, and why; ``incomplete`` says which releases the clone lacks.
    """

    releases: list[Match]
    models: list[Model]
    silent: list[str]
    unsearched: list[str]
    unread: list[str]
    incomplete: list[str]

    def check(self) -> None:
        """Raise Incomplete where not every release could be searched."""
        missing = [*self.unread, *(f"{tag} has no manifest" for tag in self.unsearched), *self.incomplete]
        if missing:
            what = f"the list is incomplete: {missing[0]}" + f" ({len(missing)} in all)" * (len(missing) > 1)
            raise Incomplete("whohas", what, "fetch or repair what is named, then run again")


def whohas(client: "MlflowClient", root: Path, sample: str, remote: str = "") -> Occurrences:
    """Look for a sample in every release of every dataset, and in the models that were trained on those.

    Samples with the key of a match match too: copies have to be removed as well. Releases that cannot be read are named
    in the result. Raises UsageError or InputMissing for an invalid ``sample``.
    """
    git, query, failures = Git(root), Query.parse(sample), Failures()
    lacking = report_gaps(git).lines
    releases = [Release(git, name, version) for name, versions in released(git).items() for version in versions]
    manifests, unsearched = {}, []
    with progress("reading manifests", len(releases), "releases") as advance:
        for release in releases:
            with failures.collected(release.tag), _manifest_of(release):
                if has_manifest(release):
                    manifests[release] = fetch_manifest(release, remote)
                else:
                    unsearched.append(release.tag)
            advance(1)
    matches: dict[tuple[str, str], Match] = {}
    keys: set[bytes] = set()
    refused, fits = "", False
    for release, path in [*manifests.items()]:
        before = len(failures.errors)
        with failures.collected(release.tag), _manifest_of(release):
            features = features_of(release.metadata) if query.kind in {"file", "text"} else {}
            names = names_in(query, read_manifest(path), features)
            refused, fits = refused or names.refused, fits or bool(names.keys)
            if names.needs_row:
                lacking = [*lacking, f"{release.tag}: its key is not a file alone: look for an id or row:JSON"]
            for match, key in _search(release.tag, path, query, names):
                matches[match.tag, match.sample_id] = match
                keys.add(key)
        if len(failures.errors) > before:
            del manifests[release]
    if refused and not fits and isinstance(query.value, dict):  # by the names of its columns, it was meant for these
        raise UsageError("SAMPLE row", refused, "correct the value")
    for release, path in manifests.items() if keys else ():
        for match, _ in _search(release.tag, path, query, Names(keys=frozenset(keys))):
            matches.setdefault((match.tag, match.sample_id), match)
    models, silent = _models(client, [*matches.values()], {release.tag for release in manifests}, failures)
    unread = [f"{error.where}: {error.what}" for error in failures.errors]
    return Occurrences([*matches.values()], models, silent, unsearched, unread, lacking)


@contextlib.contextmanager
def _manifest_of(release: Release) -> Iterator[None]:
    """Raise CorruptFile where Arrow cannot read the manifest of a release."""
    try:
        yield
    except (ValueError, KeyError) as error:
        raise CorruptFile(f"{release.tag} {MANIFEST}", f"invalid sample manifest: {error}", "make verify") from error


def _search(tag: str, path: Path, query: Query, names: Names) -> Iterator[tuple[Match, bytes]]:
    """Yield the samples of a manifest that have one of the names, with their keys."""
    key = "key_hash" if read_manifest(path).key else "content_hash"
    ids = {query.value} if query.kind == "id" else set()
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
                for sample in batch.filter(mask).to_pylist():
                    location = (sample["split"], sample["file"], sample["row"])
                    yield Match(tag, sample["sample_id"].hex(), *location, wanted[name][0]), sample[key]


def _models(
    client: "MlflowClient", matches: list[Match], known: set[str], failures: Failures
) -> tuple[list[Model], list[str]]:
    """Return the models that were trained on releases with the sample, and those whose training data is unknown."""
    models, silent = [], []
    for trained in all_models(client):
        tag, _ = trained.release
        if tag not in known:
            silent.append(f"{trained.model}/{trained.version}" + (f" ({tag})" if tag else ""))
        elif matches:
            with failures.collected(f"{trained.model}/{trained.version}"):
                models += list(_uses(client, trained, tag, matches))
    return models, silent


def _uses(client: "MlflowClient", trained: Trained, release: str, matches: list[Match]) -> Iterator[Model]:
    selections = read_selections(client, trained)
    for tag in dict.fromkeys([release, *(selection.tag for selection, _ in selections)]):
        in_release = [match for match in matches if match.tag == tag]
        logged = [(selection, ids) for selection, ids in selections if selection.tag == tag]
        contexts = dict.fromkeys(selection.context for selection, ids in logged if _has(selection, ids, in_release))
        if in_release:
            complete = any(selection.context == TRAINING for selection, _ in logged)
            status = SELECTED if contexts else NOT_SELECTED if complete else NOT_LOGGED
            run_id = trained.runs[0].info.run_id
            yield Model(trained.model, trained.version, run_id, tag, status, list(contexts))


def _has(selection: Selection, ids: pa.Array | None, matches: list[Match]) -> bool:
    if ids is None:
        return any(selection.split in {"", match.split} for match in matches)
    wanted = pa.array([bytes.fromhex(match.sample_id) for match in matches], ID)
    return bool(pc.any(pc.is_in(wanted, value_set=ids)).as_py())


def as_text(sample: str, result: Occurrences) -> str:
    """Return a result for a terminal of 80 columns."""
    text = printable(sample)
    lines = [text if len(text) <= 76 else f"{text[:75]}…"]
    matches = result.releases
    texts = [f"{match.tag}  {match.file} row {match.row}  {match.sample_id} (by {match.equal})" for match in matches]
    partial = result.unread or result.incomplete or result.unsearched
    lines += rows("releases", texts or ["not found in those that could be read" if partial else "not found"])
    for model in result.models:
        contexts = f" for {', '.join(model.contexts)}" if model.contexts else ""
        lines += row("model", f"{model.model}/{model.version}: {MEANINGS[model.status]}{contexts} ({model.tag})")
    if matches and not result.models:
        lines += row("models", "none was trained on a release that has it")
    if result.silent:
        lines += row("unknown", f"models whose training data is unknown: {', '.join(result.silent)}")
    if result.unsearched:
        lines += row("not seen", f"releases without a manifest: {', '.join(result.unsearched)}")
    lines += rows("unread", result.unread)
    lines += rows("incomplete", result.incomplete)
    return "\n".join(lines)
