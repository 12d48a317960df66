"""stats embeddings: what is known of chunks, their documents and their index."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result
from samples import ManifestWriter, logical_hash
from stats.cli import cli

FOOTER = {
    "source_data_version": "readmes-v1.0.0",
    "embedding_model": "a/model",
    "revision": "0" * 40,
    "precision": "float32",
    "dimension": 2,
    "chunk_size": 1500,
    "chunk_overlap": 200,
    "truncated_tokens": 0,
}
LEFT_OUT = {"badges": 12, "comments": 3}
PARENT = {"total_files": 2, "total_size_bytes": 30, "average_size_bytes": 15.0}
SCHEMA = pa.schema(
    [
        *(("id", pa.string()), ("content", pa.string()), ("embedding", pa.list_(pa.float32(), 2))),
        *((name, pa.string()) for name in ("source_repo", "source_file")),
        ("chunk_index", pa.int32()),
        ("doc_id", pa.string()),
        *((f"section_h{level}", pa.string()) for level in (1, 2, 3)),
        *((name, pa.int32()) for name in ("start", "end", "tokens", "embedded_tokens")),
    ]
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset's folder, built up to its last stage."""
    monkeypatch.chdir(tmp_path)
    lay(["Grüße", "b c"])
    write("readmes/release.json", {"dataset": "readmes", "version": "readmes-v1.0.0", "logical_hash": "1" * 64})
    change("readmes/release.json", sample=False)
    write("readmes/metadata.json", {"statistics": PARENT})
    write("evaluation.json", {})
    description = {"name": "x", "title": "x", "description": "x", "source": "x", "licence": "x"}
    Path("params.yaml").write_text(yaml.safe_dump({"dataset": description, "chunk-embed": {"chunk-size": 1500}}))
    return tmp_path


def lay(texts: list[str], schema: pa.Schema = SCHEMA) -> None:
    count = len(texts)
    columns: dict[str, list[Any]] = {name: ["x"] * count for name in schema.names}
    columns |= {"id": [str(number) for number in range(count)], "content": texts}
    columns |= {"embedding": [[1.0, 0.0]] * count, "source_repo": ["b", "a"][:count]}
    columns |= {name: list(range(count)) for name in ("chunk_index", "start", "end")} | {"tokens": [7, 4][:count]}
    columns["embedded_tokens"] = [6, 4][:count]
    table = pa.table({name: columns[name] for name in schema.names}, schema=schema)
    footer = json.dumps({**FOOTER, "left_out": LEFT_OUT})
    pq.write_table(table.replace_schema_metadata({"data-registry": footer}), "embeddings.parquet")
    digest = hashlib.sha256(Path("embeddings.parquet").read_bytes()).hexdigest()
    kept = table.drop_columns(["embedding"])
    with ManifestWriter(Path("samples.parquet"), kept.schema, ["id"]) as manifest:
        for batch in kept.to_batches():
            manifest.add(batch, split="all", file="embeddings.parquet", source="a_README.md")
        manifest.finish({"embeddings.parquet": digest})
    write("receipt.json", {"relation": "r", "table": "r_1", "load_id": digest, "rows": count})


def write(path: str, document: dict[str, Any]) -> None:
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text(json.dumps(document))


def change(path: str, **values: Any) -> None:
    write(path, {**json.loads(Path(path).read_text()), **values})


def run() -> Result:
    options = ["--params", "params.yaml", "--parent", "readmes", "--receipt", "receipt.json"]
    options += ["--evaluation", "evaluation.json", "--tool", "pgloader=p:1"]
    return CliRunner().invoke(cli, ["embeddings", *options, "embeddings.parquet", "samples.parquet", "metadata.json"])


def measured() -> dict[str, Any]:
    done = run()
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(Path("metadata.json").read_text())
    return found


def test_metadata_has_the_keys_that_were_always_there_and_what_made_the_vectors(folder: Path):
    found = measured()
    assert {name: found[name] for name in FOOTER} == FOOTER
    assert found["statistics"] == {
        **PARENT,
        "total_repositories": 2,
        "repository_names": ["a", "b"],
        "total_chunks": 2,
        **{"characters_mean": 4.0, "characters_min": 3, "characters_max": 5},
        **{"tokens_mean": 5.5, "tokens_min": 4, "tokens_max": 7},
        **{"embedded_tokens_mean": 5.0, "embedded_tokens_min": 4, "embedded_tokens_max": 6},
        "left_out_characters": LEFT_OUT,
    }
    assert found["summary"] == {"num_samples": 2} and list(found["schema"]["features"]) == SCHEMA.names
    assert found["index"] == {"relation": "r", "table": "r_1", "rows": 2}
    assert found["logical_hash"] == logical_hash(Path("samples.parquet"))
    assert found["provenance"] == {
        "parents": [{"dataset": "readmes", "version": "readmes-v1.0.0", "logical_hash": "1" * 64}],
        "params": {"chunk-embed": {"chunk-size": 1500}},
        "tools": {"pgloader": "p:1"},
        "sample": False,
    }


def test_again_it_has_the_same_bytes(folder: Path):
    measured()
    first = Path("metadata.json").read_bytes()
    measured()
    assert Path("metadata.json").read_bytes() == first


def test_made_from_sample_data_it_is_sample_data(folder: Path):
    change("readmes/release.json", sample=True)
    assert measured()["provenance"]["sample"] is True


def test_the_identity_leaves_the_vectors_out(folder: Path):
    before = measured()["logical_hash"]
    table = pq.read_table("embeddings.parquet")
    other = pa.FixedSizeListArray.from_arrays(pa.array(np.full(4, 0.5, np.float32)), 2)
    pq.write_table(table.set_column(2, SCHEMA.field("embedding"), other), "embeddings.parquet")
    assert run().exit_code == 11  # the manifest is of the other file
    lay(["Grüße", "b c"])
    assert measured()["logical_hash"] == before


def test_an_evaluation_is_taken_over_if_it_is_of_these_chunks(folder: Path):
    warning = "retrieval was not measured on these chunks: make evaluate"
    found = measured()
    assert found["evaluation"] == {} and found["checks"]["warnings"] == [warning]
    write("evaluation.json", {"logical_hash": "2" * 64, "hybrid": {"mrr": 1.0}})
    assert measured()["evaluation"] == {}
    change("evaluation.json", logical_hash=found["logical_hash"])
    found = measured()
    assert found["evaluation"] == {"hybrid": {"mrr": 1.0}} and found["checks"]["warnings"] == []


def broken_parquet() -> None:
    data = bytearray(Path("embeddings.parquet").read_bytes())
    data[8] ^= 0xFF
    Path("embeddings.parquet").write_bytes(data)


@pytest.mark.parametrize(
    ("harm", "code", "message"),
    [
        (lambda: Path("receipt.json").unlink(), 10, "receipt.json: file not found"),
        (lambda: change("receipt.json", load_id="0"), 11, "receipt.json: not the receipt of this embeddings.parquet"),
        (lambda: Path("evaluation.json").write_text("{"), 23, "evaluation.json: invalid JSON"),
        (
            lambda: Path("evaluation.json").write_text("[]"),
            23,
            "evaluation.json: invalid: document: expected a mapping, got a list",
        ),
        (lambda: Path("readmes/release.json").unlink(), 10, "readmes/release.json: file not found"),
        (
            lambda: Path("readmes/release.json").write_text("{}"),
            23,
            "release.json: invalid: document: dataset is missing",
        ),
        (lambda: Path("readmes/metadata.json").unlink(), 10, "readmes/metadata.json: file not found"),
        (lambda: Path("embeddings.parquet").unlink(), 10, "embeddings.parquet: file not found"),
        (broken_parquet, 11, "embeddings.parquet: not the file"),
        (lambda: lay([]), 21, "embeddings.parquet: no chunks"),
        (lambda: lay(["a", "b"], SCHEMA.remove(SCHEMA.get_field_index("doc_id"))), 22, "column doc_id not found"),
    ],
)
def test_what_does_not_fit_together_is_refused(folder: Path, harm: Any, code: int, message: str):
    harm()
    refused = run()
    assert refused.exit_code == code, refused.output
    assert message in refused.output.splitlines()[-1]
    assert not Path("metadata.json").exists()
