"""How pip is followed while it installs a lock."""

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from launcher.installing import PipFailed, install_lock

NAMES = ("first", "second", "third")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "made"], check=True)
    return tmp_path / "made"


@pytest.fixture
def pip(environment: Path) -> list[str]:
    return [sys.executable, "-m", "pip", "--python", str(environment), "--isolated", "--disable-pip-version-check"]


def wheel(folder: Path, name: str) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    inside = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{inside}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        file.writestr(f"{inside}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{inside}/RECORD", f"{name}.py,,\n{inside}/METADATA,,\n{inside}/WHEEL,,\n{inside}/RECORD,,\n")
    return path


def lock(folder: Path, spoiled: bool = False) -> Path:
    lines = ["--no-index", f"--find-links {folder}"]
    for name in NAMES:
        digest = hashlib.sha256(wheel(folder, name).read_bytes()).hexdigest()
        lines.append(f"{name}==1.0 --hash=sha256:{'0' * 64 if spoiled else digest}")
    lines.append(f"other==1.0 ; sys_platform == 'win32' --hash=sha256:{'0' * 64}")
    path = folder / "requirements.lock"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_lines_tell_packages_and_seconds(
    environment: Path, pip: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_lock(pip, lock(tmp_path), environment, "probe", every=0.02)
    lines = capsys.readouterr().err.splitlines()
    found = [re.fullmatch(r"probe: (fetched|installed) (\d of [34]) packages, \d s", line) for line in lines]
    assert found and all(found)
    told = [(match[1], match[2]) for match in found if match]
    assert {each for each in told if "of 4" in each[1]} == {each for each in told if each[0] == "fetched"}
    assert told == sorted(told), "fetched, then installed, and never fewer than before"
    assert {path.stem for path in environment.glob("lib/python*/site-packages/*.py")} == set(NAMES)


def test_nothing_is_said_of_what_is_quick(
    environment: Path, pip: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_lock(pip, lock(tmp_path), environment, "probe")
    assert capsys.readouterr().err == ""


def test_failure_shows_what_pip_says_of_it(
    environment: Path, pip: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PipFailed):
        install_lock(pip, lock(tmp_path, spoiled=True), environment, "probe")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in capsys.readouterr().err
