"""make demo, as a newcomer types it."""

import filecmp
import subprocess
from pathlib import Path

from conftest import environ, git, make_clone


def test_demo_shows_the_whole_journey_and_touches_nothing_else(root: Path, tmp_path: Path) -> None:
    clone = make_clone(root, tmp_path / "clone")
    made = subprocess.run(["make", "demo"], cwd=clone, env=environ(root), text=True, capture_output=True)
    assert made.returncode == 0, made.stderr
    for text in ("$ make dataset DS=wine-quality", "$ make bootstrap", "$ dvc get", "files of wine-quality"):
        assert text in made.stderr
    for path in root.glob("data/*/dvc.yaml"):
        assert f"Get {path.parent.name} 1.0.0, verified" in made.stderr
        assert f"{path.parent.name}-v1.0.0: released" in made.stdout
    assert "nothing to do" in made.stdout and "Done in" in made.stdout
    got = clone / ".demo/consumer/wine-quality/processed/wine-quality.csv"
    assert filecmp.cmp(got, clone / ".demo/repo/data/wine-quality/processed/wine-quality.csv", shallow=False)
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone / ".demo/repo", "status", "--porcelain") == ""
