"""Programs and commands that read a release, to copy: each runs as it is if its libraries are installed."""

import dataclasses
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from data_registry.store.get import RAW

from catalog import facts
from catalog.profile.captioned import ANNOTATIONS
from catalog.rendering import TEXT, literal

CLONE = "a clone of this registry; ENV or DVC_REMOTE selects the remote"
CLIENT = "data-registry-client[pandas] @ {url}#subdirectory=tools/client"
DVC = "dvc[s3]"
READERS = ("parquet", "csv", "json")  # suffixes that pandas and Ray can read
NUMBERS = ("int", "uint", "float", "double", "halffloat", "bool")  # prefixes of numeric types
NULLABLE = {"bool": "boolean"}  # nullable types of pandas
NULLABLE |= {f"{sign}int{bits}": f"{sign.upper()}Int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
PYTORCH = {  # packages beside torch
    "images": ("numpy", "pyarrow"),
    "image": ("pandas", "pillow", "pyarrow"),
    "audio": ("pandas", "pyarrow", "soundfile"),
    "texts": ("pandas", "pyarrow"),
    "vectors": ("numpy", "pyarrow"),
    "conversations": ("pillow",),
    "documents": (),
    "table": ("pandas",),
    "rows": ("pandas",),
}


@dataclasses.dataclass(frozen=True)
class Snippet:
    """A text to copy, and its requirements."""

    title: str
    text: str
    needs: str


@dataclasses.dataclass(frozen=True)
class Source:
    """A release as a consumer names it, with its files below the dataset's folder by split, in order.

    An unreleased one is read from the working copy.
    """

    name: str
    version: str
    repo: str
    splits: Mapping[str, tuple[str, ...]]
    metadata: Mapping[str, Any]
    is_released: bool = True

    @cached_property
    def columns(self) -> list[facts.Column]:
        return facts.columns(self.metadata)

    @cached_property
    def nullable(self) -> dict[str, str]:
        """The types of the columns with missing values."""
        missing = self.metadata.get("checks", {}).get("missing", {})
        return {column.name: column.type for column in self.columns if missing.get(column.name)}

    @property
    def tag(self) -> str:
        return f"{self.name}-v{self.version}"

    @property
    def folder(self) -> str:
        """The folder of its files: as ``make get`` writes it, or in the clone."""
        return self.name if self.is_released else f"data/{self.name}"

    @property
    def split(self) -> str:
        """The split to train on; empty if there is only one."""
        return facts.training_split(self.splits) if len(self.splits) > 1 else ""

    @property
    def file(self) -> str:
        """The first file of that split."""
        return self.splits[facts.training_split(self.splits)][0]

    @property
    def path(self) -> str:
        """What to download: that file, or its folder if the file is incomplete without it."""
        return RAW if self.form == "documents" else self.file.removesuffix(ANNOTATIONS)

    @property
    def suffix(self) -> str:
        """The suffix of a file that has a reader; empty otherwise."""
        suffix = self.file.rpartition(".")[2]
        return suffix if suffix in READERS and self.form != "documents" else ""

    @property
    def target(self) -> str | None:
        """The column to predict: the declared target, one with classes, or one named label."""
        columns = [column for column in self.columns if column.is_target or column.classes or column.name == "label"]
        ranked = sorted(columns, key=lambda column: (not column.is_target, not column.classes, column.name != "label"))
        return ranked[0].name if ranked else None

    @property
    def classes(self) -> list[str]:
        """The class names of the target in order; empty if they are not declared."""
        return next((list(column.classes) for column in self.columns if column.name == self.target), [])

    @property
    def image(self) -> facts.Column | None:
        """The column of images, as files or arrays."""
        return next((column for column in self.columns if column.type == "image" or len(column.shape) > 1), None)

    @property
    def audio(self) -> facts.Column | None:
        """The column of sounds."""
        return next((column for column in self.columns if column.type == "audio"), None)

    @property
    def text(self) -> str | None:
        """The column of labelled texts, or one named text."""
        features = [column for column in self.columns if column.name != self.target]
        texts = [column.name for column in features if column.type == "string"]
        if len(texts) == 1 and self.target is not None:
            return texts[0]
        return "text" if any(column.name == "text" for column in features) else None

    @property
    def form(self) -> str:
        """The kind of samples: images, audio, texts, vectors, conversations, documents, table, or other rows."""
        if self.file.startswith(f"{RAW}/"):
            return "documents"
        if self.file.endswith(ANNOTATIONS):
            return "conversations"
        if not self.file.endswith(".parquet"):
            return "table" if self.file.endswith(".csv") and self.target is not None else "rows"
        if any(column.name == "embedding" for column in self.columns):
            return "vectors"
        if self.image or self.audio:
            return "images" if self.image else "audio"
        return "rows" if self.text is None else "texts"

    @property
    def loader(self) -> str:
        """Its program for PyTorch: that of image files, or of its form."""
        return "image" if self.form == "images" and self.image and not self.image.shape else self.form


def snippets(source: Source) -> Iterator[Snippet]:
    """Yield what fits the form of the release's files, the client first."""
    if source.is_released:
        yield from _for_release(source)
    if not source.suffix and source.form != "documents":
        return
    arrow = ("pyarrow",) if source.suffix == "parquet" else ()
    folder = f"the folder {source.folder}{', from make get' if source.is_released else ' in this clone'}; "
    yield _program("pandas", "pandas", source, folder + _install("pandas", *arrow))
    torch = ("torch", *PYTORCH[source.loader], *(arrow if source.form == "rows" else ()))
    yield _program("PyTorch", f"pytorch/{source.loader}", source, folder + _install(*torch))
    yield _program("Ray Data", "ray", source, folder + _install("ray[data]"))
    pillow = ("pillow",) if source.form == "conversations" or source.loader == "image" else ()
    yield _program("Hugging Face", "huggingface", source, folder + _install("datasets", *pillow))


def pip_url(repo: str) -> str:
    """Return a git URL or path as pip takes it: git@host:path has no scheme."""
    if "://" in repo:
        return f"git+{quote(repo, safe='/:@%+~')}"
    if scp := re.match(r"([^/:]+):/?(.*)", repo):
        return f"git+ssh://{quote(scp[1], safe='@')}/{quote(scp[2])}"
    return f"git+{Path(repo).absolute().as_uri()}"


def _for_release(source: Source) -> Iterator[Snippet]:
    """Yield what downloads the data itself."""
    client = _install(CLIENT.format(url=pip_url(source.repo)))
    yield Snippet("Install the Python client", client, "Python 3.11 or later, git")
    yield _program("Load it in Python", "load", source, "the client, as above")
    get = f"make get DS={source.name} VERSION={source.version} OUT={source.name}"
    yield Snippet("Download all files, verified", get, CLONE)
    path = shlex.quote(f"data/{source.name}/{source.path}")
    command = f"dvc get {shlex.quote(source.repo)} {path} \\\n    --rev {source.tag}"
    yield Snippet("DVC", command, _install(DVC))
    readers = ("pandas", "pyarrow") if source.suffix == "parquet" else ("pandas",) if source.suffix else ()
    yield _program("dvc.api", "dvc_api", source, _install(DVC, *readers))


def _program(title: str, template: str, source: Source, needs: str) -> Snippet:
    numeric = {column.name: column.type.startswith(NUMBERS) for column in source.columns}
    values = {
        "source": source,
        "part": source.split.replace("-", "_") or "train",  # its name in the card: datasets allows no dash
        "file": f"{source.folder}/{source.file}",
        "folder": f"{source.folder}/{source.path}",
        "pattern": f"*{PurePosixPath(source.file).suffix}",
        "options": _pandas_options(source, numeric),
        "types": _arrow_types(source) if source.suffix == "csv" else "",
        "target_is_text": not numeric.get(source.target or "", False),
        "all_are_numbers": all(is_number for name, is_number in numeric.items() if name != source.target),
    }
    text = TEXT.get_template(f"programs/{template}.py.jinja").render(values)
    return Snippet(title, text.strip(), needs)


def _pandas_options(source: Source, numeric: Mapping[str, bool]) -> str:
    """Return the options that make pandas read "00123" and "NA" as texts, and integers with missing values as such."""
    nullable = {name: NULLABLE[dtype] for name, dtype in source.nullable.items() if dtype in NULLABLE}
    if source.suffix == "parquet" and nullable:
        return ', dtype_backend="numpy_nullable"'
    if source.suffix != "csv":
        return ""
    texts = [name for name, is_number in numeric.items() if not is_number]
    dtypes = {**dict.fromkeys(texts, "str"), **nullable}
    options = f", dtype={literal(dtypes)}" if dtypes else ""
    if not texts:
        return options
    na_values = {name: [""] for name, is_number in numeric.items() if is_number}
    return f"{options}, keep_default_na=False" + (f", na_values={literal(na_values)}" if na_values else "")


def _arrow_types(source: Source) -> str:
    """Return the types that Arrow needs to read a CSV file; empty if it infers them correctly."""
    has_texts = any(column.type == "string" for column in source.columns)
    types = {column.name: column.type for column in source.columns}
    return literal(types) if has_texts or source.nullable else ""


def _install(*packages: str) -> str:
    return f"pip install {shlex.join(packages)}"
