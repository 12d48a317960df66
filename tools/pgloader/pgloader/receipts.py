"""The receipt of a load: what was loaded, not where or when."""

import dataclasses
import json
from pathlib import Path

from stage import params
from stage.errors import InputMissing, UsageError
from stage.foreign import read_bytes, read_json
from stage.output import replacing


@dataclasses.dataclass(frozen=True)
class Receipt:
    """A file's rows as a table holds them; ``checksum`` is over the digests of the rows in the order of their ids."""

    relation: str
    table: str
    load_id: str
    rows: int
    dimension: int
    checksum: str
    indexes: tuple[str, ...]
    source_data_version: str
    embedding_model: str
    revision: str

    def write(self, path: Path) -> None:
        """Write it; the same load gives the same bytes."""
        with replacing(path) as (temporary,):
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Receipt":
        """Read it. Raises InputMissing, or UsageError for a file that is none."""
        if not path.is_file():
            raise InputMissing(path, "no such file", "make load, or pgloader load")
        values = read_json(read_bytes(path, error=UsageError), path, dict, UsageError, "pgloader load writes one")
        return params.build(cls, values, str(path))
