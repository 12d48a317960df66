"""What is built of the client: complete, the same twice, and what its metadata says of it."""

import email
import tarfile
import zipfile
from pathlib import Path

import pytest
from client_wheel import build
from conftest import make_clone

PROJECT = Path("tools") / "client"


@pytest.fixture(scope="module")
def built(root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution and the wheel, from a clone: what this checkout has beside what is in git stays out."""
    folder = tmp_path_factory.mktemp("client")
    sdist, wheel = sorted(build(make_clone(root, folder / "clone") / PROJECT, folder / "dist"), key=lambda p: p.suffix)
    return sdist, wheel


def test_both_have_all_modules_as_files_but_those_of_command_lines(root: Path, built: tuple[Path, Path]) -> None:
    package = root / PROJECT / "data_registry"
    modules = {path.relative_to(package.parent) for path in package.rglob("*.py") if not path.is_symlink()}
    for link in ("stage", "samples"):
        modules |= {path.relative_to(package.parent) for path in (package / link).glob("*.py")}
    modules -= {Path("data_registry", "stage", f"{name}.py") for name in ("command", "options", "progress")}
    modules.add(Path("data_registry", "py.typed"))
    with zipfile.ZipFile(built[1]) as wheel:
        names = {Path(name) for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == modules
    with tarfile.open(built[0]) as sdist:
        assert all(member.isfile() for member in sdist.getmembers())
        paths = {Path(*Path(name).parts[1:]) for name in sdist.getnames()}
    assert (
        paths - {Path(name) for name in ("LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore")} == modules
    )


def test_the_licence_is_the_repositorys(root: Path) -> None:
    assert (root / PROJECT / "LICENSE").read_bytes() == (root / "LICENSE").read_bytes()


def test_the_metadata_is_what_pip_and_people_need(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        names = {name.partition("/")[2]: name for name in wheel.namelist()}
        text = wheel.read(names["METADATA"]).decode()
        assert "licenses/LICENSE" in names and "entry_points.txt" not in names
    found = email.message_from_string(text)
    assert (found["Name"], found["License-Expression"]) == ("data-registry-client", "Apache-2.0")
    assert found["Description-Content-Type"] == "text/markdown" and "from data_registry import load" in text
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13, 14)} <= {
        *found.get_all("Classifier", [])
    }
    assert {*found.get_all("Provides-Extra", [])} == {"pandas", "ray", "huggingface", "mlflow"}
