"""What each version changed, in the values of its samples, from files of every form."""

from pathlib import Path

import pytest
from catalog import sample_values
from catalog.changes import Change, Sample
from catalog.entries import read_entry, read_releases
from data_registry.git import Git
from registry.datasets import find_datasets
from unit.registry.lineage_world import TRAIN, VAL, WINE_ROWS, Made, World, greetings, make_world, notes, wines, xrays


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return make_world(tmp_path / "world")


def change(world: World, name: str, *versions: Made) -> Change:
    """Release versions, and return what the last one changed."""
    for number, made in enumerate(versions):
        world.release(name, f"1.{number}.0", made)
    (dataset,) = find_datasets(world.root, name)
    found = read_entry(dataset, read_releases(Git(world.root))[name], "").current.change
    assert found
    return found


def values(of: Change) -> dict[str, list[tuple[tuple[str, str | None, str | None], ...]]]:
    return {kind: [each.values for each in found.first] for kind, found in of.kinds.items()}


def test_of_a_changed_sample_its_key_and_what_differs_and_of_others_all_of_it(world: World) -> None:
    train = [("hello", "joy"), ("go away", "fear"), ("oh", "joy"), ("new", "love")]
    found = change(world, "greetings", greetings(), greetings(train, VAL[:1]))
    assert values(found) == {
        "added": [(("text", None, "new"), ("label", None, "love"))],
        "removed": [
            (("text", "hello", None), ("label", "love", None)),
            (("text", "no", None), ("label", "anger", None)),
        ],
        "changed": [(("text", "go away", "go away"), ("label", "anger", "fear"))],
    }
    (sample,) = found.kinds["changed"].first
    assert sample == Sample(sample.id, "processed/train/train.parquet row 1", values(found)["changed"][0])


def test_of_a_sample_that_moved_its_key(world: World) -> None:
    found = change(world, "greetings", greetings(), greetings([*TRAIN[:2], TRAIN[3]], [*VAL, TRAIN[2]]))
    assert values(found)["moved"] == [(("text", "oh", "oh"),)]


def test_of_tables_images_with_captions_and_documents(world: World) -> None:
    found = change(world, "wines", wines(), wines([*WINE_ROWS[1:], (12.5, 9)]))
    assert values(found)["added"] == [(("alcohol", None, "12.5"), ("quality", None, "9"))]
    found = change(world, "xrays", xrays((b"one", b"two", b"three")), xrays((b"one", b"2", b"three")))
    assert tuple(each for each in values(found)["added"][0] if each[0] == "caption") == (("caption", None, "no 1"),)
    found = change(world, "notes", notes(), notes({"a_README.md": "# A\n\nSecond.\n"}))
    assert values(found) == {
        "removed": [(("name", "b_README.md", None), ("text", "# B↵", None))],
        "changed": [(("name", "a_README.md", "a_README.md"), ("text", "# A↵↵First.↵", "# A↵↵Second.↵"))],
    }


def test_large_files_are_not_fetched_for_a_few_rows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_values, "MAX_BYTES", 10)
    found = change(world, "wines", wines(), wines(WINE_ROWS[1:]))
    assert found.kinds and values(found) == {"removed": [()]}


def test_where_one_side_is_not_known_no_difference_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sample_values.values_of_release
    monkeypatch.setattr(
        "catalog.changes.values_of_release",
        lambda release, *rest: real(release, *rest) if release.version.minor else {},
    )
    train = [("hello", "joy"), ("go away", "fear"), *TRAIN[2:]]
    found = change(world, "greetings", greetings(), greetings(train))
    assert values(found) == {"changed": [()]}


def test_data_that_is_lost_takes_the_values_and_not_the_difference(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = greetings()
    (file,) = (data for file, data in before.files.items() if "train" in file)
    world.release("greetings", "1.0.0", before)
    for path in world.store.rglob("*"):
        if path.is_file() and path.read_bytes() == file:
            path.unlink()
    train = [("hello", "joy"), ("go away", "fear"), *TRAIN[2:]]
    world.release("greetings", "1.1.0", greetings(train))
    (dataset,) = find_datasets(world.root, "greetings")
    found = read_entry(dataset, read_releases(Git(world.root))["greetings"], "").current.change
    assert found and values(found) == {"changed": [()]}
    assert "greetings-v1.1.0: values of samples changed since 1.0.0 are left out: " in caplog.text
