"""Read which release the documents are of, as ``registry parent`` writes it."""

import dataclasses
import json
from pathlib import Path

from stage.errors import CorruptFile, InputMissing


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
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CorruptFile(path, f"not JSON: {error}", "run the stage registry again") from error
        names = [field.name for field in dataclasses.fields(cls)]
        values = [str(found.get(name) or "") for name in names] if isinstance(found, dict) else []
        if not values or not all(values):
            raise CorruptFile(path, "names no dataset, version and logical_hash", "run the stage registry again")
        return cls(*values)
