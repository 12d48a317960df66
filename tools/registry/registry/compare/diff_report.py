"""A difference between two versions as people read it: a table of 80 columns, Markdown for a pull request, JSON."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from registry.compare.diff import Diff, bump_between
from registry.compare.drift import Change
from registry.terminal import WIDTH

FIRST = 5  # samples of a kind, where not all are shown
VALUES = 40  # values of metadata.json, likewise
KINDS = ("added", "removed", "changed", "moved")


def as_table(title: str, diff: Diff) -> str:
    """Return a table for a terminal."""
    lines = [title, *_row("rows", f"{diff.rows[0]} -> {diff.rows[1]}")]
    for kind in KINDS:
        samples = getattr(diff, kind)
        lines += _row(kind, str(len(samples)))
        lines += [_cut(f"    {each['sample_id']}  {place(each, kind)}") for each in first(samples)]
        lines += [f"    and {len(samples) - FIRST} more: --format json has all"] if len(samples) > FIRST else []
    lines += _row("elsewhere", f"{diff.elsewhere} stand in another row or file only") if diff.elsewhere else []
    lines += _row("schema", "the same" if not diff.schema else "")
    lines += [line for change in diff.schema for line in _wide(change)]
    if diff.drift:
        lines += ["  drift" + " " * 43 + f"{'before':>15}{'after':>15}"]
        lines += [_values(change) for change in diff.drift[:VALUES]]
        lines += [f"    and {len(diff.drift) - VALUES} more: --format json has all"] if len(diff.drift) > VALUES else []
    else:
        lines += _row("drift", "none")
    return "\n".join([*lines, *_row("version", _advice(diff))])


def as_markdown(title: str, diff: Diff) -> str:
    """Return a comment for a pull request."""
    lines = [f"### {title}", "", "| samples | |", "|---|---:|", f"| before | {diff.rows[0]} |"]
    lines += [f"| after | {diff.rows[1]} |", *(f"| {kind} | {len(getattr(diff, kind))} |" for kind in KINDS)]
    lines += [f"| in another row or file only | {diff.elsewhere} |"] if diff.elsewhere else []
    for kind in KINDS:
        samples = getattr(diff, kind)
        if len(samples):
            lines += ["", f"**{kind}**" + (f", the first {FIRST}" if len(samples) > FIRST else ""), ""]
            lines += [f"- `{each['sample_id']}` {_escaped(place(each, kind))}" for each in first(samples)]
    for heading, changes in (("schema", diff.schema), ("drift", diff.drift)):
        if changes:
            lines += ["", f"| {heading} | before | after |", "|---|---:|---:|"]
            lines += [
                f"| {' | '.join(map(_escaped, (each.what, shown_value(each.before), shown_value(each.after))))} |"
                for each in changes[:VALUES]
            ]
            lines += ["", f"and {len(changes) - VALUES} more"] if len(changes) > VALUES else []
    return "\n".join([*lines, "", f"Version: {_advice(diff)}"])


def as_json(before: str, after: str, diff: Diff) -> str:
    """Return all of it, every sample named."""
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
    return [{**each, "sample_id": each["sample_id"].hex()} for each in samples.to_pylist()]


def first(samples: pa.Table) -> list[dict[str, Any]]:
    """Return the first samples of a kind, their ids as hex digits."""
    return _listed(samples.slice(0, FIRST))


def place(each: dict[str, Any], kind: str) -> str:
    """Return where a sample is, or whence and whither it has moved."""
    if kind == "moved":
        return f"{each['split_before']} row {each['row_before']} -> {each['split']} row {each['row']}"
    return f"{each['file']} row {each['row']}"


def _advice(diff: Diff) -> str:
    part = bump_between(diff)
    why = {
        "major": "the schema differs",
        "minor": "samples differ",
        "patch": "no sample differs, but files or metadata",
    }
    return f"{part} ({why[part]})" if part else "nothing differs"


def _row(label: str, text: str) -> list[str]:
    return [f"  {label:<10}{text}".rstrip()]


def _wide(change: Change) -> Iterator[str]:
    """Yield a change whose values may be long."""
    yield _cut(f"    {change.what}")
    yield from (
        _cut(f"      {sign} {shown_value(value)}") for sign, value in (("-", change.before), ("+", change.after))
    )


def _values(change: Change) -> str:
    name = shown_value(change.what)
    name = name if len(name) <= 44 else f"…{name[-43:]}"
    return f"    {name:<46}{_short(change.before):>15}{_short(change.after):>15}".rstrip()


def _short(value: Any) -> str:
    text = shown_value(value)
    return text if len(text) <= 14 else f"{text[:13]}…"


def shown_value(value: Any) -> str:
    """Return a value on one line; what is no text as JSON."""
    text = "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else ascii(text)[1:-1]


def _cut(line: str) -> str:
    line = shown_value(line)
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"


def _escaped(text: str) -> str:
    text = shown_value(text)
    for character in "\\`|*_<>[]":
        text = text.replace(character, f"\\{character}")
    return text
