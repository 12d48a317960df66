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

pytestmark = pytest.mark.docker

PLACE = "dvcstore/consumers"  # a bucket and a prefix
CONSUMERS = Path(__file__).with_name("consumers")
WINE = [
    *("fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide"),
    *("total sulfur dioxide", "density", "pH", "sulphates", "alcohol", "wine_type"),
]


@pytest.fixture(scope="module")
def origin(root: Path, mirror: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A bare repository with a tag for each dataset, whose data is on MinIO and nowhere else."""
    stack = running_stack(root, request.config)
    folder = tmp_path_factory.mktemp("consumers")
    clone = clone_of(root, folder / "clone", stack, PLACE)
    for command in (("dataset", "all"), ("push", "all")):
        done = clone.registry(*command, FETCH_MIRROR=str(mirror), SOURCE="upstream")
        assert done.returncode == 0, done.stderr
    # assert git(clone.folder, "status", "--porcelain") == "", "whoever builds again gets what is committed"
    path = clone.folder / ".dvc" / "config"
    here = f"url = s3://{PLACE}\n    endpointurl = {stack.environ['AWS_ENDPOINT_URL']}"
    config = path.read_text().replace("url = s3://dvcstore\n    endpointurl = http://localhost:9000", here)
    path.write_text(config.replace("remote = minikube", "remote = docker"))
    git(clone.folder, "commit", "-q", "-a", "-m", "Where this test keeps its data")
    for path in clone.folder.glob("data/*/dvc.yaml"):
        git(clone.folder, "tag", f"{path.parent.name}-v1.0.0")
    git(folder, "clone", "-q", "--bare", str(clone.folder), "origin.git")
    return Clone(folder / "origin.git", clone.known)


def read(consumer: str, dataset: str, origin: Clone, folder: Path) -> Any:
    """Run a consumer's program in a folder of its own, and return what it saw."""
    url = origin.folder.as_uri()
    known = {**origin.known, "DVC_REPO": url, "DVC_REPO_URL": url, "DVC_DATA_VERSION": f"{dataset}-v1.0.0"}
    known |= {"DVC_REMOTE": "docker", "DVC_SITE_CACHE_DIR": str(folder / "site"), "RAY_USAGE_STATS_ENABLED": "0"}
    # Ray's newer way of reading takes file_extensions=None for [".parquet"], and an object in DVC's store has no suffix.
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


def test_dvc_get_of_a_folder_at_a_tag(origin: Clone, tmp_path: Path) -> None:
    """As the earlier registry's README has it."""
    command = [str(DVC), "get", origin.folder.as_uri(), "data/fashion-mnist/processed", "-o", "fashion", "--rev"]
    done = subprocess.run([*command, "fashion-mnist-v1.0.0", "-q"], cwd=tmp_path, env=origin.known)
    assert done.returncode == 0
    assert sorted(path.name for path in (tmp_path / "fashion").rglob("*.parquet")) == ["train.parquet", "val.parquet"]
