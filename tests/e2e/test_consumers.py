"""What the training and serving repositories see of each dataset, read their way from a tag and MinIO."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import git
from integration.clones import DVC, Clone, clone_of
from integration.stack import running_stack

pytestmark = [pytest.mark.extended, pytest.mark.docker]

PLACE = "dvcstore/consumers"  # a bucket and a prefix
CONSUMERS = Path(__file__).with_name("consumers")
WINE = [
    *("fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide"),
    *("total sulfur dioxide", "density", "pH", "sulphates", "alcohol", "wine_type"),
]


@pytest.fixture(scope="module")
def clone(root: Path, mirror: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which every dataset was built and released, its data on MinIO."""
    stack = running_stack(root, request.config)
    folder = tmp_path_factory.mktemp("consumers")
    clone = clone_of(root, folder / "clone", stack, PLACE)
    path = clone.folder / ".dvc" / "config"
    here = f"url = s3://{PLACE}\n    endpointurl = {stack.environ['AWS_ENDPOINT_URL']}"
    config = path.read_text().replace("url = s3://dvcstore\n    endpointurl = http://localhost:9000", here)
    path.write_text(config.replace("remote = minikube", "remote = docker"))
    (clone.folder / ".dvc" / "config.local").unlink()
    git(clone.folder, "config", "user.name", "test")
    git(clone.folder, "config", "user.email", "test@localhost")
    git(clone.folder, "commit", "-q", "-a", "-m", "Where this test keeps its data")
    git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(clone.folder, "remote", "add", "origin", "../origin.git")
    git(clone.folder, "push", "-q", "-u", "origin", "main")
    done = clone.registry("bootstrap", FETCH_MIRROR=str(mirror))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": released; ") == len(list(clone.folder.glob("data/*/sources.csv")))
    return clone


@pytest.fixture(scope="module")
def origin(clone: Clone) -> Clone:
    """The bare repository: its tags are there, and data is on MinIO and nowhere else."""
    return Clone(clone.folder.parent / "origin.git", clone.known)


def read(consumer: str, dataset: str, origin: Clone, folder: Path) -> Any:
    """Run a consumer's program in a folder of its own, and return what it saw."""
    url = origin.folder.as_uri()
    known = {**origin.known, "DVC_REPO": url, "DVC_REPO_URL": url, "DVC_DATA_VERSION": f"{dataset}-v1.0.0"}
    known |= {"DVC_REMOTE": "docker", "DVC_SITE_CACHE_DIR": str(folder / "site"), "RAY_USAGE_STATS_ENABLED": "0"}
    # Ray's newer way of reading takes file_extensions=None for [".parquet"], and objects in DVC's store have no suffix.
    known["RAY_DATA_USE_DATASOURCE_V2"] = "0"
    command = [sys.executable, str(CONSUMERS / f"{consumer}.py"), str(folder / "got")]
    done = subprocess.run(command, cwd=folder, env=known, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_tabular_regression(origin: Clone, tmp_path: Path) -> None:
    assert read("sklearn_wine", "wine-quality", origin, tmp_path) == {
        "name": "wine-quality",
        "rows": 6497,
        "features": WINE,
        "dtypes": ["float64", "int64"],
        "red first": True,
        "quality": {"3": 30, "4": 216, "5": 2138, "6": 2836, "7": 1079, "8": 193, "9": 5},
    }


def test_image_classification(origin: Clone, tmp_path: Path) -> None:
    seen = read("lightning_fashion", "fashion-mnist", origin, tmp_path)
    assert (round(seen.pop("mean"), 4), round(seen.pop("std"), 4)) == (0.2860, 0.3530)
    same = {"columns": ["image", "label"], "shape": [1, 28, 28], "dtypes": ["float32", "int64"]}
    splits = {"train": {"rows": 60_000, **same}, "val": {"rows": 10_000, **same}}
    assert seen == {"name": "fashion-mnist", "splits": splits}


def test_text_classification(origin: Clone, tmp_path: Path) -> None:
    assert read("bert_emotion", "emotion", origin, tmp_path) == {
        "name": "emotion",
        "label2id": {"anger": 0, "fear": 1, "joy": 2, "love": 3, "sadness": 4, "surprise": 5},
        "splits": {
            "train": {"rows": 16_000, "labels": 6, "all text": True},
            "val": {"rows": 2_000, "labels": 6, "all text": True},
        },
    }


def test_vision_language_model(origin: Clone, tmp_path: Path, root: Path) -> None:
    same = {"roles": ["gpt", "human"], "one image each": True}
    text = (root / "data/roco-radiology/prompts/radiology-vlm-prompt/3.txt").read_text()
    assert read("qwen_roco", "roco-radiology", origin, tmp_path) == {
        "name": "roco-radiology",
        "prompt": {
            "prompt_name": "radiology-vlm-prompt",
            "prompt_version": 3,
            "prompt_uri": "prompts:/radiology-vlm-prompt/3",
            "prompt_text": text,
        },
        "splits": {
            "train": {"samples": 400, "images": 400, "first": "train_radiology_000000.jpg", **same},
            "test": {"samples": 100, "images": 100, "first": "test_radiology_000400.jpg", **same},
        },
    }


def test_rag_evaluation(origin: Clone, tmp_path: Path) -> None:
    assert read("rag_questions", "opencloudhub-readmes-rag-evaluation", origin, tmp_path) == {
        "rows": 30,
        "columns": ["question", "expected_answer", "key_concepts", "category"],
        "concepts": True,
        "categories": {
            "mlops": 9, "genai": 7, "infrastructure": 5, "workloads": 5, "overview": 2, "observability": 2,
        },
    }  # fmt: skip


def test_rag(origin: Clone, tmp_path: Path) -> None:
    """Fourteen files, of which one begins with a dot, which globs like to lose."""
    seen = read("rag_readmes", "opencloudhub-readmes", origin, tmp_path)
    assert len(seen["files"]) == 14 and ".github_README.md" in seen["files"]
    assert {".github", "ai-ml-sklearn", "data-registry", "infra-modules"} <= set(seen["repositories"])


def test_whoever_builds_again_gets_what_is_committed(clone: Clone) -> None:
    assert git(clone.folder, "status", "--porcelain") == ""
    added = git(clone.folder, "log", "--grep=: release 1.0.0", "--format=", "--name-only").split()
    assert {Path(path).name for path in added} == {"croissant.json"}, "there was nothing else to commit"


def test_bootstrap_again_finds_everything_released(clone: Clone) -> None:
    again = clone.registry("bootstrap")
    assert again.returncode == 0 and ": released; " not in again.stdout, again.stderr
    assert again.stdout.count(": already released; ") == len(list(clone.folder.glob("data/*/sources.csv")))


def test_the_earlier_registrys_commands_still_do_what_they_did(origin: Clone, clone: Clone, tmp_path: Path) -> None:
    """Word for word from its README, but for the addresses of this test."""
    url = origin.folder.as_uri()
    command = [str(DVC), "get", url, "data/fashion-mnist/processed", "-o", "fashion", "--rev", "fashion-mnist-v1.0.0"]
    assert subprocess.run(command, cwd=tmp_path, env=origin.known, capture_output=True).returncode == 0
    assert sorted(path.name for path in (tmp_path / "fashion").rglob("*.parquet")) == ["train.parquet", "val.parquet"]
    for words in (["remote", "default", "docker"], ["push"]):
        done = clone.run(DVC, *words)
        assert done.returncode == 0, done.stderr
    snippet = f"""
import json, dvc.api
data_version = "fashion-mnist-v1.0.0"
path = "data/fashion-mnist/processed/train/train.parquet"
print(dvc.api.get_url(path, repo="{url}", rev=data_version))
metadata = json.loads(dvc.api.read("data/fashion-mnist/metadata.json", repo="{url}", rev=data_version))
print(round(metadata["metrics"]["train"]["pixel_mean"], 4))
"""
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, env=origin.known, text=True, capture_output=True
    )
    address, mean = done.stdout.split()
    assert address.startswith(f"s3://{PLACE}/files/md5/") and mean == "0.286"
