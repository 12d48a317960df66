"""A tiny registry that has released two data sets to a folder remote; made by hand, so that it takes no time.

``letters`` is a table and the raw file that it was made from; ``pictures`` has folders, whose files bear odd names.
Its ``tools/run`` is this module, so that a release can be built again.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path
from unittest import mock

import pyarrow as pa
import yaml
from click.testing import CliRunner
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import Version
from data_registry.samples import ManifestWriter, logical_hash
from data_registry.store.folder import FolderStore
from data_registry.store.objects import list_items

IDENTITY = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
CONFIG = """\
[core]
    remote = local
    analytics = false
['remote "local"']
    url = ../.local/dvcstore
    verify = true
"""
IGNORED = (
    "/data/*/raw\n/data/*/processed\n/data/*/samples.parquet\n/.dvc/cache\n/.dvc/tmp\n/.local\n.dvc/config.local\n"
)
RUN = """\
#!{python}
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from unit.registry.releases_fixture import build
build(Path(__file__).resolve().parents[1], sys.argv[3])
"""
ODD = (
    *("with space.jpg", "-dash.jpg", "line\nbreak.jpg", "*?[a].jpg", "quote\"'.jpg", "back\\slash.jpg"),
    *(unicodedata.normalize(form, "é.jpg") for form in ("NFC", "NFD")),
    "long " + "x" * 246 + ".jpg",
)
OUTS = {
    "letters": {"fetcher": ["raw"], "parquetizer": ["processed/letters.csv", "samples.parquet"]},
    "pictures": {"fetcher": ["raw"], "parquetizer": ["processed/train", "samples.parquet"]},
}


def build(root: Path, name: str) -> None:
    """Build a data set as its params.yaml says, into the working tree and the cache, and lock it."""
    folder = root / "data" / name
    seed = yaml.safe_load((folder / "params.yaml").read_text())["seed"]
    for made in ("raw", "processed"):
        shutil.rmtree(folder / made, ignore_errors=True)
    texts = [hashlib.sha256(f"{seed} {number}".encode()).hexdigest() for number in range(40)]
    if name == "letters":
        files = {"raw/a.txt": texts[:20], "raw/b.txt": texts[20:], "processed/letters.csv": texts}
        samples, file = texts, "processed/letters.csv"
    else:
        images = {f"processed/train/images/{each}": [each, *texts[:5]] for each in ODD}
        images |= {f"processed/train/images/{number:03}.jpg": texts[number:] for number in range(20)}
        files = {"raw/all.txt": texts, "processed/train/annotations.json": texts[::2], **images}
        files["processed/train/images/again.jpg"] = files["processed/train/images/000.jpg"]
        samples, file = sorted(images), "processed/train/annotations.json"
    for path, lines in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes("\n".join(lines).encode())
    table = pa.table({"text": samples, "number": list(range(len(samples)))})
    with ManifestWriter(folder / "samples.parquet", table.schema) as writer:
        for batch in table.to_batches():
            writer.add(batch, split="train", file=file, source="raw/a.txt")
        writer.finish({file: hashlib.sha256((folder / file).read_bytes()).hexdigest()})
    metadata = {
        "dataset": {"name": name},
        "provenance": {"sample": False},
        "logical_hash": logical_hash(folder / "samples.parquet"),
        "seed": seed,
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))
    stages = {
        stage: {"cmd": "true", "outs": [_cached(root, folder / out) for out in outs]}
        for stage, outs in OUTS[name].items()
    }
    body = (folder / "metadata.json").read_bytes()
    locked = {"path": "metadata.json", "hash": "md5", "md5": hashlib.md5(body).hexdigest(), "size": len(body)}
    stages["stats"] = {"cmd": "true", "outs": [locked]}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False))


def _cached(root: Path, path: Path) -> dict[str, object]:
    """Put an output into the cache as DVC does, and return its entry in dvc.lock."""
    relative = path.relative_to(path.parents[len(path.relative_to(root / "data").parts) - 2]).as_posix()
    if path.is_file():
        return {"path": relative, "hash": "md5", "md5": _put(root, path.read_bytes()), "size": path.stat().st_size}
    files = [each for each in path.rglob("*") if each.is_file()]
    entries = [{"md5": _put(root, each.read_bytes()), "relpath": each.relative_to(path).as_posix()} for each in files]
    listed = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True).encode()
    size = sum(each.stat().st_size for each in files)
    return {"path": relative, "hash": "md5", "md5": _put(root, listed, ".dir"), "size": size, "nfiles": len(files)}


def _put(root: Path, body: bytes, ending: str = "") -> str:
    md5 = hashlib.md5(body).hexdigest() + ending
    path = root / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        path.chmod(0o444)
    return md5


@dataclasses.dataclass(frozen=True)
class Registry:
    """The clone in which everything was built and released."""

    root: Path

    @property
    def git(self) -> Git:
        return Git(self.root)

    @property
    def remote(self) -> Path:
        return self.root / ".local" / "dvcstore"

    @property
    def store(self) -> FolderStore:
        return FolderStore("local", self.remote)

    def of(self, name: str, version: str = "1.0.0") -> Release:
        return Release(self.git, name, Version.parse(version))

    def object(self, md5: str) -> Path:
        """Return where the remote has an object."""
        return self.remote / "files/md5" / md5[:2] / md5[2:]

    def md5(self, name: str, path: str, version: str = "1.0.0") -> str:
        """Return the object of a file or folder of a release."""
        release = self.of(name, version)
        known = {output.path: output.md5 for output in release.outputs}
        return known.get(path) or {item.path: item.md5 for item in list_items(release, self.store)[0]}[path]

    def objects(self, name: str, version: str = "1.0.0") -> dict[str, set[str]]:
        """Return the paths of each object of a release, lists included."""
        release = self.of(name, version)
        pairs = [(output.md5, output.path) for output in release.outputs if not output.in_git]
        pairs += [(item.md5, item.path) for item in list_items(release, self.store)[0]]
        return {md5: {path for other, path in pairs if other == md5} for md5, _ in pairs}

    def release(self, name: str, version: str, seed: int = 1, message: str = "", lightweight: bool = False) -> Release:
        """Build, push, commit and tag, as the tools do."""
        (self.root / "data" / name / "params.yaml").write_text(f"seed: {seed}\n")
        build(self.root, name)
        shutil.copytree(self.root / ".dvc/cache/files", self.remote / "files", dirs_exist_ok=True)
        for path in self.remote.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"{name}: release {version}", **IDENTITY)
        body = (self.root / "data" / name / "metadata.json").read_bytes()
        digest, logical = hashlib.sha256(body).hexdigest(), json.loads(body)["logical_hash"]
        message = message or f"{name} {version}\n\nlogical-hash: {logical}\nmetadata-sha256: {digest}\n"
        kind = [] if lightweight else ["-a", "-m", message]
        self.git("-c", "tag.gpgsign=false", "tag", *kind, f"{name}-v{version}", **IDENTITY)
        return self.of(name, version)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the real command as if in a process of its own, which would take half a second to start."""
        from registry.cli import cli

        known = {**os.environ, "REGISTRY_ROOT": str(self.root), "COLUMNS": "80", **variables}
        argv = ["registry", *arguments]
        with contextlib.chdir(self.root), mock.patch.dict(os.environ, known), mock.patch.object(sys, "argv", argv):
            done = CliRunner().invoke(cli, argv[1:], prog_name="registry", catch_exceptions=False)
        return subprocess.CompletedProcess(argv, done.exit_code, done.stdout, done.stderr)


def make_registry(root: Path) -> Registry:
    """Make the clone, with ``letters`` and ``pictures`` released as 1.0.0."""
    shutil.copytree(_template().name, root, symlinks=True)
    return Registry(root)


@functools.cache
def _template() -> "tempfile.TemporaryDirectory[str]":
    """Return the folder of a clone to copy, which goes when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="releases-")
    _make_registry(Path(folder.name))
    return folder


def _make_registry(root: Path) -> None:
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(CONFIG)
    (root / ".gitignore").write_text(IGNORED)
    (root / "tools").mkdir()
    run = root / "tools" / "run"
    run.write_text(RUN.format(python=sys.executable, tests=str(Path(__file__).resolve().parents[2])))
    run.chmod(0o755)
    registry = Registry(root)
    registry.git("init", "-q", "-b", "main")
    registry.git("config", "commit.gpgsign", "false")
    for name, stages in OUTS.items():
        folder = root / "data" / name
        folder.mkdir(parents=True)
        declared: dict[str, object] = {stage: {"cmd": "true", "outs": outs} for stage, outs in stages.items()}
        declared["stats"] = {"cmd": "true", "metrics": [{"metadata.json": {"cache": False}}]}
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": declared}, sort_keys=False))
        registry.release(name, "1.0.0")
