"""A split of a release, ready to train on: as Arrow, pandas, Ray or Hugging Face data."""

import dataclasses
import importlib
import os
import reprlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_registry.releases.lookup import open_release
from data_registry.releases.release import Release
from data_registry.stage.errors import UsageError
from data_registry.store.cache import fetch_files
from data_registry.store.manifests import fetch_manifest, rows_by_split

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import pyarrow as pa
    import ray.data

# pyarrow, what imports it, and the library of each ``to_`` method are imported in functions: they are slow to load.


@dataclasses.dataclass(frozen=True, repr=False)
class Split:
    """A split of a release. Its files are on this machine, every byte verified; the ``to_`` methods read them.

    Attributes:
        tag: the release, as ``emotion-v1.1.0``.
        name: the split, as ``train``; ``all`` where the dataset has one alone.
        num_rows: number of samples; also ``len(split)``.
        files: the files that hold the samples, in order, relative to the dataset's folder.
        paths: where those files are, and the images that they name.

    """

    tag: str
    name: str
    num_rows: int
    files: tuple[str, ...]
    paths: dict[str, Path] = dataclasses.field(hash=False)
    _manifest: Path

    def __len__(self) -> int:
        return self.num_rows

    def __repr__(self) -> str:
        columns = reprlib.repr(self.columns)
        return f"Split({self.tag}, name={self.name!r}, num_rows={self.num_rows}, columns={columns})"

    @property
    def columns(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.schema.names)

    @property
    def schema(self) -> "pa.Schema":
        """Names and Arrow types of the columns."""
        from data_registry.training.sample_files import schema_of

        return schema_of(self.files[0], self.paths, self._manifest)

    def to_arrow(self) -> "pa.Table":
        """Return the samples as a table of Arrow, in the order of the files.

        Raises:
            CorruptFile: a file does not have the columns that its release declares.

        Example:
            >>> load("emotion", "1.1.0", split="train").to_arrow().schema.field("text").type
            DataType(string)

        """
        from data_registry.training.sample_files import read_samples

        return read_samples(self.files, self.paths, self._manifest)

    def to_pandas(self) -> "pd.DataFrame":
        """Return the samples as a data frame of pandas.

        Integers and booleans with missing values have pandas' nullable types (``Int64``, ``boolean``): as floats or
        objects they would not be the same values. Everything else has the type that pandas gives it.

        Raises:
            UsageError: pandas is not installed.

        Example:
            >>> load("emotion", "1.1.0", split="train").to_pandas()["label"].nunique()
            6

        """
        pandas = _library("pandas")
        table = self.to_arrow()
        frame: pd.DataFrame = table.to_pandas()
        for name, column in zip(table.column_names, table.columns, strict=True):
            nullable = NULLABLE.get(str(column.type))
            if nullable and column.null_count:
                frame[name] = column.to_pandas(types_mapper={column.type: pandas.api.types.pandas_dtype(nullable)}.get)
        return frame

    def to_ray(self) -> "ray.data.Dataset":
        """Return the samples as a dataset of Ray, which reads Parquet files where they are.

        Types that Parquet does not have, as times in seconds, are cast, in the memory of this process.

        Raises:
            UsageError: Ray Data is not installed.

        Example:
            >>> load("emotion", "1.1.0", split="train").to_ray().count()  # doctest: +SKIP
            16000

        """
        from data_registry.training.sample_files import are_as_declared

        data = _library("ray.data", "ray[data]")
        dataset: ray.data.Dataset
        if not are_as_declared(self.files, self.paths, self._manifest):
            dataset = data.from_arrow(self.to_arrow())
        else:
            dataset = data.read_parquet([str(self.paths[file]) for file in self.files], file_extensions=None)
        return dataset

    def to_huggingface(self) -> "datasets.Dataset":
        """Return the samples as a dataset of Hugging Face's ``datasets``.

        Raises:
            UsageError: datasets is not installed.

        Example:
            >>> load("emotion", "1.1.0", split="train").to_huggingface().column_names
            ['text', 'label']

        """
        dataset: datasets.Dataset = _library("datasets").Dataset(self.to_arrow())
        return dataset


NULLABLE = {f"{sign}int{bits}": f"{sign.upper()}Int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
NULLABLE["bool"] = "boolean"


def load(
    name: str,
    version: str = "latest",
    *,
    split: str | None = None,
    repo: str | os.PathLike[str] | None = None,
    remote: str | None = None,
) -> Split:
    """Fetch a split of a release, verify every byte of it, and return it.

    Files stay in ``~/.cache/data-registry`` (``XDG_CACHE_HOME``) and are not fetched twice.

    Args:
        name: the dataset, as ``emotion``.
        version: ``1.1.0``, the whole tag ``emotion-v1.1.0`` as in ``DVC_DATA_VERSION``, or ``latest``.
        split: as ``train``; may be left out where the dataset has one split alone.
        repo: git URL or path of the registry; default: ``DVC_REPO``, ``DVC_REPO_URL``, or the clone around.
        remote: name of the DVC remote that holds the data; default: ``DVC_REMOTE``, or the release's default remote.

    Returns:
        The split: ``to_arrow()``, ``to_pandas()``, ``to_ray()``, ``to_huggingface()``.

    Raises:
        UsageError: unknown dataset, version, split or remote; the message lists the right ones.
        NetworkFailed: the repository or the remote cannot be reached.
        SourceRefused: the remote refuses the credentials.
        ChecksumMismatch: an object has other bytes than its name says.
        VerificationFailed: the release is damaged.

    Example:
        >>> train = load("emotion", "1.1.0", split="train")
        >>> train.columns
        ['text', 'label']
        >>> frame = train.to_pandas()

    """
    if split is not None and not isinstance(split, str):
        raise UsageError("split", f"expected a string, got {split!r:.40}", 'write it in quotes, as "train"')
    remote = remote or os.environ.get("DVC_REMOTE", "")
    with open_release(name, version, repo) as release:
        manifest = fetch_manifest(release, remote)
        splits = rows_by_split(manifest)
        fix = f"use one of: {', '.join(splits)}"
        if split is None and len(splits) > 1:
            raise UsageError("split", f"not given, and {release.tag} has several", fix)
        if split is not None and split not in splits:
            raise UsageError("split", f"{split!r:.60} not found in {release.tag}", fix)
        chosen = split or next(iter(splits))
        return _fetch(release, manifest, chosen, splits[chosen], remote)


def load_splits(
    name: str,
    version: str = "latest",
    *,
    repo: str | os.PathLike[str] | None = None,
    remote: str | None = None,
) -> dict[str, Split]:
    """Fetch every split of a release, as ``load`` does one, and return them by name.

    Example:
        >>> {name: split.columns for name, split in load_splits("emotion", "1.1.0").items()}
        {'train': ['text', 'label'], 'val': ['text', 'label'], 'test': ['text', 'label']}

    """
    remote = remote or os.environ.get("DVC_REMOTE", "")
    with open_release(name, version, repo) as release:
        manifest = fetch_manifest(release, remote)
        splits = rows_by_split(manifest)
        return {split: _fetch(release, manifest, split, rows, remote) for split, rows in splits.items()}


def _fetch(release: Release, manifest: Path, name: str, rows: dict[str, int], remote: str) -> Split:
    paths = fetch_files(release, list(rows), remote)
    return Split(release.tag, name, sum(rows.values()), tuple(rows), paths, manifest)


def _library(module: str, package: str = "") -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(module, f"cannot be imported: {error}", f"pip install '{package or module}'") from error
