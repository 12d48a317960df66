"""What exact samples were in the training data of a model: two releases, a training and the questions about them."""

import csv
import dataclasses
import hashlib
import json
import os
import shlex
import shutil
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import git
from integration.clones import Clone, clone_of
from integration.stack import running_stack
from sklearn.model_selection import train_test_split

pytestmark = [pytest.mark.extended, pytest.mark.docker]

PLACE = "dvcstore/lineage"  # a bucket and a prefix
CONSUMERS = Path(__file__).with_name("consumers")
FILES = {split: f"processed/{split}/{split}.parquet" for split in ("train", "val", "test")}


@dataclasses.dataclass(frozen=True)
class World:
    """The clone of whoever releases, that of whoever asks, and what was changed between two versions of emotion."""

    clone: Clone
    asker: Clone
    before: dict[str, list[str]]  # lines of raw files
    after: dict[str, list[str]]


@pytest.fixture(scope="module")
def world(root: Path, mirror: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    stack = running_stack(root, request.config)
    folder = tmp_path_factory.mktemp("lineage")
    clone = clone_of(root, folder / "clone", stack, PLACE)
    path = clone.folder / ".dvc" / "config"
    here = f"url = s3://{PLACE}\n    endpointurl = {stack.environ['AWS_ENDPOINT_URL']}"
    config = path.read_text().replace("url = s3://dvcstore\n    endpointurl = http://localhost:9000", here)
    path.write_text(config.replace("remote = minikube", "remote = docker"))
    run(clone, "images", "--no-build")
    git(clone.folder, "config", "user.name", "releaser")
    git(clone.folder, "config", "user.email", "releaser@localhost")
    git(clone.folder, "commit", "-q", "-a", "-m", "Where this test keeps its data")
    git(folder, "clone", "-q", "--bare", str(clone.folder), "origin.git")
    git(clone.folder, "remote", "add", "origin", (folder / "origin.git").as_uri())
    git(clone.folder, "fetch", "-q", "origin")
    git(clone.folder, "branch", "-q", "-u", "origin/main")
    for name in ("wine-quality", "emotion"):
        run(clone, "dataset", name, FETCH_MIRROR=str(mirror), SOURCE="upstream")
        run(clone, "release", name, VERSION="1.0.0")
    raw = clone.folder / "data" / "emotion" / "raw"
    before = {split: (raw / f"{split}.txt").read_text().splitlines() for split in FILES}
    after = changed(before)
    resourced(clone, after, mirror, folder / "mirror")
    run(clone, "dataset", "emotion", FETCH_MIRROR=str(folder / "mirror"), SOURCE="upstream")
    run(clone, "release", "emotion", BUMP="auto")
    git(folder, "clone", "-q", (folder / "origin.git").as_uri(), "asker")
    return World(clone, Clone(folder / "asker", clone.known), before, after)


def run(clone: Clone, *arguments: str, **variables: str) -> str:
    done = clone.registry(*arguments, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def changed(before: dict[str, list[str]]) -> dict[str, list[str]]:
    """Give two texts another label, drop two, add one, and move one from val to train."""
    counts = Counter(text(line) for lines in before.values() for line in lines)
    train, val = list(before["train"]), list(before["val"])
    alone = [row for row, line in enumerate(train) if counts[text(line)] == 1]
    for row in (alone[7], alone[-9]):
        train[row] = f"{text(train[row])};{'joy' if not train[row].endswith(';joy') else 'fear'}"
    moved = next(row for row, line in enumerate(val) if row > 40 and counts[text(line)] == 1)
    train += ["i have never said this before;surprise", val.pop(moved)]
    for row in (alone[500], alone[100]):
        del train[row]
    return {**before, "train": train, "val": val}


def text(line: str) -> str:
    return line.rpartition(";")[0]


def resourced(clone: Clone, lines: dict[str, list[str]], mirror: Path, folder: Path) -> None:
    """Make the lines upstream's: in sources.csv, and in a mirror."""
    folder.mkdir()
    path = clone.folder / "data" / "emotion" / "sources.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        data = "".join(f"{line}\n" for line in lines[row["name"].removesuffix(".txt")]).encode()
        sha256 = hashlib.sha256(data).hexdigest()
        if (mirror / row["sha256"]).read_bytes() != data:
            row |= {"sha256": sha256, "bytes": str(len(data))}
            (folder / sha256).write_bytes(data)
        else:
            shutil.copy(mirror / row["sha256"], folder)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def sample_id(*values: Any, number: int = 0) -> str:
    """Return an id as tools/samples/README.md says, without the package."""
    body = b"\x9b" + struct.pack(">Q", len(values))
    for value in values:
        if isinstance(value, str):
            body += b"\x7b" + struct.pack(">Q", len(value.encode())) + value.encode()
        else:
            body += (
                b"\xfb" + struct.pack(">d", value) if isinstance(value, float) else b"\x1b" + struct.pack(">Q", value)
            )
    key = hashlib.sha256(body).digest()
    return hashlib.sha256(key + struct.pack(">I", number)).digest()[:16].hex()


def test_diff_is_exact_to_the_row(world: World) -> None:
    found = json.loads(run(world.asker, "diff", "emotion", "1.0.0", "1.1.0", "--format", "json"))
    rows = {
        version: {line: (split, row) for split in FILES for row, line in enumerate(lines[split])}
        for version, lines in (("before", world.before), ("after", world.after))
    }
    old = {text(line): (line, *place) for line, place in rows["before"].items()}
    new = {text(line): (line, *place) for line, place in rows["after"].items()}
    expected = {
        "added": {sample_id(each): new[each][1:] for each in new.keys() - old.keys()},
        "removed": {sample_id(each): old[each][1:] for each in old.keys() - new.keys()},
        "moved": {sample_id(each): new[each][1:] for each in new.keys() & old.keys() if new[each][1] != old[each][1]},
        "changed": {sample_id(each): new[each][1:] for each in new.keys() & old.keys() if new[each][0] != old[each][0]},
    }
    counts = {kind: len(places) for kind, places in expected.items()}
    assert counts == {"added": 1, "removed": 2, "moved": 1, "changed": 2}
    for kind, places in expected.items():
        assert {each["sample_id"]: (each["split"], each["row"]) for each in found[kind]} == places
        assert {each["file"] for each in found[kind]} <= set(FILES.values())
    assert found["bump"] == "minor" and found["schema"] == []
    counts = Counter(line.rpartition(";")[2] for line in world.after["train"])
    drift = {each["what"]: each["after"] for each in found["drift"]}
    assert drift["splits.train.label_distribution.surprise"] == counts["surprise"]
    shown = run(world.asker, "diff", "emotion", "1.0.0", "1.1.0")
    assert max(map(len, shown.splitlines())) <= 80 and "  moved     1\n" in shown


@pytest.fixture(scope="module")
def trained(world: World, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model, trained as the consumer trains it, elsewhere."""
    folder = tmp_path_factory.mktemp("trainer")
    url = (world.clone.folder.parent / "origin.git").as_uri()
    known = {**world.clone.known, "DVC_REPO": url, "DVC_DATA_VERSION": "wine-quality-v1.0.0"}
    known |= {"XDG_CACHE_HOME": str(folder / "cache"), "DVC_SITE_CACHE_DIR": str(folder / "site")}
    command = [sys.executable, str(CONSUMERS / "sklearn_wine_training.py")]
    done = subprocess.run(command, cwd=folder, env=known, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def wines(world: World) -> list[str]:
    """The ids of all wines in order, computed from the CSV alone."""
    data = pd.read_csv(world.clone.folder / "data/wine-quality/processed/wine-quality.csv")
    rows = list(zip(*(data[name].tolist() for name in data.columns), strict=True))
    seen: Counter[tuple[Any, ...]] = Counter()
    ids = []
    for row in rows:
        ids.append(sample_id(*row, number=seen[row]))
        seen[row] += 1
    return ids


def test_explain_names_the_training_samples(world: World, trained: Any, wines: list[str], tmp_path: Path) -> None:
    chosen, _ = train_test_split(np.arange(len(wines)), train_size=0.8, shuffle=True, random_state=42)
    assert trained["rows"] == chosen.tolist() and trained["mae"] < 1
    found = json.loads(run(world.asker, "explain", trained["model"], "--json", "--ids", str(tmp_path / "ids.csv")))
    (part,) = found["parts"]
    assert part["samples"] == [wines[row] for row in chosen] and part["context"] == "training"
    assert (found["release"], found["said_in"], found["image"]) == ("wine-quality-v1.0.0", "tag", "trainer:1")
    with (tmp_path / "ids.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [(each["sample_id"], int(each["row"])) for each in table] == [(wines[row], row) for row in chosen]
    shown = run(world.asker, "explain", trained["model"])
    assert "5197 of 6497 samples of wine-quality-v1.0.0, selected by rows" in shown


def test_whohas_tells_who_was_given_a_sample(world: World, trained: Any, wines: list[str]) -> None:
    copies = Counter(wines_without_number(world))
    alone = [row for row, content in enumerate(wines_without_number(world)) if copies[content] == 1]
    given = next(row for row in trained["rows"] if row in set(alone))
    held_out = next(row for row in alone if row not in set(trained["rows"]))
    for row, status in ((given, "selected"), (held_out, "not selected")):
        found = json.loads(run(world.asker, "whohas", wines[row], "--json"))
        assert [(each["tag"], each["row"]) for each in found["releases"]] == [("wine-quality-v1.0.0", row)]
        assert [(f"{each['model']}/{each['version']}", each["status"]) for each in found["models"]] == [
            (trained["model"], status)
        ]
    shown = run(world.asker, "whohas", wines[held_out])
    assert "its release has it, its logged selection does not" in " ".join(shown.split())


def wines_without_number(world: World) -> list[str]:
    path = world.clone.folder / "data/wine-quality/processed/wine-quality.csv"
    return path.read_text().splitlines()[1:]


def test_whohas_finds_a_text_in_the_releases_that_have_it(world: World) -> None:
    gone = (set(map(text, world.before["train"])) - set(map(text, world.after["train"]))).pop()
    found = json.loads(run(world.asker, "whohas", gone, "--json"))
    assert {each["tag"] for each in found["releases"]} == {"emotion-v1.0.0"} and found["models"] == []
    found = json.loads(run(world.asker, "whohas", "i have never said this before", "--json"))
    assert [each["tag"] for each in found["releases"]] == ["emotion-v1.1.0"]


def test_show_lists_both_versions(world: World) -> None:
    shown = run(world.asker, "show", "emotion", "1.1.0")
    assert shown.startswith("emotion 1.1.0\n") and "\n  versions  1.1.0, " in shown and "\n            1.0.0, " in shown


def test_load_gives_the_consumer_the_same_table(world: World, tmp_path: Path) -> None:
    url = (world.clone.folder.parent / "origin.git").as_uri()
    program = (
        "from registry import load; data = load('emotion', 'emotion-v1.1.0', split='train', as_='pandas'); "
        "print(len(data), data['text'].iloc[-1], data['label'].iloc[-2])"
    )
    known = {**world.clone.known, "DVC_REPO_URL": url, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=known, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    train = world.after["train"]
    assert done.stdout == f"{len(train)} {text(train[-1])} {train[-2].rpartition(';')[2]}\n"
    assert os.listdir(tmp_path / "data-registry")


def test_the_readme_says_how(world: World, trained: Any, root: Path, tmp_path: Path) -> None:
    """Word for word: its lines of Python run where a training does, and its commands in a clone."""
    readme = (root / "README.md").read_text()
    section = readme.partition("## Show, compare, trace\n")[2].partition("\n## ")[0]
    commands = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    assert [line.split()[1] for line in commands] == ["show", "diff", "explain", "whohas"]
    for line in commands:
        done = world.asker.run(*shlex.split(line))
        assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= 80, done.stderr
    assert "emotion-v1.0.0  processed/train/train.parquet" in done.stdout
    program = readme.partition("```python\n")[2].partition("```")[0]
    known = {**world.clone.known, "DVC_REPO": (world.clone.folder.parent / "origin.git").as_uri()}
    training = f"import mlflow\ntrain_rows = [0, 2]\n{program}print(wines.num_rows)\n"
    command = [sys.executable, "-c", training]
    ran = subprocess.run(command, cwd=tmp_path, env=known, text=True, capture_output=True, timeout=300)
    assert ran.returncode == 0 and ran.stdout.splitlines()[-1] == "6497", ran.stderr
