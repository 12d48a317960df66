"""Fetch a model from the Hugging Face Hub at a commit: safetensors only, each large file verified."""

import functools
import hashlib
import logging
import os
from pathlib import Path
from typing import Final

from stage.errors import ChecksumMismatch, InputMissing, NetworkFailed, SourceRefused

PATTERNS: Final = ["*.json", "*.txt", "*.model", "*.safetensors"]
IGNORED: Final = ["onnx/*", "openvino/*"]  # other formats of the weights
REFUSALS: Final = (401, 403, 404)


def is_offline() -> bool:
    """Return whether the Hub must not be used, which is the default unless HF_HUB_OFFLINE is 0."""
    return os.environ.get("HF_HUB_OFFLINE", "1").lower() not in {"0", "false", "no", "off"}


def fetch_model(name: str, revision: str, cache: Path | None) -> Path:
    """Return the folder of a model at a commit, after fetching it if it is not in the cache.

    Raises InputMissing offline, NetworkFailed, SourceRefused, or ChecksumMismatch.
    """
    offline = is_offline()
    os.environ["HF_HUB_OFFLINE"] = "1" if offline else "0"  # read when the library is imported
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # plain HTTPS through HF_ENDPOINT, which mirrors support
    import httpx2 as httpx  # the client of huggingface_hub; both read the variables when imported
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs each request
    where = f"{name}@{revision[:12]}"
    fetch = functools.partial(
        snapshot_download,
        name,
        revision=revision,
        cache_dir=cache / "hub" if cache else None,
        allow_patterns=PATTERNS,
        ignore_patterns=IGNORED,
    )
    try:
        if offline:
            return Path(fetch(local_files_only=True))
        info = HfApi().model_info(name, revision=revision, files_metadata=True)
        files = info.siblings or []
        sha256s = {file.rfilename: file.lfs.sha256 for file in files if file.lfs}
        if not any(file.rfilename.endswith(".safetensors") for file in files):
            pickles = [file.rfilename for file in files if file.rfilename.endswith(".bin")]
            what = f"no safetensors weights found{', only ' + pickles[0] if pickles else ''}"
            raise SourceRefused(where, what, "use a model or revision that has safetensors")
        folder = Path(fetch())
    except LocalEntryNotFoundError as error:
        if offline:
            fix = "set HF_HUB_OFFLINE=0 to fetch it once, or MODEL_FOLDER to its folder"
            raise InputMissing(where, "model not found, and HF_HUB_OFFLINE is not 0", fix) from error
        raise NetworkFailed(where, "download from the Hub failed", "try again") from error
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in REFUSALS:
            what = f"the Hub returned HTTP status {error.response.status_code}"
            raise SourceRefused(where, what, "correct model and revision, or set HF_TOKEN") from error
        fix = "try again"
        raise NetworkFailed(where, f"request to the Hub failed: {str(error).splitlines()[0]:.120}", fix) from error
    except (httpx.HTTPError, TimeoutError, ConnectionError) as error:
        raise NetworkFailed(where, f"cannot connect to the Hub: {error!s:.120}", "try again") from error
    for name, sha256 in sorted(sha256s.items()):
        if (folder / name).is_file():
            check_sha256(folder / name, sha256)
    return folder


def check_sha256(path: Path, expected: str) -> None:
    """Raise ChecksumMismatch if a file has another SHA-256, and remove it so that it is fetched again."""
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != expected:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise ChecksumMismatch(path, f"expected SHA-256 {expected} as on the Hub, got {actual}", "run it again")
