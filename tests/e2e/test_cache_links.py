"""make dataset where outputs are links, as DVC's cache.type has them: every stage reads its input."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import environ
from registry.build.scratch import make_scratch

pytestmark = pytest.mark.extended

TABLE, FOLDER, IMAGES = "wine-quality", "opencloudhub-readmes", "roco-radiology"
INPUTS = {
    TABLE: ["raw/winequality-red.csv"],
    FOLDER: ["raw/stage_README.md"],
    IMAGES: ["raw/captions.json", "samples.parquet"],
}
BUILT = [("symlink", FOLDER), ("symlink", TABLE), ("symlink", IMAGES), ("hardlink", FOLDER)]


def scratch(root: Path, folder: Path, kind: str, runtime: str) -> Callable[..., str]:
    """Make a scratch copy of the samples with this cache.type, and return what runs make there."""
    world = folder / "world"
    world.mkdir()
    clone = make_scratch(root, world)
    (clone / ".dvc/config.local").write_text(f"[cache]\n    type = {kind}\n")

    def make(*arguments: str) -> str:
        done = subprocess.run(
            ["make", *arguments], cwd=clone, env=environ(root, RUNTIME=runtime), text=True, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return make


@pytest.mark.parametrize(
    ("kind", "name", "runtime"),
    [
        ("symlink", FOLDER, "host"),
        *[pytest.param(*each, "host", marks=pytest.mark.slow) for each in BUILT[1:]],
        *[pytest.param(*each, "container", marks=[pytest.mark.docker, pytest.mark.slow]) for each in BUILT],
    ],
)
def test_stages_read_links(kind: str, name: str, runtime: str, root: Path, tmp_path: Path) -> None:
    make = scratch(root, tmp_path, kind, runtime)
    make("dataset", f"DS={name}")
    folder = tmp_path / "world/repo/data" / name
    for path in (folder / each for each in INPUTS[name]):
        assert path.is_symlink() if kind == "symlink" else path.stat().st_nlink == 2, path
    assert "nothing: all stages are current" in make("dataset", f"DS={name}")


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["host", pytest.param("container", marks=pytest.mark.docker)])
def test_index_is_built_from_links(runtime: str, root: Path, chunk_embed: Path, tmp_path: Path) -> None:
    make = scratch(root, tmp_path, "symlink", runtime)
    make("dataset", f"DS={FOLDER}")
    folder = tmp_path / "world/repo/data" / f"{FOLDER}-embeddings"
    params = folder / "params.yaml"
    params.write_text(params.read_text().replace(f"version: {FOLDER}-v1.0.0", "version: workspace"))
    make("dataset", f"DS={folder.name}")
    assert (folder / "readmes/raw/stage_README.md").is_symlink() and (folder / "embeddings.parquet").is_symlink()
