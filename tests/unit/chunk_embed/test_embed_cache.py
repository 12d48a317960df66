"""The cache of vectors: what has not changed is not embedded again, and nothing that lies in it is believed unseen."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from chunk_embed.vector_cache import MAX_SEGMENTS, VectorCache, vector_key
from unit.chunk_embed.conftest import Desk, embedding, readme
from unit.chunk_embed.test_embed import TOLERANCE, imported

pytestmark = pytest.mark.extended  # test_embed.py has one of each in make test

MADE_BY = {"model": "m", "files": "f", "precision": "float32"}
KEYS = [vector_key(f"text {number}") for number in range(40)]
VECTORS = np.random.default_rng(3).normal(size=(40, 8)).astype(np.float32)


def test_a_second_run_embeds_nothing_and_loads_no_model(desk: Desk, python: Path, root: Path) -> None:
    first = desk.made()
    written = desk.output.read_bytes()
    libraries = imported(python, root, *embedding(), cwd=desk.folder)
    assert not libraries & {"torch", "openvino", "ray", "transformers", "sentence_transformers"}
    assert desk.output.read_bytes() == written
    again = desk.made()
    assert (first["embedded"], again["embedded"], again["engine"]) == (first["chunks"], 0, "none")


def test_only_what_changed_is_embedded(desk: Desk) -> None:
    first = desk.made()
    desk.write(
        {"project-1_README.md": readme(1) + "\n## Added\n\nA part that says something else altogether, at length.\n"}
    )
    changed = desk.made()
    assert changed["chunks"] == int(str(first["chunks"])) + 1 and changed["embedded"] == 1
    kept = desk.vectors()
    desk.made("--no-cache")
    assert np.abs(kept - desk.vectors()).max() <= TOLERANCE


def test_what_was_cut_is_not_cut_again_and_gives_the_same_bytes(desk: Desk) -> None:
    """Documents that stay, change, come and go: the file is that of a run that knows nothing."""
    desk.made()
    (chunks,) = (desk.folder / ".cache" / "chunks").iterdir()
    before = chunks.stat().st_ino
    desk.made()
    assert chunks.stat().st_ino == before
    desk.write({"project-1_README.md": readme(1) + "\nAnd a line.\n", "project-90_README.md": readme(90)})
    (desk.folder / "readmes" / "raw" / "project-2_README.md").unlink()
    desk.made()
    assert chunks.stat().st_ino != before
    written, manifest = desk.output.read_bytes(), (desk.folder / "samples.parquet").read_bytes()
    shutil.rmtree(chunks.parent)
    desk.made()
    assert desk.output.read_bytes() == written
    assert (desk.folder / "samples.parquet").read_bytes() == manifest


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_file_of_cuts_changes_no_result(desk: Desk, seed: int) -> None:
    desk.made()
    written = desk.output.read_bytes()
    (chunks,) = (desk.folder / ".cache" / "chunks").iterdir()
    chance, data = random.Random(seed), bytearray(chunks.read_bytes())
    if seed % 2:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    else:
        del data[chance.randrange(len(data)) :]
    chunks.write_bytes(data)
    desk.made()
    assert desk.output.read_bytes() == written


def test_other_settings_cut_anew(desk: Desk) -> None:
    first, smaller = desk.made(), desk.made(settings={"chunk-size": 400})
    assert int(str(smaller["chunks"])) > int(str(first["chunks"]))
    assert len(list((desk.folder / ".cache" / "chunks").iterdir())) == 2


def test_another_model_or_precision_has_a_cache_of_its_own(desk: Desk) -> None:
    cache = VectorCache(desk.folder, MADE_BY)
    cache.put(KEYS, VECTORS)
    assert len(cache.get(KEYS)) == 40
    for change in ({"model": "other"}, {"files": "other"}, {"precision": "bfloat16"}):
        assert not VectorCache(desk.folder, {**MADE_BY, **change}).get(KEYS)


@pytest.mark.parametrize("seed", range(30))
def test_damage_is_never_believed(seed: int, tmp_path: Path) -> None:
    """Bytes flipped, a file cut or replaced: what comes back is right, and the rest is there."""
    cache = VectorCache(tmp_path, MADE_BY)
    for first in range(0, 40, 10):
        cache.put(KEYS[first : first + 10], VECTORS[first : first + 10])
    chance = random.Random(seed)
    path = chance.choice(sorted(tmp_path.rglob("*.vectors")))
    data = bytearray(path.read_bytes())
    match seed % 3:
        case 0:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case 1:
            del data[chance.randrange(len(data)) :]
        case 2:
            data = bytearray(chance.randbytes(chance.randrange(200)))
    path.write_bytes(data)
    found = cache.get(KEYS)
    assert len(found) >= 30
    for key, vector in found.items():
        assert np.array_equal(vector, VECTORS[KEYS.index(key)])


def test_a_damaged_cache_changes_no_result(desk: Desk, reference: Desk) -> None:
    desk.made()
    for path in (desk.folder / ".cache").rglob("*.vectors"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
    again = desk.made()
    assert again["embedded"] == 1
    assert np.abs(desk.vectors() - reference.vectors()).max() <= TOLERANCE


def test_many_segments_become_one_and_lose_nothing(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, MADE_BY)
    for place, key in enumerate(KEYS):
        cache.put([key], VECTORS[place : place + 1])
        assert len(list(tmp_path.rglob("*.vectors"))) <= MAX_SEGMENTS
    assert {key: vector.tobytes() for key, vector in cache.get(KEYS).items()} == {
        key: vector.tobytes() for key, vector in zip(KEYS, VECTORS, strict=True)
    }


def test_two_writers_at_once_both_write_what_is_right(desk: Desk, reference: Desk) -> None:
    outputs = [("a.parquet", "as.parquet"), ("b.parquet", "bs.parquet")]
    started = [desk.start(*embedding()[:-2], *each) for each in outputs]
    for process in started:
        with process:
            _, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
    assert (desk.folder / "a.parquet").read_bytes() == (desk.folder / "b.parquet").read_bytes()
    assert desk.made()["embedded"] == 0


def test_a_cache_that_cannot_be_written_is_said_and_no_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "vectors").write_text("a file in its place")
    cache = VectorCache(tmp_path, MADE_BY)
    cache.put(KEYS, VECTORS)
    assert not cache.get(KEYS) and f"cannot write to the cache {tmp_path}" in caplog.text
