"""Read which release the documents are of, as ``registry parent`` writes it."""

import dataclasses
import re
from pathlib import Path

from stage.errors import CorruptFile, InputMissing
from stage.foreign import read_bytes, read_json


@dataclasses.dataclass(frozen=True)
class Release:
    """A release of documents: its data set, its tag (``workspace``: not released), and the logical hash."""

    dataset: str
    version: str
    logical_hash: str

    @classmethod
    def read(cls, path: Path) -> "Release":
        """Read ``release.json``. Raises InputMissing or CorruptFile."""
        if not path.is_file():
            raise InputMissing(path, "no such file", "run the stage registry")
        shape = {field.name: re.compile(r".+", re.DOTALL) for field in dataclasses.fields(cls)}
        found = read_json(read_bytes(path), path, shape, CorruptFile, "run the stage registry again")
        return cls(*(found[name] for name in shape))
