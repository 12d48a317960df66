"""Rows M1 and M2 for images, texts, conversations and documents: broken files are told, never measured."""

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import read_manifest
from unit.stats.data_sets import (
    FOLDERS,
    METADATA,
    SAMPLES,
    annotations,
    lay_small,
    measure,
    measured,
    parquet,
    refoot,
    refusal,
    resign,
)

KINDS = list(FOLDERS)
OF_PARQUET = ["images", "text"]
KNOWN = {0, 10, 11, 21, 22, 23, 51}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flip(path: Path, offset: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1 << bit
    path.write_bytes(content)


def measured_files(kind: str) -> list[Path]:
    """All that a data set consists of, the manifest last."""
    return [*sorted(path for path in Path(FOLDERS[kind]).rglob("*") if path.is_file()), SAMPLES]


# --- M1


@pytest.mark.parametrize("kind", OF_PARQUET)
@pytest.mark.parametrize("column", [0, 1])
def test_a_flipped_byte_in_a_page_is_found_with_its_row_group(folder: Path, kind: str, column: int):
    lay_small(kind)
    with pq.ParquetFile(parquet("train")) as file:
        found = file.metadata.row_group(1).column(column)
    page = found.dictionary_page_offset or found.data_page_offset
    flip(parquet("train"), page + found.total_compressed_size - 2)
    assert refusal(kind)[0] == 11
    resign()
    code, line = refusal(kind)
    assert code == 23
    assert line.startswith("error: processed/train/train.parquet row group 1: ")
    assert "CRC checksum verification failed" in line
    assert line.endswith("; fix: run the parquetizer again")


@pytest.mark.parametrize("kind", OF_PARQUET)
@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (lambda content: content[:-100], "Parquet magic bytes not found in footer"),
        (lambda content: content[: len(content) // 2], "Parquet magic bytes not found in footer"),
        (lambda content: content[:-4] + b"PAR9", "Parquet magic bytes not found in footer"),
        (lambda content: content[-8:], "Parquet file size is 8 bytes, smaller than"),
        (lambda content: b"", "Parquet file size is 0 bytes"),
        (lambda content: b"no Parquet at all", "Parquet magic bytes not found in footer"),
    ],
    ids=["end", "half", "magic", "footer", "empty", "text"],
)
def test_what_is_no_whole_parquet_file_is_refused(folder: Path, kind: str, broken: Any, what: str):
    lay_small(kind)
    path = parquet("train")
    path.write_bytes(broken(path.read_bytes()))
    assert refusal(kind) == (
        11,
        f"error: {path}: not the file in the manifest samples.parquet; fix: run the parquetizer again",
    )
    resign()
    code, line = refusal(kind)
    assert code == 23
    assert line.startswith(f"error: {path} row group 0: {what}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_in_any_file_is_found(folder: Path, kind: str):
    lay_small(kind)
    for path in measured_files(kind)[:-1]:
        before = path.read_bytes()
        flip(path, len(before) // 2)
        code, line = refusal(kind)
        assert code == (23 if path.name == "process_stats.json" else 11) or "prompt" in line, path
        path.write_bytes(before)
    measured(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_any_file_that_is_missing_is_told(folder: Path, kind: str):
    lay_small(kind)
    for path in measured_files(kind):
        path.rename("aside")
        assert refusal(kind) == (10, f"error: {path}: file not found; fix: run the parquetizer")
        Path("aside").rename(path)
    shutil.move(FOLDERS[kind], "aside")
    assert refusal(kind) == (10, f"error: {FOLDERS[kind]}: file not found; fix: run the parquetizer")


COLUMNS = ["sample_id", "content_hash", "split", "file", "row", "source", "key_hash"]
READ = {0, 1, 2, 3, 6}  # stats does not read where a sample is, nor, of documents, in which file


@pytest.mark.parametrize(
    ("kind", "column"), [(kind, column) for kind in KINDS for column in READ - ({3} if kind == "documents" else set())]
)
def test_a_flipped_byte_in_the_manifest_is_found(folder: Path, kind: str, column: int):
    lay_small(kind)
    with pq.ParquetFile(SAMPLES) as file:
        found = file.metadata.row_group(0).column(column)
    assert found.path_in_schema == COLUMNS[column]
    page = found.dictionary_page_offset or found.data_page_offset
    flip(SAMPLES, page + found.total_compressed_size - 2)
    code, line = refusal(kind)
    assert code == 23, line
    assert line.startswith("error: samples.parquet: ")
    assert "CRC checksum verification failed" in line


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_of_other_files_is_refused(folder: Path, kind: str):
    lay_small(kind)
    meta = json.loads(pq.read_schema(SAMPLES).metadata[b"data-registry"])
    one, *others = meta["files"]
    elsewhere = {f"elsewhere/{name}": digest for name, digest in meta["files"].items()}
    for files, code, what in (
        (elsewhere, 11, f"error: {FOLDERS[kind]}: not the file in the manifest samples.parquet"),
        ({**meta["files"], "other/x": "0" * 64}, 11, "error: samples.parquet: contains other/x, which is not an input"),
        ({}, 11, f"error: {FOLDERS[kind]}: not the file in the manifest samples.parquet"),
        ({**meta["files"], one: "0" * 64}, 11, f"error: {one}: not the file in the manifest samples.parquet"),
        ({name: meta["files"][name] for name in others}, 23, "error: samples.parquet: "),
        ({**meta["files"], f"{FOLDERS[kind]}/x": "0" * 64}, 10, f"error: {FOLDERS[kind]}/x: file not found"),
    ):
        refoot({**meta, "files": files})
        found = refusal(kind)
        assert found[0] == code
        assert found[1].startswith(what)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("meta", [None, 7, [], {}, "text", {"columns": []}, {"columns": [], "key": []}])
def test_a_footer_of_another_shape_is_refused(folder: Path, kind: str, meta: Any):
    lay_small(kind)
    refoot(meta)
    code, line = refusal(kind)
    assert code == 23
    assert line.startswith("error: samples.parquet: invalid manifest: ")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        {"columns": 7},
        {"columns": None},
        {"key": 7},
        {"key": None},
        {"key": [7]},
        {"files": []},
        {"files": 7},
        {"files": {"processed/train/train.parquet": 7}},
        {"files": {"": "00"}},
    ],
    ids=str,
)
def test_a_footer_of_wrong_types_is_refused(folder: Path, kind: str, change: dict[str, Any]):
    lay_small(kind)
    refoot({**json.loads(pq.read_schema(SAMPLES).metadata[b"data-registry"]), **change})
    assert refusal(kind)[0] in {10, 11, 22, 23}


def test_another_kinds_data_set_is_refused(folder: Path):
    """Of the params of one kind and the files of another, whichever they are."""
    for kind in KINDS:
        lay_small(kind)
        params, manifest = Path("params.yaml").read_bytes(), SAMPLES.read_bytes()
        for other in KINDS:
            if other != kind:
                Path("params.yaml").write_bytes(params)
                SAMPLES.write_bytes(manifest)
                code, _ = refusal(other)
                assert code in {2, 10, 11, 22}, (kind, other)
                lay_small(other)
                SAMPLES.write_bytes(manifest)
                assert refusal(other)[0] in {10, 11, 22}, (kind, other)
        for made in ("processed", "raw"):
            shutil.rmtree(made, ignore_errors=True)


# --- any bytes at all: a known code and one line, or figures


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Change a few bits or bytes, cut a piece, or double one."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        if not data:
            break
        # Footers, which no checksum covers, and heads of pages are small beside the rest: half of the changes go there.
        place = chance.randrange(len(data)) if chance.random() < 0.5 else -chance.randint(1, min(len(data), 1500))
        match chance.randrange(6):
            case 0 | 1:
                data[place] ^= 1 << chance.randrange(8)
            case 2:
                data[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5B, 0x7B))
            case 3:
                del data[place:][: chance.randint(1, 40)]
                del data[place : place + chance.randint(1, 40) or None]
            case 4:
                data[place:place] = data[place : place + chance.randint(1, 40) or None]
            case 5:
                data[place:place] = chance.randbytes(chance.randint(1, 8))
    return bytes(data)


def meet_anything(tmp_path_factory: pytest.TempPathFactory, kind: str, examples: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("any", numbered=True))
        lay_small(kind)
        before = {path: path.read_bytes() for path in measured_files(kind)}
        targets = list(before)

        @given(st.integers(0, len(targets) - 1), st.integers(0, (1 << 64) - 1), st.booleans())
        @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def meet(number: int, seed: int, signed: bool) -> None:
            path = targets[number]
            try:
                path.write_bytes(mutated(before[path], random.Random(seed)))
                if signed and path != SAMPLES and path.as_posix() in read_manifest(SAMPLES).files:
                    old = hashlib.sha256(before[path]).hexdigest().encode()
                    new = hashlib.sha256(path.read_bytes()).hexdigest().encode()
                    SAMPLES.write_bytes(before[SAMPLES].replace(old, new))
                METADATA.unlink(missing_ok=True)
                result = measure(kind, "-q")
                assert result.exit_code in KNOWN, repr(result.exception)
                assert METADATA.exists() == (result.exit_code == 0)
                if result.exit_code:
                    assert result.stderr.splitlines()[-1].startswith("error: ")
                elif path.as_posix() in read_manifest(SAMPLES).files and not signed:
                    assert path.read_bytes() == before[path], "it measured what it had no hash of"
            finally:
                path.write_bytes(before[path])
                SAMPLES.write_bytes(before[SAMPLES])

        meet()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("examples", [250, pytest.param(10_000, marks=pytest.mark.slow)], ids=["some", "many"])
def test_no_bytes_are_our_bug(tmp_path_factory: pytest.TempPathFactory, kind: str, examples: int):
    meet_anything(tmp_path_factory, kind, examples)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just("<image>\nBeschreibe"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["image", "conversations", "from", "value", "prompt", "prompt_text"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3) | JSON, st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_json_is_our_bug(tmp_path_factory: pytest.TempPathFactory, document: Any, of_prompt: bool):
    folder = tmp_path_factory.getbasetemp() / "json"
    with pytest.MonkeyPatch.context() as patch:
        if not folder.exists():
            folder.mkdir()
            patch.chdir(folder)
            lay_small("conversations")
            shutil.copytree("processed", "whole")
        patch.chdir(folder)
        shutil.copytree("whole", "processed", dirs_exist_ok=True)
        path = Path("processed/process_stats.json") if of_prompt else annotations("train")
        path.write_text(json.dumps(document))
        resign()
        code, _ = refusal("conversations")
        assert code in {10, 11, 23}
