"""Find the samples that a registered model was trained on: from MLflow to its run, the release, and the rows."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from data_registry.git import Git
from data_registry.releases.completeness import report_gaps
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.releases.versions import TAG
from data_registry.stage.errors import InputMissing, UsageError, VerificationFailed
from data_registry.stage.output import replacing
from data_registry.store.manifests import fetch_manifest
from data_registry.training.log_dataset import VERSION
from data_registry.training.selection import ALL, TRAINING, Selection

from registry.lineage.runs import Trained, find_model, read_selections
from registry.terminal import INDENT, row, rows

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOT_LOGGED = "not logged"
LONGEST = 20  # characters of a context that widen the column of labels


@dataclasses.dataclass(frozen=True)
class Part:
    """Samples of a release that a run used; ``how`` they were selected, or ``not logged``.

    ``samples`` has the columns ``sample_id``, ``split``, ``file`` and ``row``.
    """

    tag: str
    logical_hash: str
    context: str
    split: str
    how: str
    samples: pa.Table
    of: int  # number of samples in the release
    repeated: int = 0  # how many of the samples repeat an earlier one

    @property
    def ids(self) -> list[str]:
        """The ids of the samples, as hex digits."""
        return [sample_id.hex() for sample_id in self.samples["sample_id"].to_pylist()]


@dataclasses.dataclass(frozen=True)
class Explanation:
    """The origin of a model: its run, the release, and the samples by context."""

    model: str
    version: str
    run_id: str
    release: str
    said_in: str  # where the run names the release: "tag" or "param"
    image: str
    workflow: str
    provenance: dict[str, Any]
    parts: list[Part]


def explain(client: "MlflowClient", root: Path, model: str, remote: str = "") -> Explanation:
    """Explain a model version, ``name/version`` or ``name@alias``.

    Raises InputMissing where MLflow has no such model or this clone no such release, UsageError where the run names no
    release, VerificationFailed where the release has changed since the run.
    """
    git = Git(root)
    report_gaps(git)
    trained = find_model(client, model)
    tag, said_in = release_of(trained)
    release = _release(git, tag)
    selections = read_selections(client, trained)
    parts = [_part(_release(git, selection.tag), selection, ids, remote) for selection, ids in selections]
    if not any(part.tag == tag and part.context == TRAINING for part in parts):
        samples = _rows(release, remote)
        parts.insert(0, Part(tag, release.logical_hash, TRAINING, "", NOT_LOGGED, samples, len(samples)))
    return Explanation(
        trained.model,
        trained.version,
        trained.runs[0].info.run_id,
        tag,
        said_in,
        trained.value_of("docker_image_tag")[0],
        trained.value_of("argo_workflow_uid")[0],
        release.metadata.get("provenance", {}),
        parts,
    )


def release_of(trained: Trained) -> tuple[str, str]:
    """Return the tag that a model's run names, and where it does. Raises UsageError where it names none."""
    where = f"models:/{trained.model}/{trained.version}"
    if not trained.runs:
        fix = "register models from their run: mlflow.register_model(f'runs:/{run_id}/model', name)"
        raise UsageError(where, "has no run, so its training data is unknown", fix)
    tag, said_in = trained.release
    fix = "call log_dataset in the training, or set that tag on the run to <dataset>-v<version>"
    if not tag:
        raise UsageError(where, f"run {trained.runs[0].info.run_id} has no tag or param {VERSION}", fix)
    if not TAG.fullmatch(tag):
        raise UsageError(where, f"invalid {VERSION} {tag!r:.80} in its run: expected a release tag", fix)
    return tag, said_in


def _release(git: Git, tag: str) -> Release:
    if not (match := TAG.fullmatch(tag)):
        raise InputMissing(tag, "not a release tag", "check the run in MLflow")
    try:
        return find_release(git, match["name"], match["version"])
    except UsageError as error:
        raise InputMissing(tag, "release not found in this clone", "git fetch --tags, then run again") from error


def _part(release: Release, selection: Selection, ids: pa.Array | None, remote: str) -> Part:
    if selection.logical_hash != release.logical_hash:
        what = f"logical hash {release.logical_hash[:16]} differs from the run's {selection.logical_hash[:16]}"
        raise VerificationFailed(release.tag, what, "compare with the registry that the run names")
    everything = _rows(release, remote)
    samples = everything
    if ids is not None:
        indices = pc.index_in(ids, value_set=everything["sample_id"].combine_chunks())
        if indices.null_count:
            what = f"{indices.null_count} samples that the run logged are not in this release"
            raise VerificationFailed(release.tag, what, "compare with the registry that the run names")
        samples = everything.take(indices)
    elif selection.split:
        samples = everything.filter(pc.equal(everything["split"], selection.split))
    logged = (selection.context, selection.split, selection.how)
    return Part(release.tag, release.logical_hash, *logged, samples, len(everything), selection.repeated)


def _rows(release: Release, remote: str) -> pa.Table:
    return pq.read_table(fetch_manifest(release, remote), columns=["sample_id", "split", "file", "row"])


def write_ids(explanation: Explanation, path: Path) -> None:
    """Write the samples as CSV: ``sample_id`` (hex), ``context``, ``release``, ``split``, ``file``, ``row``."""
    with replacing(path) as (temporary,), temporary.open("wb") as file:
        for number, part in enumerate(explanation.parts):
            size, rest = len(part.samples), {name: part.samples[name] for name in ("split", "file", "row")}
            same = {"context": pa.repeat(part.context, size), "release": pa.repeat(part.tag, size)}
            table = pa.table({"sample_id": pa.array(part.ids, pa.string()), **same, **rest})
            pa_csv.write_csv(table, file, pa_csv.WriteOptions(include_header=not number, quoting_style="needed"))


def as_json(explanation: Explanation) -> dict[str, Any]:
    """Return the whole explanation, with every sample."""
    return {**vars(explanation), "parts": [{**vars(part), "samples": part.ids} for part in explanation.parts]}


def as_text(explanation: Explanation, written: str = "") -> str:
    """Return a summary for a terminal; ``written`` is the file of ``write_ids``."""
    indent = max(INDENT, *(min(len(part.context), LONGEST) + 3 for part in explanation.parts))
    labelled, listed = partial(row, indent=indent), partial(rows, indent=indent)
    sources = explanation.provenance.get("sources", [])
    lines = [
        f"{explanation.model}/{explanation.version}",
        *labelled("run", explanation.run_id),
        *labelled("release", f"{explanation.release} ({explanation.said_in} {VERSION} of its run)"),
        *labelled("image", explanation.image),
        *labelled("workflow", explanation.workflow),
        *listed("sources", (f"{source['name']}, sha256 {source['sha256'][:16]}…" for source in sources)),
    ]
    for number, part in enumerate(explanation.parts, 1):
        how = "all" if part.how == ALL else f"selected by {part.how}"
        split = f" in split {part.split}" if part.split else ""
        text = f"{len(part.samples) - part.repeated} of {part.of} samples of {part.tag}, {how}{split}"
        if part.repeated:
            text += f"; {part.repeated} of the {len(part.samples)} logged rows are repeated"
        if part.how == NOT_LOGGED:
            unknown = f"any of the {part.of} samples of {part.tag} may have been used"
            text = f"no selection logged (log_dataset does that), so {unknown}"
        lines += labelled(part.context, text)
        if part.logical_hash not in {other.logical_hash for other in explanation.parts[number:]}:
            lines += labelled("identity", part.logical_hash)
    count = sum(len(part.samples) for part in explanation.parts)
    hint = f"{count} written to {written}" if written else "IDS=FILE lists them all, with file and row"
    return "\n".join([*lines, *labelled("samples", hint)])
