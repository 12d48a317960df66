"""uv and pip at work: where they get packages from, how far they are, and why they fail. Standard library only."""

import ast
import os
import re
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from launcher.failure import CannotRun
from launcher.variables import without_python

EVERY = 5.0  # seconds between two lines
RESOLVED = re.compile(r"^Resolved ", re.MULTILINE)
DOWNLOADING = re.compile(r"^Downloading (\S+)", re.MULTILINE)  # of more than a megabyte
DOWNLOADED = re.compile(r"^ *Downloaded (\S+)", re.MULTILINE)
MOST = 3  # names on a line

# What the user may tell pip: where packages come from, and how to reach that. Not what it does with them.
SOURCES = {
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy"),
    *("timeout", "default-timeout", "retries", "resume-retries", "keyring-provider", "cache-dir", "no-cache-dir"),
    *("use-deprecated", "use-feature"),
}
SETTING = re.compile(r"^(?:global|install|:env:)\.([a-z-]+)=(.*)$", re.MULTILINE)
TRUE = {"1", "true", "yes", "on"}

ELSEWHERE = "set REGISTRY_ENVS to a folder where you may write, on a disk with room that may hold programs"
DISK_FULL = ("No space left on device", "Disk quota exceeded")
UNTRUSTED = ("invalid peer certificate", "CERTIFICATE_VERIFY_FAILED")
UNREACHABLE = ("Failed to fetch", "error sending request", "Connection refused", "Max retries exceeded", "timed out")


def pip_settings(python: Path) -> dict[str, str]:
    """Return the user's settings of pip that say where packages come from, as variables, and no others.

    PIP_USER, PIP_TARGET, PIP_PREFIX and their like, also in pip's own files, would put the packages elsewhere.
    """
    known = without_python(os.environ)
    command = [str(python), "-I", "-m", "pip", "config", "list", "-vvv"]  # however quiet pip is told to be
    listed = subprocess.run(command, env={**known, "PIP_QUIET": "", "PIP_VERBOSE": ""}, capture_output=True, text=True)
    settings = SETTING.findall(listed.stdout)  # later ones win, as with pip
    return {_variable(name): str(ast.literal_eval(value)) for name, value in settings if name in SOURCES}


def _variable(name: str) -> str:
    return f"PIP_{name.upper().replace('-', '_')}"


def pip_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for pip."""
    known = {name: value for name, value in without_python(os.environ).items() if not name.startswith("PIP_")}
    return {**known, **settings, "PIP_CONFIG_FILE": os.devnull}  # what is in pip's files stands in the variables now


def uv_environment(settings: Mapping[str, str], cache: Path) -> dict[str, str]:
    """Return the variables for uv that mean what pip's settings do.

    Indexes are equal to pip, and the lock's hashes say which file is right, whichever index has it.
    """

    def given(*names: str) -> str:
        return next((settings[_variable(name)] for name in names if settings.get(_variable(name))), "")

    known = {name: value for name, value in without_python(os.environ).items() if not name.startswith(("UV_", "PIP_"))}
    proxy, cert = given("proxy"), given("cert") or known.get("REQUESTS_CA_BUNDLE") or known.get("CURL_CA_BUNDLE") or ""
    environ = {
        "UV_DEFAULT_INDEX": given("index-url"),
        "UV_INDEX": " ".join(given("extra-index-url").split()),
        "UV_FIND_LINKS": ",".join(filter(None, map(_location, given("find-links").split()))),
        "UV_INSECURE_HOST": " ".join(given("trusted-host").split()),
        "UV_KEYRING_PROVIDER": "subprocess" if given("keyring-provider") == "subprocess" else "",
        "UV_HTTP_TIMEOUT": given("timeout", "default-timeout").partition(".")[0],
        "UV_HTTP_RETRIES": given("retries"),
        "UV_NO_CACHE": "1" if given("no-cache-dir").lower() in TRUE else "",
        "UV_SYSTEM_CERTS": "1" if not cert and _has_system_certificates() else "",
        "SSL_CERT_FILE": cert,
        "SSL_CLIENT_CERT": given("client-cert"),
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), proxy),
    }
    fixed = {"UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    return {**known, **{name: value for name, value in environ.items() if value}, **fixed, "UV_CACHE_DIR": str(cache)}


def uv_flags(settings: Mapping[str, str]) -> list[str]:
    """Return the options for uv that have no variable."""
    return ["--no-index"] if settings.get("PIP_NO_INDEX", "").lower() in TRUE else []


def _location(text: str) -> str:
    """Return a place with wheels as uv takes it; pip passes over folders that are not there."""
    if urlsplit(text).scheme:
        return text
    path = Path(text).expanduser().absolute()
    return path.as_uri() if path.exists() else ""


def _has_system_certificates() -> bool:
    paths = ssl.get_default_verify_paths()
    return sys.platform == "darwin" or bool(paths.cafile) or bool(paths.capath and any(Path(paths.capath).iterdir()))


def follow(
    command: list[str], name: str, environ: Mapping[str, str], lock: int | None = None, every: float = EVERY
) -> None:
    """Run uv or pip, and say on stderr every few seconds how far that is.

    The program holds the descriptor ``lock`` as long as it lives. Raises CannotRun, after its own words.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        inherited = () if lock is None else (lock,)
        with subprocess.Popen(command, stdout=output, stderr=output, env=environ, pass_fds=inherited) as process:
            try:
                while _runs(process, every):
                    say(f"{name}: {_progress(_text(output.fileno()))}, {time.monotonic() - started:.0f} s")
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise _failure(name, command, process.returncode, _text(output.fileno()))


def _text(descriptor: int) -> str:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")


def _runs(process: subprocess.Popen[bytes], patience: float) -> bool:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        return True
    return False


def _progress(text: str) -> str:
    """Return what uv does, by what it says: of the larger packages, which it downloads now."""
    done = set(DOWNLOADED.findall(text))
    downloads = [package for package in DOWNLOADING.findall(text) if package not in done]
    if not downloads:
        return "installing packages" if RESOLVED.search(text) else "looking for packages"
    more = f" and {len(downloads) - MOST} more" if len(downloads) > MOST else ""
    return f"downloading {', '.join(downloads[:MOST])}{more}"


def _failure(name: str, command: list[str], code: int, text: str) -> CannotRun:
    """Show what the program says, and return why it failed, with what to do about it."""
    say(text.rstrip())
    if any(mark in text for mark in DISK_FULL):
        return disk_full(name)
    if any(mark in text for mark in UNTRUSTED):
        return CannotRun(12, name, "the package index's certificate is not trusted", "PIP_CERT=the file of your CA")
    if any(mark in text for mark in UNREACHABLE):
        return CannotRun(12, name, "package index not reachable", "check the network, PIP_INDEX_URL and PIP_PROXY")
    what = f"{' '.join([Path(command[0]).name, *command[1:3]])} ... failed with exit {code}"
    return CannotRun(1, name, what, "see the lines above")


def disk_full(where: object) -> CannotRun:
    """Return the error of a full disk."""
    return CannotRun(50, where, "no space left on the disk", f"free some space (df -h), or {ELSEWHERE}")


def say(text: str) -> None:
    """Print a line on stderr, where the talk is."""
    print(text, file=sys.stderr, flush=True)
