"""make new: a folder that builds as it is, of every kind."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import environ, git, make_clone
from registry.build.new import EXAMPLES


@pytest.fixture(scope="module")
def clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clone(root, tmp_path_factory.mktemp("new") / "clone")


def make(clone: Path, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["make", *arguments]
    return subprocess.run(command, cwd=clone, env=environ(root, RUNTIME="host"), text=True, capture_output=True)


KINDS = sorted({*EXAMPLES} - {"index"})  # of a release: test_index.py


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.extended] * (kind != "table")) for kind in KINDS]
)
def test_a_new_folder_builds_as_it_is(kind: str, clone: Path, root: Path) -> None:
    made = make(clone, root, "new", f"DS=my-{kind}", f"KIND={kind}")
    assert made.returncode == 0 and f"data/my-{kind}: created" in made.stdout, made.stderr
    folder = clone / "data" / f"my-{kind}"
    params = yaml.safe_load((folder / "params.yaml").read_text())
    assert params["dataset"]["name"] == f"my-{kind}" and params["dataset"]["source"] == "to be filled in"
    assert "upstream" not in params and params["parquetizer"]
    assert params["card"]["tasks"] and params["card"].keys() <= {"tasks", "languages"}
    assert (folder / "dvc.yaml").read_bytes() == (root / "data" / EXAMPLES[kind] / "dvc.yaml").read_bytes()
    built = make(clone, root, "dataset", f"DS=my-{kind}")
    assert built.returncode == 0, built.stderr
    assert json.loads((folder / "metadata.json").read_text())["dataset"]["name"] == f"my-{kind}"
    assert "SYNTHETIC SAMPLE" in built.stdout
    card = (folder / "README.md").read_text()
    assert card.startswith("---\n") and "pretty_name: to be filled in (synthetic sample)" in card
    untracked = git(clone, "status", "--porcelain").splitlines()
    assert untracked and all(line.startswith("?? data/my-") for line in untracked), "data belongs to DVC, not to git"
    assert not any(name in git(clone, "ls-files", "--others", "--exclude-standard") for name in ("/raw/", ".parquet"))


def test_it_takes_no_name_twice_and_no_other_kind(clone: Path, root: Path) -> None:
    for arguments, message in (
        (["DS=wine-quality"], "error: DS: data/wine-quality already exists; fix: choose another name"),
        (["DS=../x"], "error: DS: invalid name '../x'; fix: use a-z, 0-9 and -, as my-data"),
        (["DS=x", "KIND=video"], f"error: KIND: unknown kind 'video'; fix: use one of: {', '.join(EXAMPLES)}"),
    ):
        refused = make(clone, root, "new", *arguments)
        assert refused.returncode == 2 and message in refused.stderr
    assert not (clone / "data/x").exists()


def test_a_dataset_from_a_file_is_guessed_built_and_corrected(clone: Path, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "reviews.csv"
    rows = "".join(
        f'{number},{number % 5 + 1},"good, {number}",{"pos" if number % 2 else "neg"}\n' for number in range(60)
    )
    source.write_text(f"id,stars,text,label\n{rows}")
    made = make(clone, root, "new", "DS=reviews", f"FROM={source}")
    assert made.returncode == 0 and "60 rows, 4 features" in made.stdout, made.stderr
    assert "To fill in before a release: params.yaml, dataset.title, dataset.description" in made.stdout
    folder = clone / "data" / "reviews"
    text = (folder / "params.yaml").read_text()
    assert "- {name: stars, type: int64} # all 60 values are integers, 1 to 5" in text
    params = yaml.safe_load(text)
    assert params["dataset"]["columns"][3]["classes"] == ["neg", "pos"] and params["parquetizer"]["key"] == ["id"]
    assert str(tmp_path) not in text, "a path of one's own stays one's own"
    assert not any(name in git(clone, "ls-files", "--others", "--exclude-standard") for name in ("/raw/", ".parquet"))
    (folder / "params.yaml").write_text(text.replace("name: text, type: string", "name: text, type: float64"))
    contradicted = make(clone, root, "dataset", "DS=reviews")
    assert contradicted.returncode == 2 and "raw/reviews.csv:2: text: expected" in contradicted.stderr
    (folder / "params.yaml").write_text(text)
    again = make(clone, root, "dataset", "DS=reviews")
    assert again.returncode == 0, again.stderr
    text = text.replace("  key: [id]", "  splits: {train: 0.8, test: 0.2}\n  key: [id]")
    (folder / "params.yaml").write_text(text)
    refused = make(clone, root, "dataset", "DS=reviews")
    assert refused.returncode == 2 and "fix: write into a folder: dataset.file: processed" in refused.stderr
    (folder / "params.yaml").write_text(text.replace("file: processed/reviews.parquet", "file: processed"))
    split = make(clone, root, "dataset", "DS=reviews")
    assert split.returncode == 0 and " train, " in split.stdout, split.stderr
    assert {path.name for path in (folder / "processed").iterdir()} == {"train", "test"}


def test_what_cannot_be_guessed_leaves_no_folder(clone: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("x,y,z\n1,2,3\n")
    refused = make(clone, root, "new", "DS=several", f"FROM={tmp_path}")
    assert refused.returncode == 2 and "columns delimited by ','" in refused.stderr
    refused = make(clone, root, "new", "DS=several", f"FROM={tmp_path / 'c.csv'}")
    assert refused.returncode == 2 and "c.csv not found" in refused.stderr
    refused = make(clone, root, "new", "DS=several", f"FROM={tmp_path / 'a.csv'}", "KIND=table")
    assert refused.returncode == 2 and "error: KIND: given together with FROM" in refused.stderr
    assert not (clone / "data" / "several").exists()
