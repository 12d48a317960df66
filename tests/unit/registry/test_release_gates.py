"""What a person says of a release is held against what has changed and what is described."""

import shutil
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from registry.build.new import EXAMPLES, make_dataset_folder
from registry.datasets import Dataset
from unit.registry.release_world import dataset, make, refused
from unit.registry.tiny import ROWS, SCHEMA, build, make_registry, tags

MORE = (*ROWS, ("d", 4))
NARROW = SCHEMA.set(1, pa.field("value", pa.int32()))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    make(make_registry(folder, ["greetings"]), "1.0.0")
    return folder


@pytest.fixture
def clone(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "world", symlinks=True)) / "clone"


def fix(part: str, version: str) -> str:
    return f"fix: VERSION={version} or BUMP={part}"


def test_rows_need_a_minor_version(clone: Path) -> None:
    build(clone, "greetings", MORE)
    for said in ({"bump": "patch"}, {"version": "1.0.1"}, {"version": "1.0.7"}):
        told = refused(40, "greetings: samples have changed since 1.0.0", partial(make, clone, **said))
        assert told.endswith(fix("minor", "1.1.0")) and "expected a minor version, got" in told
    assert tags(clone.parent / "origin.git").keys() == {"greetings-v1.0.0"}
    assert make(clone, "1.2.0").outcome == "released", "any that is enough"


def test_a_schema_needs_a_major_version(clone: Path) -> None:
    build(clone, "greetings", ROWS, schema=NARROW)
    for said in ({"bump": "patch"}, {"bump": "minor"}, {"version": "1.0.1"}, {"version": "1.9.0"}):
        told = refused(40, "greetings: the schema has changed since 1.0.0", partial(make, clone, **said))
        assert told.endswith(fix("major", "2.0.0"))
    assert make(clone, bump="major").tag == "greetings-v2.0.0"


def test_the_same_samples_are_a_patch_and_no_more(clone: Path) -> None:
    build(clone, "greetings", ROWS, note="described better")
    for said in ({"bump": "minor"}, {"bump": "major"}, {"version": "1.1.0"}, {"version": "2.0.0"}):
        told = refused(40, "greetings: same samples as 1.0.0", partial(make, clone, **said))
        assert told.endswith(fix("patch", "1.0.1"))


def test_nothing_changed_is_nothing_to_release(clone: Path) -> None:
    for said in ({"bump": "patch"}, {"bump": "auto"}, {"version": "1.0.1"}, {"version": "3.0.0"}):
        nothing = "greetings: nothing has changed since 1.0.0; fix: there is nothing"
        refused(40, nothing, partial(make, clone, **said))


def test_a_last_release_that_cannot_be_read_is_compared_by_its_metadata(
    clone: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A number that a person has chosen needs no other remote; one that is to be found does."""
    shutil.rmtree(clone.parent / "store")
    build(clone, "greetings", MORE)
    shutil.rmtree(clone / ".dvc/cache")
    build(clone, "greetings", MORE)
    refused(40, "samples have changed since 1.0.0", lambda: make(clone, "1.0.1"))
    refused(10, "not found", lambda: make(clone, bump="auto"))
    assert make(clone, "1.1.0").outcome == "released"
    assert "greetings: rows not compared with greetings-v1.0.0: object" in caplog.text


def test_what_is_to_be_filled_in_is_never_released(clone: Path) -> None:
    for key in ("title", "description", "source", "citation", "licence"):
        (clone / "data/greetings/params.yaml").write_text(f"dataset: {{name: greetings, {key}: To be filled in.}}\n")
        place = f"data/greetings/params.yaml, dataset.{key}: not filled in yet; fix: describe the data"
        refused(40, place, lambda: make(clone, "1.1.0"))
    assert tags(clone.parent / "origin.git").keys() == {"greetings-v1.0.0"}


def test_nor_is_a_readme_with_the_lines_of_a_new_one(clone: Path) -> None:
    build(clone, "greetings", MORE)
    readme = clone / "data/greetings/README.md"
    readme.write_text("# greetings\n\nWords.\n\n- **Licence:** what its users may do with it\n")
    place = "README.md, '- **Licence:** what its users may do with it'"
    refused(40, f"{place}: not filled in yet", lambda: make(clone, "1.1.0"))
    readme.write_text("# greetings\n\nForms, some of them to be filled in.\n\n- **Licence:** MIT\n")
    assert make(clone, "1.1.0").outcome == "released", "words of people's own"


@pytest.mark.parametrize("kind", ["table", "text"])
def test_a_new_dataset_is_one_that_is_to_be_filled_in(kind: str, root: Path, tmp_path: Path) -> None:
    from registry.build.new import left_to_fill_in

    example = root / "data" / EXAMPLES[kind]
    ignored = shutil.ignore_patterns("raw", "processed", "*.parquet")
    shutil.copytree(example, tmp_path / "data" / EXAMPLES[kind], ignore=ignored)
    made = Dataset("mine", make_dataset_folder(tmp_path, "mine", kind))
    gaps = [f"dataset.{key}" for key in ("title", "description", "source", "citation", "licence")]
    assert left_to_fill_in(made).startswith(f"params.yaml, {', '.join(gaps)}; README.md, 'What ")
    text = (made.folder / "params.yaml").read_text().replace("to be filled in", "a word")
    (made.folder / "params.yaml").write_text(text)
    assert left_to_fill_in(made).startswith("README.md, ")
    (made.folder / "README.md").write_text("# Mine\n\nThe words of mine.\n")
    assert left_to_fill_in(made) == ""
    assert left_to_fill_in(Dataset(EXAMPLES[kind], example)) == "", "our own are described"
    assert dataset(tmp_path, "mine").params()["dataset"]["title"] == "a word"
