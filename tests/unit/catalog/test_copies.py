"""Samples that are a problem, beside those that they repeat."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from catalog.profile import Data, data_of_release
from catalog.sample_values import COPIES, SAMPLES, Copy, copies_of
from unit.registry.lineage_world import Made, World, greetings, make_world, wines


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_world(tmp_path / "world")


def data(world: World, made: Made, name: str = "greetings") -> tuple[Data, list[tuple[str, str]]]:
    """Release a dataset; return its files, and the split and id of each sample in order."""
    found = data_of_release(world.release(name, "1.0.0", made), "")
    rows = pq.read_table(found.manifest, columns=["split", "sample_id"]).to_pylist()
    return found, [(row["split"], row["sample_id"].hex()) for row in rows]


def test_a_sample_that_leaked_stands_beside_those_of_its_key(world: World) -> None:
    found, ids = data(world, greetings([("oh", "joy"), ("no", "anger")], [("well", "joy"), ("oh", "love")]))
    leaked = ids[3][1]
    assert copies_of(found, {}, [[leaked]]) == {
        leaked: [
            Copy("train", 0, {"text": "oh", "label": "joy"}),
            Copy("val", 1, {"text": "oh", "label": "love"}),
        ]
    }


def test_without_a_key_the_whole_sample_is_it(world: World) -> None:
    found, ids = data(world, wines([(9.5, 5), (9.5, 6), (9.5, 5)]), "wines")
    (copies,) = copies_of(found, {}, [[ids[2][1]]]).values()
    assert [each.row for each in copies] == [0, 2]


def test_few_are_shown_of_many(world: World) -> None:
    found, ids = data(world, greetings([("oh", str(n)) for n in range(9)], [(f"{n}", "joy") for n in range(9)]))
    chosen = [id for split, id in ids if split == "val"]
    assert list(copies_of(found, {}, [[ids[0][1]]])[ids[0][1]])[-1].row == COPIES - 1
    assert set(copies_of(found, {}, [chosen])) == set(chosen[:SAMPLES])


def test_ids_that_are_none_are_left_out(world: World) -> None:
    found, _ = data(world, greetings())
    assert copies_of(found, {}, [["<b>", "ab", "0" * 32], []]) == {}
    assert copies_of(found, {}, []) == {}


def test_of_samples_with_one_key_the_first_is_shown_for_each_problem(world: World) -> None:
    found, ids = data(world, greetings([("oh", "joy"), ("oh", "love"), ("no", "joy")], [("oh", "joy")]))
    one, two, three, four = (id for _, id in ids)
    assert list(copies_of(found, {}, [[one, two, three], [four]])) == [one, three, four]
