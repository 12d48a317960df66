"""How uv installs a lock: by pip's settings, with lines that say how far it is, and why it failed."""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from launcher.failure import CannotRun
from launcher.installing import follow, pip_settings, uv_environment, uv_flags
from launcher.toolbox import installer
from launcher.virtualenvs import virtualenv

NAMES = ("first", "second", "third")


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


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "made"], check=True)
    return tmp_path / "made"


@pytest.fixture(scope="module")
def uv(root: Path) -> Path:
    return virtualenv(installer(root), root) / "bin" / "uv"


def install(uv: Path, environment: Path, lock_file: Path, cache: Path) -> None:
    command = [str(uv), "pip", "install", "--python", str(environment), "--require-hashes", "-r", str(lock_file)]
    follow(command, "probe", uv_environment({}, cache))


def test_it_installs_what_the_lock_pins(
    environment: Path, uv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(uv, environment, lock(tmp_path), tmp_path / "cache")
    assert capsys.readouterr().err == "", "nothing is said of what is quick"
    modules = list(environment.glob("lib/python*/site-packages/[a-z]*.py"))
    assert {path.stem for path in modules} >= set(NAMES)
    assert all(path.stat().st_nlink > 1 for path in modules if path.stem in NAMES), "shared with uv's cache"


def test_other_bytes_than_the_locks_are_refused(
    environment: Path, uv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        CannotRun, match=r"uv pip install \.\.\. failed with exit 1; fix: see the lines above"
    ) as failure:
        install(uv, environment, lock(tmp_path, spoiled=True), tmp_path / "cache")
    assert failure.value.code == 1
    assert "Hash mismatch" in capsys.readouterr().err


PROGRAM = """\
echo Resolved 2 packages >&2
echo Downloading torch '(180.0MiB)' >&2; echo Downloading ray '(70.0MiB)' >&2; sleep 1; echo ' Downloaded ray' >&2
sleep 1; echo ' Downloaded torch' >&2; sleep 1; exit {code}
"""


def test_lines_say_what_is_downloaded_and_for_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    follow(["sh", "-c", PROGRAM.format(code=0)], "probe", os.environ, every=0.05)
    lines = [line.rpartition(", ")[0] for line in capsys.readouterr().err.splitlines()]
    packages = ["downloading torch, ray", "downloading torch", "installing packages"]
    assert [line for line in dict.fromkeys(lines) if "looking" not in line] == [f"probe: {each}" for each in packages]


@pytest.mark.parametrize(
    ("text", "code", "fix"),
    [
        ("write: No space left on device (os error 28)", 50, "free some space (df -h), or set REGISTRY_ENVS"),
        ("invalid peer certificate: UnknownIssuer", 12, "PIP_CERT=the file of your CA"),
        ("error: Failed to fetch: `https://index.example/simple/click/`", 12, "check the network, PIP_INDEX_URL"),
        ("error: something else", 1, "see the lines above"),
    ],
)
def test_failure_says_what_to_do(text: str, code: int, fix: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CannotRun) as failure:
        follow(["sh", "-c", f"echo '{text}' >&2; exit 2"], "probe", os.environ)
    assert failure.value.code == code and failure.value.fix.startswith(fix)
    assert capsys.readouterr().err == f"{text}\n"


def test_settings_of_pip_are_those_of_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """From variables and from pip.conf, which many companies write; what is not about packages' places stays away."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "SSL_", "REQUESTS_")) or "PROXY" in name:
            monkeypatch.delenv(name)
    (tmp_path / "wheels, all").mkdir()
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = https://user:secret@index.example/simple\ntimeout = 7.5\ntrusted-host = a b:8443\n"
        f"cert = /etc/ca.pem\nclient-cert = /etc/me.pem\nfind-links = {tmp_path} /nowhere\n[install]\nuser = true\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://one.example/simple https://two.example/simple")
    monkeypatch.setenv("PIP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_PYTHON", "3.9")
    settings = pip_settings(virtualenv(installer(root), root) / "bin" / "python")
    environ = uv_environment(settings, tmp_path / "cache")
    assert {name: value for name, value in environ.items() if name.startswith(("UV_", "SSL_")) or "PROXY" in name} == {
        "UV_DEFAULT_INDEX": "https://user:secret@index.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_FIND_LINKS": tmp_path.as_uri(),
        "UV_INSECURE_HOST": "a b:8443",
        "UV_HTTP_TIMEOUT": "7",
        "SSL_CERT_FILE": "/etc/ca.pem",
        "SSL_CLIENT_CERT": "/etc/me.pem",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://proxy.example:3128"),
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_CACHE_DIR": str(tmp_path / "cache"),
    }
    assert uv_flags(settings) == ["--no-index"]
