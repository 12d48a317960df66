"""Settings for captioned images: the raw files, the splits and the pinned prompt."""

import dataclasses
import hashlib
from pathlib import Path

import pyarrow as pa
from stage import params
from stage.errors import BadRows, ChecksumMismatch, InputMissing, UsageError

from parquetizer.split_settings import SharesSettings
from parquetizer.splits import NAME

TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
SCHEMA = pa.schema([("image", pa.binary()), ("conversations", pa.list_(TURN))])


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A version of a prompt of the MLflow prompt registry, and the SHA-256 of its text."""

    name: str
    version: int
    sha256: str

    def read(self, path: Path) -> str:
        """Return the text in ``path``, which must be the pinned one.

        Raises InputMissing, ChecksumMismatch (a changed prompt is an error, never a silent change), or BadRows for
        invalid UTF-8.
        """
        uri = f"{self.name}/{self.version}"
        if not path.is_file():
            raise InputMissing(path, f"text of prompt {uri} not found", f"make prompts PIN={uri}")
        text = path.read_bytes()
        if (sha256 := hashlib.sha256(text).hexdigest()) != self.sha256:
            fix = f"restore the pinned text, or pin this one: parquetizer.prompt.sha256: {sha256}"
            raise ChecksumMismatch(path, f"differs from the pinned text of prompt {uri}", fix)
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            raise BadRows(f"{path}@{error.start}", f"invalid utf-8: {error.reason}", "pin a text in UTF-8") from error


@dataclasses.dataclass(frozen=True)
class ConversationsSettings(SharesSettings):
    """Captions, images and prompt, and the shares of the splits; ``split`` is sequential or seeded."""

    prompt: Prompt
    captions: str = "captions.json"
    images: str = "images"
    stem: str = "image"
    split: str = "sequential"

    @classmethod
    def read(cls, path: Path) -> "ConversationsSettings":
        """Read the section ``parquetizer`` of a params file. Raises UsageError if it is invalid."""
        where = f"{path} parquetizer"
        settings = params.build(cls, params.section(path, "parquetizer"), where)
        if settings.split not in {"sequential", "seeded"}:
            raise UsageError(where, f"unknown split {settings.split}", "use one of: sequential, seeded")
        if not NAME.fullmatch(settings.stem):
            raise UsageError(where, f"invalid stem {settings.stem!r}", "use lowercase letters, digits, - and _")
        if not settings.splits:
            raise UsageError(where, "no splits", "add shares, such as splits: {train: 0.8, test: 0.2}")
        settings.check_splits([], SCHEMA, where)
        return settings
