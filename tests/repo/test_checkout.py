"""A checkout has the committed bytes, whatever git is told to do with line endings, filters and modes."""

import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

import pytest
from conftest import environ, make_clone
from launcher.toolbox import find_tools

# Each is a part of ~/.gitconfig; ATTRIBUTES stands for a file of the user's own, which core.attributesFile names.
SETTINGS = {
    "autocrlf": "[core]\nautocrlf = true\n",
    "input": "[core]\nautocrlf = input\nsafecrlf = true\n",
    "crlf": "[core]\neol = crlf\n",
    "attributes": "[core]\nattributesFile = ATTRIBUTES\n",
    "modes": "[core]\nfileMode = false\nsymlinks = false\nprecomposeUnicode = true\nignoreCase = true\n",
    "filters": '[filter "upper"]\nsmudge = tr a-z A-Z\nclean = cat\nrequired = true\n',
}
ALL = "\n".join(text for name, text in SETTINGS.items() if name != "input")
ATTRIBUTES = (
    "* text eol=crlf ident filter=upper export-subst\n*.csv working-tree-encoding=UTF-16LE\n*.md export-ignore\n"
)


@pytest.fixture(scope="module")
def origin(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clone(root, tmp_path_factory.mktemp("origin") / "repo")


def digests(folder: Path) -> dict[str, str]:
    """Return the hash of each file's bytes, and of each link's target, which is what git has of it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink()) and not {".git", "__pycache__"} & {*path.relative_to(folder).parts}
    }


def configured(folder: Path, settings: str) -> dict[str, str]:
    """Return an environment in which git has these settings for its user's."""
    (folder / "attributes").write_text(ATTRIBUTES)
    (folder / "gitconfig").write_text(settings.replace("ATTRIBUTES", str(folder / "attributes")))
    return {"GIT_CONFIG_GLOBAL": str(folder / "gitconfig")}


@pytest.mark.parametrize(
    "settings",
    [pytest.param(ALL, id="all"), *(pytest.param(v, id=k, marks=pytest.mark.slow) for k, v in SETTINGS.items())],
)
def test_clone_and_archive_have_the_committed_bytes(origin: Path, tmp_path: Path, settings: str) -> None:
    known = {**os.environ, **configured(tmp_path, settings)}
    subprocess.run(["git", "clone", "-q", origin, tmp_path / "clone"], env=known, check=True)
    assert digests(tmp_path / "clone") == digests(origin)
    assert os.access(tmp_path / "clone/tools/run", os.X_OK)
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=tmp_path / "clone", env=known, check=True, capture_output=True
    )
    assert status.stdout == b"", "nothing of it is taken for changed"
    hashes = [
        {name: tool.source_hash() for name, tool in find_tools(each).items()} for each in (origin, tmp_path / "clone")
    ]
    assert hashes[0] == hashes[1]

    archive = subprocess.run(["git", "archive", "HEAD"], cwd=origin, env=known, check=True, capture_output=True).stdout
    (tmp_path / "archive.tar").write_bytes(archive)
    with tarfile.open(tmp_path / "archive.tar") as file:
        file.extractall(tmp_path / "archive", filter="data")
    assert digests(tmp_path / "archive") == digests(origin)


def test_commands_run_in_a_clone_of_a_user_with_crlf(origin: Path, root: Path, tmp_path: Path) -> None:
    known = environ(root, **configured(tmp_path, ALL))
    subprocess.run(["git", "clone", "-q", origin, tmp_path / "clone"], env=known, check=True)
    for command in (["tools/run", "--help"], ["make", "help"], ["make", "show", "DS=emotion"]):
        done = subprocess.run(command, cwd=tmp_path / "clone", env=known, text=True, capture_output=True)
        assert done.returncode == 0, (command, done.stderr)


def test_what_is_added_keeps_its_bytes(origin: Path, tmp_path: Path) -> None:
    known = {**os.environ, **configured(tmp_path, ALL)}
    subprocess.run(["git", "clone", "-q", origin, tmp_path / "clone"], env=known, check=True)
    mixed = b"a,b\r\nc,d\n\xff\x00$Id$\r\n"
    (tmp_path / "clone/data/emotion/corrections.csv").write_bytes(mixed)
    subprocess.run(["git", "add", "-A"], cwd=tmp_path / "clone", env=known, check=True)
    show = ["git", "show", ":data/emotion/corrections.csv"]
    assert subprocess.run(show, cwd=tmp_path / "clone", env=known, check=True, capture_output=True).stdout == mixed
