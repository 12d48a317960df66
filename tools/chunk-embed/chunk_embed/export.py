"""Export a model for OpenVINO, once: sentence-transformers loads it, OpenVINO traces it, a folder keeps it.

The folder is in the tool's environment (an image has it from its build), or in the cache, or of this run alone.
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

from chunk_embed.model import BAKED, BAKED_REVISION, Model, find_model
from chunk_embed.settings import EmbedSettings

log = logging.getLogger(__name__)
EXPORT: Final = "model.xml"
FILES: Final = (EXPORT, "model.bin")
DIGESTS: Final = "sha256.json"
OF_TOOL: Final = Path(sys.prefix) / "share" / "chunk-embed"
INPUTS: Final = ("input_ids", "attention_mask")


def import_openvino() -> Any:
    """Return the module, which reports to its makers whenever it is imported, unless the reporter is missing."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: as if not installed
    return importlib.import_module("openvino")


def find_export(model: Model, cache: Path | None) -> Path | None:
    """Return the folder of the model's export, if there is a whole one."""
    return next((folder for folder in _folders(model, cache) if _is_whole(folder)), None)


def make_export(model: Model, cache: Path | None, scratch: Path) -> Path:
    """Export the model into the first folder that can be written to, at last into ``scratch``, and return it."""
    log.info("exporting %s for OpenVINO (once)", model.name)
    for folder in (*_folders(model, cache), scratch / "export"):
        if _is_writable(folder):
            with replacing_folder(folder) as temporary:
                _export(model, temporary)
            return folder
    raise PermissionError(13, "no folder to write to", str(scratch))


def prepare_export(model: Model, cache: Path | None) -> None:
    """Make the export where it can be kept and is not there yet."""
    if not find_export(model, cache) and any(_is_writable(folder) for folder in _folders(model, cache)):
        with tempfile.TemporaryDirectory(prefix="export-") as scratch:
            make_export(model, cache, Path(scratch))


def export_baked() -> None:
    """Export the model that comes with the tool; a build of the image runs this."""
    model = find_model(EmbedSettings(model=BAKED, revision=BAKED_REVISION), None)
    with replacing_folder(_folders(model, None)[0]) as temporary:
        _export(model, temporary)


def _folders(model: Model, cache: Path | None) -> list[Path]:
    made_of = f"{model.files_sha256} openvino {version('openvino')} transformers {version('transformers')}"
    name = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    of_tool = [OF_TOOL / name] if (model.name, model.revision) == (BAKED, BAKED_REVISION) else []
    return [*of_tool, *([cache / "exports" / name] if cache else [])]


def _is_whole(folder: Path) -> bool:
    try:
        return bool(read_json(read_bytes(folder / DIGESTS), folder / DIGESTS) == _digests(folder))
    except (OSError, StageError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for name in FILES:
        with (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _is_writable(folder: Path) -> bool:
    existing = next(parent for parent in folder.parents if parent.exists())
    return os.access(existing, os.W_OK)


def _export(model: Model, folder: Path) -> None:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import torch

    from chunk_embed.torch_encoder import load_sentence_transformer

    class Whole(torch.nn.Module):  # type: ignore[misc]  # torch has no types here
        """The model from token numbers to vectors."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return self.inner({"input_ids": input_ids, "attention_mask": attention_mask})["sentence_embedding"]

    openvino = import_openvino()
    example = torch.tensor([[101, 2023, 102, 0], [101, 2023, 2003, 102]])
    given = {"input_ids": example, "attention_mask": (example != 0).long()}
    shapes = [(name, [-1, -1], openvino.Type.i64) for name in INPUTS]
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing: what it says of shapes does not hold for these models
        whole = Whole(load_sentence_transformer(model, "cpu"))
        converted = openvino.convert_model(whole, example_input=given, input=shapes)
    openvino.save_model(converted, folder / EXPORT, compress_to_fp16=False)
    (folder / DIGESTS).write_text(json.dumps(_digests(folder), indent=2) + "\n")
