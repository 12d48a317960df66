"""Compare two versions of a dataset: a table of 80 columns, Markdown for a pull request, or JSON."""

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
from data_registry.git import Git
from data_registry.releases.completeness import report_gaps
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.store.manifests import fetch_manifest

from registry.compare.drift import Change
from registry.compare.matching import Diff, compare
from registry.compare.values import Side, Values
from registry.datasets import Dataset, built_manifest
from registry.terminal import WIDTH

LONGEST_FIGURE = 14  # characters of a column
FIRST = 5  # samples of a kind in a table or Markdown
MOST_CHANGES = 40  # of metadata.json, likewise
KINDS = ("added", "removed", "changed", "moved")
REASONS = {
    "major": "the schema differs",
    "minor": "samples differ",
    "patch": "no sample differs, but files or metadata",
}


def bump_between(diff: Diff) -> str | None:
    """Return the part of the version that has to go up, or None where nothing differs."""
    if diff.schema:
        return "major"
    if diff.samples_differ:
        return "minor"
    return "patch" if diff.other_bytes else None


def bump_of(release: Release, dataset: Dataset, remote: str = "") -> str | None:
    """Return the part of the version that goes up from a release to the working copy, or None if they are equal."""
    return bump_between(diff_of(_released(release, remote), _built(dataset)))


def sides(dataset: Dataset, root: Path, before: str, after: str, remote: str) -> tuple[Side, Side]:
    """Find two versions of a dataset; the later one is the working copy where ``after`` is empty.

    Raises UsageError for a version that is not released, InputMissing where the working copy is not built.
    """
    git = Git(root)
    report_gaps(git, dataset.name)
    old = _released(find_release(git, dataset.name, before or "latest"), remote)
    return old, _released(find_release(git, dataset.name, after), remote) if after else _built(dataset)


def diff_of(before: Side, after: Side) -> Diff:
    """Compare two versions."""
    return compare(before.manifest, after.manifest, before.metadata, after.metadata)


def _released(release: Release, remote: str) -> Side:
    return Side(release, fetch_manifest(release, remote), release.metadata)


def _built(dataset: Dataset) -> Side:
    return Side(dataset, built_manifest(dataset), dataset.metadata())


def as_table(title: str, diff: Diff, values: Values | None = None) -> str:
    """Return a table for a terminal."""
    lines = [title, *_row("rows", f"{diff.rows[0]} → {diff.rows[1]}")]
    for kind in KINDS:
        samples = getattr(diff, kind)
        lines += _row(kind, str(len(samples)))
        for sample in first(samples):
            lines.append(_cut(f"    {sample['sample_id']}  {place(sample, kind)}"))
            lines += [_cut(f"      {line}") for line in _value_lines(kind, sample, values)]
        lines += [f"    and {len(samples) - FIRST} more (FORMAT=json lists all)"] if len(samples) > FIRST else []
    lines += _row("elsewhere", f"{diff.elsewhere} in another row or file only") if diff.elsewhere else []
    lines += _row("schema", "" if diff.schema else "no change")
    for change in diff.schema:  # its values may be long
        lines += _on_three_lines(change.what, one_line(change.before), one_line(change.after))
    if diff.drift:
        lines += ["  drift" + " " * 43 + f"{'before':>15}{'after':>15}"]
        lines += [line for change in diff.drift[:MOST_CHANGES] for line in _figures(change)]
        more = len(diff.drift) - MOST_CHANGES
        lines += [f"    and {more} more (FORMAT=json lists all)"] if more > 0 else []
    else:
        lines += _row("drift", "none")
    return "\n".join([*lines, *_row("version", _advice(diff))])


def as_markdown(title: str, diff: Diff, values: Values | None = None) -> str:
    """Return a comment for a pull request."""
    lines = [f"### {title}", "", "| samples | |", "|---|---:|", f"| before | {diff.rows[0]} |"]
    lines += [f"| after | {diff.rows[1]} |", *(f"| {kind} | {len(getattr(diff, kind))} |" for kind in KINDS)]
    lines += [f"| in another row or file only | {diff.elsewhere} |"] if diff.elsewhere else []
    for kind in KINDS:
        samples = getattr(diff, kind)
        if len(samples):
            lines += ["", f"**{kind}**" + (f", the first {FIRST}" if len(samples) > FIRST else ""), ""]
            for sample in first(samples):
                where = "; ".join([place(sample, kind), *_value_lines(kind, sample, values)])
                lines.append(f"- `{sample['sample_id']}` {_escaped(where)}")
    for heading, changes in (("schema", diff.schema), ("drift", diff.drift)):
        if changes:
            lines += ["", f"| {heading} | before | after |", "|---|---:|---:|"]
            for change in changes[:MOST_CHANGES]:
                cells = change.what, *rounded(change.before, change.after)
                lines.append(f"| {' | '.join(map(_escaped, cells))} |")
            more = len(changes) - MOST_CHANGES
            lines += ["", f"and {more} more"] if more > 0 else []
    return "\n".join([*lines, "", f"Version: {_advice(diff)}"])


def as_json(before: str, after: str, diff: Diff) -> str:
    """Return the whole comparison, with every sample."""
    document = {
        "before": before,
        "after": after,
        "rows": list(diff.rows),
        **{kind: _listed(getattr(diff, kind)) for kind in KINDS},
        "elsewhere": diff.elsewhere,
        **{name: [vars(change) for change in getattr(diff, name)] for name in ("schema", "drift")},
        "bump": bump_between(diff),
    }
    return json.dumps(document, ensure_ascii=False)


def _listed(samples: pa.Table) -> list[dict[str, Any]]:
    return [{**sample, "sample_id": sample["sample_id"].hex()} for sample in samples.to_pylist()]


def first(samples: pa.Table) -> list[dict[str, Any]]:
    """Return the first samples of a kind, their ids as hex digits."""
    return _listed(samples.slice(0, FIRST))


def place(sample: dict[str, Any], kind: str) -> str:
    """Return the file and row of a sample; of a moved one, split and row before and after."""
    if kind == "moved":
        return f"{sample['split_before']} row {sample['row_before']} → {sample['split']} row {sample['row']}"
    return f"{sample['file']} row {sample['row']}"


def _value_lines(kind: str, sample: dict[str, Any], values: Values | None) -> list[str]:
    """Return the values that identify a sample on one line, then a line for each that differs."""
    others, changes = [], []
    for name, before, after in (values or {}).get((kind, sample["sample_id"]), ()):
        if before is None or after is None or before == after:
            others.append(f"{name}: {before if after is None else after}")
        else:
            room = (WIDTH - 12 - len(name)) // 2
            changes.append(f"{name}: {_shortened(before, room)} → {_shortened(after, room)}")
    return [*[", ".join(others)] * bool(others), *changes]


def _advice(diff: Diff) -> str:
    part = bump_between(diff)
    return f"{part} ({REASONS[part]})" if part else "nothing differs"


def _row(label: str, text: str) -> list[str]:
    return [f"  {label:<10}{text}".rstrip()]


def _figures(change: Change) -> list[str]:
    name, texts = one_line(change.what), rounded(change.before, change.after)
    if max(map(len, texts)) > LONGEST_FIGURE:
        return _on_three_lines(name, *texts)
    name = name if len(name) <= 44 else f"…{name[-43:]}"
    return [f"    {name:<46}{texts[0]:>15}{texts[1]:>15}".rstrip()]


def _on_three_lines(what: str, before: str, after: str) -> list[str]:
    return [_cut(f"    {sign}{text}") for sign, text in (("", what), ("  - ", before), ("  + ", after))]


def rounded(*values: Any) -> list[str]:
    """Return values on one line each; floats with four digits, or as many as tell them apart."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        for digits in range(4, 17):
            texts = [f"{value:.{digits}g}" if isinstance(value, float) else str(value) for value in values]
            if len(set(texts)) == len(set(values)):
                return texts
    return [one_line(value) for value in values]


def one_line(value: Any) -> str:
    """Return a value on one line: texts as they are, the rest as JSON."""
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else ascii(text)[1:-1]


def _cut(line: str) -> str:
    return _shortened(one_line(line), WIDTH)


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`|*_<>\[\]])", r"\\\1", one_line(text))
