"""Convert a model for OpenVINO once: sentence-transformers loads it, OpenVINO traces it, a folder stores it.

The folder is in the tool's environment (in an image since its build), in the cache, or temporary.
"""

import hashlib
import importlib
import json
import logging
import os
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from stage.errors import StageError
from stage.foreign import read_bytes, read_json
from stage.output import replacing_folder

from chunk_embed.model import DEFAULT_MODEL, DEFAULT_REVISION, Model, find_model, load_sentence_transformer
from chunk_embed.settings import EmbedSettings

log = logging.getLogger(__name__)
EXPORT: Final = "model.xml"
FILES: Final = (EXPORT, "model.bin")
DIGESTS: Final = "sha256.json"
INSTALLED: Final = Path(sys.prefix) / "share" / "chunk-embed"
INPUTS: Final = ("input_ids", "attention_mask")


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would send a report at each import."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: as if it was not installed
    return importlib.import_module("openvino")


def find_export(model: Model, cache: Path | None) -> Path | None:
    """Return the folder of a complete export of the model, if there is one."""
    return next((folder for folder in _folders(model, cache) if _is_complete(folder)), None)


def make_export(model: Model, cache: Path | None, scratch: Path) -> Path:
    """Export the model into the first writable folder, ``scratch`` being the last, and return it."""
    log.info("converting %s for OpenVINO (once)", model.name)
    for folder in (*_folders(model, cache), scratch / "export"):
        if _is_writable(folder):
            with replacing_folder(folder) as temporary:
                _export(model, temporary)
            return folder
    raise PermissionError(13, "no writable folder", str(scratch))


def prepare_export(model: Model, cache: Path | None) -> None:
    """Make the export unless it exists, or no permanent folder is writable."""
    if not find_export(model, cache) and any(_is_writable(folder) for folder in _folders(model, cache)):
        with tempfile.TemporaryDirectory(prefix="export-") as scratch:
            make_export(model, cache, Path(scratch))


def export_default() -> None:
    """Export the default model; the build of the image runs this."""
    model = find_model(EmbedSettings(model=DEFAULT_MODEL, revision=DEFAULT_REVISION), None)
    with replacing_folder(_folders(model, None)[0]) as temporary:
        _export(model, temporary)


def _folders(model: Model, cache: Path | None) -> list[Path]:
    key = f"{model.files_sha256} openvino {version('openvino')} transformers {version('transformers')}"
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    installed = [INSTALLED / name] if (model.name, model.revision) == (DEFAULT_MODEL, DEFAULT_REVISION) else []
    return [*installed, *([cache / "exports" / name] if cache else [])]


def _is_complete(folder: Path) -> bool:
    try:
        return bool(read_json(read_bytes(folder / DIGESTS), folder / DIGESTS) == _digests(folder))
    except (OSError, StageError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    digests = {}
    for name in FILES:
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def _is_writable(folder: Path) -> bool:
    existing = next(parent for parent in folder.parents if parent.exists())
    return os.access(existing, os.W_OK)


def _export(model: Model, folder: Path) -> None:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import torch  # slow

    class Traced(torch.nn.Module):  # type: ignore[misc]  # torch has no types here
        """The model, from token ids to vectors."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.inner({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]

    openvino = import_openvino()
    example = torch.tensor([[101, 2023, 102, 0], [101, 2023, 2003, 102]])
    inputs = {"input_ids": example, "attention_mask": (example != 0).long()}
    shapes = [(name, [-1, -1], openvino.Type.i64) for name in INPUTS]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns of shapes, wrongly for these models
        traced = Traced(load_sentence_transformer(model, "cpu"))
        converted = openvino.convert_model(traced, example_input=inputs, input=shapes)
    openvino.save_model(converted, folder / EXPORT, compress_to_fp16=False)
    (folder / DIGESTS).write_text(json.dumps(_digests(folder), indent=2) + "\n")
