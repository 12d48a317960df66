"""Small raw files of images and texts in the current folder, and the parquetizer run over them."""

import dataclasses
import gzip
import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from click.testing import CliRunner
from parquetizer.cli import cli
from PIL import Image

RAW, PROCESSED, SAMPLES, PARAMS = Path("raw"), Path("processed"), Path("samples.parquet"), Path("params.yaml")
OLD = {"processed/old.txt": b"an older output", "samples.parquet": b"its manifest"}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run of the command line ended."""

    code: int
    result: dict[str, Any]  # from stdout
    error: str  # the last line of stderr, without "error: "


def run(command: str, *options: str) -> Outcome:
    """Run a command over the raw files and params.yaml as they are."""
    outputs = [str(SAMPLES)] if command == "documents" else [str(PROCESSED), str(SAMPLES)]
    return run_with(command, str(RAW), *outputs, "--params", str(PARAMS), *options)


def run_with(*arguments: str) -> Outcome:
    """Run the command line with these arguments."""
    done = CliRunner().invoke(cli, arguments)
    if done.exit_code == 1 and done.exception:
        raise done.exception
    last = done.stderr.splitlines()[-1] if done.exit_code else "error: "
    assert last.startswith("error: "), done.stderr
    return Outcome(done.exit_code, json.loads(done.stdout) if done.stdout else {}, last.removeprefix("error: "))


def refused(command: str, code: int, error: str, *options: str) -> None:
    """Assert a refusal in these words, and that raw files and the outputs of an earlier run are as before."""
    write(OLD)
    before = found()
    outcome = run(command, *options)
    assert (outcome.code, outcome.error) == (code, error)
    assert not outcome.result
    assert found() == before


def made(command: str, *options: str) -> dict[str, Any]:
    """Assert success; return what the tool says of it."""
    outcome = run(command, *options)
    assert outcome.code == 0, outcome.error
    return outcome.result


def write(files: Mapping[str, bytes | str]) -> None:
    for name, data in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data.encode() if isinstance(data, str) else data)


def write_params(columns: list[dict[str, Any]] | None = None, **settings: Any) -> None:
    """Write params.yaml; settings with underscores become keys with dashes."""
    section = {key.replace("_", "-"): value for key, value in settings.items()}
    dataset = {"columns": columns} if columns is not None else {}
    PARAMS.write_text(yaml.safe_dump({"dataset": dataset, "parquetizer": section}, allow_unicode=True, sort_keys=False))


def found(folder: Path = Path()) -> dict[str, bytes]:
    """Return every file in a folder and below, leftovers too."""
    return {path.as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def outputs() -> dict[str, bytes]:
    """Return the files of the processed folder, and the manifest."""
    return {**found(PROCESSED), SAMPLES.name: SAMPLES.read_bytes()}


def rows(split: str) -> list[tuple[Any, ...]]:
    """Return the rows of a split's Parquet file."""
    table = pq.read_table(PROCESSED / split / f"{split}.parquet")
    return [tuple(row.values()) for row in table.to_pylist()]


def samples(*columns: str) -> list[tuple[Any, ...]]:
    """Return columns of the manifest, row by row."""
    return [tuple(row.values()) for row in pq.read_table(SAMPLES, columns=[*columns]).to_pylist()]


def idx(items: np.ndarray, kind: int = 0x08, dimensions: tuple[int, ...] | None = None) -> bytes:
    """Return an IDX file, with other dimensions in its header if these are given."""
    shape = items.shape if dimensions is None else dimensions
    return struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape) + items.astype(np.uint8).tobytes()


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def gzip_of(data: bytes, level: int = 9, name: bytes = b"") -> bytes:
    """Return a gzip file of a level, 0 being not compressed, and with a name in its header."""
    packed = gzip.compress(data, level, mtime=0)
    return packed if not name else packed[:3] + b"\x08" + packed[4:10] + name + b"\0" + packed[10:]


def pixels(count: int, *shape: int) -> np.ndarray:
    return (np.arange(count * int(np.prod(shape))) * 7 % 251).astype(np.uint8).reshape(count, *shape)


def jpeg(number: int = 0, mode: str = "RGB", size: tuple[int, int] = (16, 12), **options: Any) -> bytes:
    """Return a JPEG image that is another one for each number."""
    noise = np.random.RandomState(number).randint(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    return encoded(Image.fromarray(noise).convert(mode), "JPEG", **options)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encoded_table(table: pa.Table, **options: Any) -> bytes:
    """Return a Parquet file with page checksums, and neither compressed nor with statistics if not told so."""
    file = io.BytesIO()
    plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    pq.write_table(table, file, write_page_checksum=True, **{**plain, **options})
    return file.getvalue()
