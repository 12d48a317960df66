"""Write params.yaml, dvc.yaml and README of a dataset from what ``parquetizer inspect`` proposes."""

import dataclasses
from typing import Any

import yaml
from data_registry.stage.redaction import one_line

from registry.build.new import TO_FILL_IN

SHAPE: dict[str, Any] = {  # of what parquetizer inspect prints
    "kind": str,
    "rows": int,
    "columns": [{"name": str, "type": str, "reason": str, "format": str, "classes": [str]}],
    "parquetizer": {str: object},
    "reasons": {str: str},
    "splits": [str],
}
HEADER = """\
# Created by `make new` from {source}. What it guessed has the reason as a comment: all of the data was read. Correct
# what is wrong, and run make dataset DS={name}: data that does not match is an error. Nothing is guessed in a build.
"""
FETCHER = """\
vars: [../images.yaml]
stages:
  fetcher:
    cmd: ../../tools/run fetcher fetch --params params.yaml sources.csv raw
    deps: [sources.csv]
    params: [fetcher, ../images.yaml: [images.fetcher]]
    outs: [raw: {persist: true}]
"""
STAGES = """\
  parquetizer:
    cmd: ../../tools/run parquetizer {kind} --params params.yaml raw{output} samples.parquet
    deps: [raw]
    params: [{settings}, ../images.yaml: [images.parquetizer]]
    outs: [{outputs}samples.parquet]
  stats:
    cmd: >-
      ../../tools/run stats {measure} --params params.yaml --sources sources.csv --tool fetcher=${{images.fetcher}}
      --tool parquetizer=${{images.parquetizer}} --tool stats=${{images.stats}} {measured} samples.parquet metadata.json
    deps: [sources.csv, {inputs}, samples.parquet]
    params: [dataset, fetcher, parquetizer, {stats}../images.yaml: [images.stats]]
    metrics: [metadata.json: {{cache: false}}]
"""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the data comes from: as FROM named it, the section ``upstream`` (or none), and a page about it."""

    text: str
    upstream: dict[str, Any]
    page: str


def fetching(name: str, source: Source) -> str:
    """Return the part of params.yaml that the fetcher needs, before anything is known of the data."""
    return _section("dataset", {"name": name}) + _upstream(source) + "fetcher:\n  jobs: 8\n"


def params(name: str, source: Source, proposal: dict[str, Any]) -> str:
    """Return params.yaml, with a comment for each guess."""
    reasons = proposal["reasons"]
    dataset = {
        "name": name,
        "title": TO_FILL_IN,
        "description": TO_FILL_IN,
        "source": source.page or TO_FILL_IN,
        "licence": TO_FILL_IN,
    }
    if is_one_file(proposal):
        dataset["file"] = f"processed/{name}.parquet"
    lines = [
        HEADER.format(source=one_line(source.text, 60), name=name).rstrip("\n"),
        _section("dataset", dataset).rstrip("\n"),
    ]
    if proposal["columns"]:
        lines.append(f"  columns: # of {proposal['rows']:,} samples")
    for column in proposal["columns"]:
        declared = {"name": column["name"], "type": column["type"]}
        declared |= {key: column[key] for key in ("format", "classes") if column[key]}
        lines.append(f"    - {_flow(declared)}{_comment(column['reason'])}")
    lines += ["", _upstream(source) + "fetcher:\n  jobs: 8", "", "parquetizer:"]
    for key, value in proposal["parquetizer"].items():
        if key == "inputs":
            lines += [f"  inputs:{_comment(reasons.get(key, ''))}", *(f"    - {_flow(item)}" for item in value)]
        else:
            lines.append(f"  {key}: {_flow(value)}{_comment(reasons.get(key, ''))}")
    lines += [
        f"  #{_comment(f'{key}: {reason}')[2:]}"
        for key, reason in reasons.items()
        if key not in proposal["parquetizer"]
    ]
    labels = [column["name"] for column in proposal["columns"] if column["classes"]]
    if proposal["kind"] == "table":
        lines += ["", "stats:", f"  distributions: {_flow(labels)}"]
    return "\n".join(lines) + "\n"


def pipeline(proposal: dict[str, Any]) -> str:
    """Return dvc.yaml."""
    kind, splits = proposal["kind"], proposal["splits"]
    if kind == "documents":
        output, outputs, measured, inputs = "", "", "raw", "raw"
    elif is_one_file(proposal):
        output = measured = "${dataset.file}"
        inputs = '"${dataset.file}"'
    else:
        output = measured = "processed"
        inputs = ", ".join(f"processed/{split}/{split}.parquet" for split in splits)
    if kind != "documents":
        output, outputs = f" {output}", f"{inputs}, "
    return FETCHER + STAGES.format(
        kind=kind,
        measure="table" if kind == "files" else kind,
        output=output,
        outputs=outputs,
        measured=measured,
        inputs=inputs,
        settings="parquetizer" if kind == "documents" else "dataset.columns, parquetizer",
        stats="stats, " if kind == "table" else "",
    )


def is_one_file(proposal: dict[str, Any]) -> bool:
    """Say whether the samples are in one file, without splits."""
    return proposal["kind"] == "table" and not proposal["splits"]


def _upstream(source: Source) -> str:
    return _section("upstream", source.upstream) + "\n" if source.upstream else ""


def _section(name: str, values: dict[str, Any]) -> str:
    return str(yaml.safe_dump({name: values}, sort_keys=False, allow_unicode=True, width=10**6))


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return str(text).removesuffix("\n").removesuffix("\n...")


def _comment(text: str) -> str:
    return f" # {one_line(text, 300)}" if text else ""
