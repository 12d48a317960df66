"""Embedding as the stage runs it: what it writes, and that nothing but documents, model and precision decides it."""

import contextlib
import hashlib
import json
import os
import pty
import subprocess
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from chunk_embed.chunks import ChunkSettings
from chunk_embed.engines import token_batches
from samples import logical_hash, read_manifest
from unit.chunk_embed.conftest import MODEL, RELEASE, REVISION, Desk, embedding

TOLERANCE = 1e-6
COLUMNS = ["id", "content", "embedding", "source_repo", "source_file", "chunk_index", "doc_id"]
COLUMNS += ["section_h1", "section_h2", "section_h3", "start", "end", "tokens", "embedded_tokens"]


def test_the_file_is_as_its_readers_want_it(reference: Desk) -> None:
    table = reference.table()
    assert table.column_names == COLUMNS
    assert table.schema.field("embedding").type == pa.list_(pa.field("item", pa.float32(), nullable=False), 384)
    rows = table.drop_columns(["embedding"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["source_file"].encode(), row["chunk_index"]))
    for row in rows:
        text = (reference.folder / "readmes/raw" / row["source_file"]).read_text()
        assert row["doc_id"] == hashlib.sha256(text.encode()).hexdigest()
        assert text[row["start"] : row["end"]].strip() and row["content"].strip()
        assert f"{row['source_repo']}_README.md" == row["source_file"]
        assert uuid.UUID(row["id"]).version == 5 and 2 < row["embedded_tokens"] <= min(256, row["tokens"])
    assert len({row["id"] for row in rows}) == len(rows) >= 9
    assert np.allclose(np.linalg.norm(reference.vectors(), axis=1), 1, atol=1e-5)


def test_the_footer_says_what_was_embedded_and_how(reference: Desk) -> None:
    meta = json.loads(reference.table().schema.metadata[b"data-registry"])
    assert {name: meta[name] for name in ("source_data_version", "embedding_model", "revision")} == {
        "source_data_version": RELEASE["version"],
        "embedding_model": MODEL,
        "revision": REVISION,
    }
    assert (meta["dimension"], meta["precision"], meta["truncated_tokens"], meta["documents"]) == (384, "float32", 0, 3)
    default = ChunkSettings()
    assert (meta["chunk_size"], meta["chunk_overlap"]) == (default.chunk_size, default.chunk_overlap)
    assert meta["max_tokens"] == 256
    assert str(reference.folder) not in json.dumps(meta)


def test_what_is_left_out_is_counted_in_the_footer_and_listed_by_v(desk: Desk) -> None:
    text = "# A ![b](https://img.shields.io/b.svg)\n\nMuch text.\x1b[31m\n\n═══\n\n<!-- a\nb -->\n"
    desk.write({"a_README.md": text})
    for _ in range(2):  # the second run reads the chunks from the cache
        done = desk.embed("-v")
        assert done.returncode == 0, done.stderr
        meta = json.loads(desk.table().schema.metadata[b"data-registry"])
        assert meta["left_out"] == {"badges": 34, "comments": 9, "drawings": 3} and meta["noise_characters"] == 46
        for line in (
            "a_README.md@4: left out (badges): ![b](https://img.shields.io/b.svg)",
            "a_README.md@57: left out (drawings): ═══",
            "a_README.md@62: left out (comments): <!-- a b -->",
        ):
            assert line in done.stderr
        assert "\x1b" not in done.stderr


def test_a_document_without_text_is_named(desk: Desk) -> None:
    done = desk.write({"empty_README.md": "<!-- only -->\n\n---\n"}).embed()
    assert done.returncode == 0
    assert "empty_README.md: no text found, so no chunk" in done.stderr
    assert json.loads(desk.table().schema.metadata[b"data-registry"])["left_out"]["layout"] == 3


def test_tokens_are_of_the_content_and_embedded_tokens_of_what_the_model_is_given(desk: Desk) -> None:
    desk.write({"a_README.md": "# A\n\n| word | ✅ |\n| ---- | --- |\n| more | ❌ |\n"}).made("--no-cache")
    row = next(row for row in desk.table().to_pylist() if row["source_repo"] == "a")
    assert row["embedded_tokens"] == 5 < row["tokens"]


def test_the_manifest_is_of_the_rows_without_their_vectors(reference: Desk) -> None:
    manifest = read_manifest(reference.samples)
    assert manifest.files == {"embeddings.parquet": hashlib.sha256(reference.output.read_bytes()).hexdigest()}
    assert [name for name, _ in manifest.columns] == [name for name in COLUMNS if name != "embedding"]
    assert manifest.key == ["id"] and manifest.rows == reference.table().num_rows


def test_the_same_machine_gives_the_same_bytes_with_a_cold_cache(desk: Desk, reference: Desk) -> None:
    desk.made()
    assert desk.output.read_bytes() == reference.output.read_bytes()
    assert desk.samples.read_bytes() == reference.samples.read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        {"batch-tokens": 1},
        {"batch-tokens": 100_000, "threads": 1},
        {"backend": "torch", "batch-tokens": 700},
    ],
    ids=["one-by-one", "all-at-once", "torch"],
)
def test_how_it_is_computed_changes_no_id_no_text_and_hardly_a_vector(
    settings: dict[str, object], desk: Desk, reference: Desk
) -> None:
    desk.made("--no-cache", settings=settings)
    assert desk.table().drop_columns(["embedding"]) == reference.table().drop_columns(["embedding"])
    assert logical_hash(desk.samples) == logical_hash(reference.samples)
    assert np.abs(desk.vectors() - reference.vectors()).max() <= TOLERANCE


def test_bfloat16_is_close_and_written_down(desk: Desk, reference: Desk) -> None:
    done = desk.embed("--no-cache", settings={"precision": "bfloat16"})
    if done.returncode == 2 and "not supported by this CPU" in done.stderr:
        pytest.skip("this processor has no bfloat16")
    meta = json.loads(desk.table().schema.metadata[b"data-registry"])
    assert meta["precision"] == "bfloat16"
    cosines = (desk.vectors() * reference.vectors()).sum(axis=1)
    assert cosines.min() >= 0.9999 and not np.array_equal(desk.vectors(), reference.vectors())


def test_what_a_chunk_is_given_to_the_model_as_is_what_a_question_is(reference: Desk, desk: Desk) -> None:
    """A question and a chunk of the same words have the same vector, by arguments and by stdin."""
    words = "release of data"
    asked = desk.run("query", "--params", "params.yaml", words, "another")
    told = desk.run("query", "--params", "params.yaml", given=json.dumps([words, "another"]))
    assert asked.returncode == 0 and asked.stdout == told.stdout, asked.stderr
    answer = json.loads(asked.stdout)
    assert (answer["embedding_model"], answer["revision"]) == (MODEL, REVISION)
    assert [len(vector) for vector in answer["embeddings"]] == [384, 384]
    assert abs(np.linalg.norm(answer["embeddings"][0]) - 1) < 1e-5


def test_the_right_chunk_is_the_nearest(desk: Desk) -> None:
    subjects = {
        "argo": "# Deployment\n\nArgo Workflows run every stage of the pipeline in a pod of a Kubernetes cluster.",
        "wine": "# Wine\n\nThe acidity, sugar and alcohol of red and white wines, and how well they were liked.",
        "lung": "# Radiology\n\nImages of lungs and what physicians say that these images show of the disease.",
    }
    desk.write({f"{name}_README.md": text for name, text in subjects.items()}).made("--no-cache")
    repos = desk.table()["source_repo"].to_pylist()
    for question, wanted in (("how do I deploy to kubernetes", "argo"), ("x-ray of the chest", "lung")):
        asked = desk.run("query", "--params", "params.yaml", question)
        scores = desk.vectors() @ np.array(json.loads(asked.stdout)["embeddings"][0])
        assert repos[int(scores.argmax())] == wanted


def test_a_document_of_any_length_and_script_is_embedded_whole(desk: Desk) -> None:
    """No white space, right to left, emoji at every cut, an unclosed fence: no token too many for the model."""
    wild = {
        "long": "x" * 20_000,
        "hebrew": "שלום עולם " * 900,
        "emoji": "👩‍👩‍👧 🇩🇪 " * 900,
        "fence": "```\n" + "a = 1\n" * 900,
    }
    desk.write({f"{name}_README.md": f"# {name}\n\n{text}" for name, text in wild.items()})
    made = desk.made("--no-cache")
    assert made["truncated"] == 0 and max(desk.table()["embedded_tokens"].to_pylist()) <= 256
    assert set(desk.table()["source_repo"].to_pylist()) >= set(wild)


def test_batches_hold_texts_of_like_length_and_no_more_tokens_than_asked() -> None:
    lengths = [5, 200, 7, 256, 199, 6, 256, 3]
    batches = token_batches(lengths, 512)
    assert batches[0] == [3, 6] and sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    assert all(len(batch) * max(lengths[place] for place in batch) <= 512 for batch in batches)
    assert token_batches([9, 9], 1) == [[0], [1]]


def test_help_needs_no_model_and_no_library_of_it(python: Path, root: Path) -> None:
    assert not imported(python, root, "--help") & {"torch", "openvino", "ray", "transformers", "tokenizers"}


def test_the_progress_bar_starts_after_the_model_is_loaded(desk: Desk) -> None:
    master, slave = pty.openpty()
    with desk.start(*embedding(), stderr=slave, TERM="xterm") as process:
        os.close(slave)
        output = b""
        with contextlib.suppress(OSError):  # EIO when the other end is closed
            while data := os.read(master, 4096):
                output += data
    os.close(master)
    assert process.returncode == 0 and 0 <= output.find(b"embedding in this process") < output.find(b"embedding  ["), (
        output
    )


def imported(python: Path, root: Path, *arguments: str, cwd: Path | None = None) -> set[str]:
    """Return the top-level modules that a run of the tool imports."""
    folders = [str(root / "tools" / name) for name in ("stage", "samples", "chunk-embed")]
    code = f"import sys; sys.path[:0] = {folders}; sys.argv[0] = 'chunk-embed'; from chunk_embed.cli import cli; cli()"
    done = subprocess.run(
        [python, "-P", "-X", "importtime", "-c", code, *arguments], cwd=cwd, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr[-1000:]
    lines = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {name.partition(".")[0] for name in lines}
