"""Fetch a model from the Hugging Face hub: one commit, safetensors only, every large file checked."""

import functools
import hashlib
import logging
import os
from pathlib import Path
from typing import Final

from stage.errors import ChecksumMismatch, InputMissing, NetworkFailed, SourceRefused

PATTERNS: Final = ["*.json", "*.txt", "*.model", "*.safetensors"]
IGNORED: Final = ["onnx/*", "openvino/*"]  # other copies of the weights
REFUSALS: Final = (401, 403, 404)


def is_offline() -> bool:
    """Say whether the hub must not be asked, as it is unless HF_HUB_OFFLINE is 0."""
    return os.environ.get("HF_HUB_OFFLINE", "1").lower() not in {"0", "false", "no", "off"}


def fetch_model(name: str, revision: str, cache: Path | None) -> Path:
    """Return the folder of a model at a commit, fetched where it is not yet there.

    Raises InputMissing offline, NetworkFailed, SourceRefused, or ChecksumMismatch.
    """
    offline = is_offline()
    os.environ["HF_HUB_OFFLINE"] = "1" if offline else "0"  # read when the library is imported
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # plain HTTPS through HF_ENDPOINT, as a company's mirror has it
    import httpx2 as httpx  # what huggingface_hub asks with
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    logging.getLogger("httpx2").setLevel(logging.WARNING)  # it tells each request
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
        files = {each.rfilename: each.lfs.sha256 for each in info.siblings or [] if each.lfs}
        if not any(each.rfilename.endswith(".safetensors") for each in info.siblings or []):
            pickles = [each.rfilename for each in info.siblings or [] if each.rfilename.endswith(".bin")]
            what = f"has no safetensors weights{', only ' + pickles[0] if pickles else ''}"
            raise SourceRefused(where, what, "use a model or revision that has safetensors")
        found = Path(fetch())
    except LocalEntryNotFoundError as error:
        if offline:
            fix = "HF_HUB_OFFLINE=0 to fetch it once, or MODEL_FOLDER=<folder that holds it>"
            raise InputMissing(where, "the model is not here, and the hub is not asked", fix) from error
        raise NetworkFailed(where, "the hub did not send the model", "try again") from error
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in REFUSALS:
            what = f"the hub answers {error.response.status_code}"
            raise SourceRefused(where, what, "correct model and revision, or set HF_TOKEN") from error
        raise NetworkFailed(where, f"the hub failed: {str(error).splitlines()[0]:.120}", "try again") from error
    except (httpx.HTTPError, TimeoutError, ConnectionError) as error:
        raise NetworkFailed(where, f"the hub cannot be reached: {error!s:.120}", "try again") from error
    for path, wanted in sorted(files.items()):
        if (found / path).is_file():
            check_sha256(found / path, wanted)
    return found


def check_sha256(path: Path, wanted: str) -> None:
    """Raise ChecksumMismatch, and remove the file so that it is fetched again, where it is not what the hub says."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        path.resolve().unlink()
        path.unlink(missing_ok=True)
        raise ChecksumMismatch(path, f"has SHA-256 {found}, the hub says {wanted}", "run it again")
