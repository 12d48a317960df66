"""Programs and commands that read a release, to copy: each runs as it stands where its libraries are installed."""

import dataclasses
import json
import shlex
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from data_registry.store.get import RAW

from catalog import facts
from catalog.profile.captioned import ANNOTATIONS
from catalog.rendering import TEXT

CLONE = "a clone of this registry; ENV or DVC_REMOTE says where its data is"
DVC = "dvc[s3]"
READERS = ("parquet", "csv", "json")  # suffixes that pandas and Ray have a reader for
NUMBERS = ("int", "uint", "float", "double", "halffloat", "bool")  # how the names of numeric types begin
NULLABLE = {"bool": "boolean"}  # what pandas calls types of which a value may lack
NULLABLE |= {f"{sign}int{bits}": f"{sign.upper()}Int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
PYTORCH = {  # what its program needs beside torch
    "images": ("numpy", "pyarrow"),
    "texts": ("pandas", "pyarrow"),
    "vectors": ("numpy", "pyarrow"),
    "conversations": ("pillow",),
    "documents": (),
    "table": ("pandas",),
    "rows": ("pandas",),
}


@dataclasses.dataclass(frozen=True)
class Snippet:
    """A text to copy; ``needs`` says what must be there."""

    title: str
    text: str
    needs: str


@dataclasses.dataclass(frozen=True)
class Source:
    """A release as a consumer names it, and its files below the dataset's folder by split, in order.

    One that is not released is read where it is built.
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
    def lacking(self) -> dict[str, str]:
        """The types of the columns that have no value in some rows."""
        missing = self.metadata.get("checks", {}).get("missing", {})
        return {each.name: each.dtype for each in self.columns if missing.get(each.name)}

    @property
    def tag(self) -> str:
        return f"{self.name}-v{self.version}"

    @property
    def folder(self) -> str:
        """Where its files are: what the first command gets, or in the clone."""
        return self.name if self.is_released else f"data/{self.name}"

    @property
    def split(self) -> str:
        """The split that one trains on; empty where there is one only."""
        return facts.training_split(self.splits) if len(self.splits) > 1 else ""

    @property
    def file(self) -> str:
        """The first file of it."""
        return self.splits[facts.training_split(self.splits)][0]

    @property
    def path(self) -> str:
        """What one gets of it: that file, or the folder that it is in where it does not stand alone."""
        return RAW if self.form == "documents" else self.file.removesuffix(ANNOTATIONS)

    @property
    def suffix(self) -> str:
        """The suffix of a file that has a reader; empty otherwise."""
        found = self.file.rpartition(".")[2]
        return found if found in READERS and self.form != "documents" else ""

    @property
    def target(self) -> str | None:
        """The column that is to be predicted: the declared one, one with classes, or one called label."""
        found = sorted(self.columns, key=lambda each: (not each.is_target, not each.classes, each.name != "label"))
        return next((each.name for each in found if each.is_target or each.classes or each.name == "label"), None)

    @property
    def classes(self) -> list[str]:
        """The names of the target's classes, in their order; empty where they are not declared."""
        return next((list(each.classes.values()) for each in self.columns if each.name == self.target), [])

    @property
    def image(self) -> facts.Column | None:
        """The column that has images."""
        return next((each for each in self.columns if len(each.shape) > 1), None)

    @property
    def text(self) -> str | None:
        """The column of texts that are labelled, or one called text."""
        others = [each for each in self.columns if each.name != self.target]
        texts = [each.name for each in others if each.dtype == "string"]
        if len(texts) == 1 and self.target is not None:
            return texts[0]
        return "text" if any(each.name == "text" for each in others) else None

    @property
    def form(self) -> str:
        """What the samples are: images, texts, vectors, conversations, documents, table, or other rows."""
        if self.file.startswith(f"{RAW}/"):
            return "documents"
        if self.file.endswith(ANNOTATIONS):
            return "conversations"
        if not self.file.endswith(".parquet"):
            return "table" if self.file.endswith(".csv") and self.target is not None else "rows"
        if any(each.name == "embedding" for each in self.columns):
            return "vectors"
        return "images" if self.image else "rows" if self.text is None else "texts"


def snippets(source: Source) -> Iterator[Snippet]:
    """Yield what fits the form of the release's files."""
    if source.is_released:
        yield from _of_release(source)
    if not source.suffix and source.form != "documents":
        return
    arrow = ("pyarrow",) if source.suffix == "parquet" else ()
    pandas = ("pandas", *arrow)
    got = f"the folder {source.folder}, {'from the first command' if source.is_released else 'in this clone'}; "
    yield _program("pandas", "pandas", source, got + _install(*pandas))
    torch = ("torch", *PYTORCH[source.form], *(arrow if source.form == "rows" else ()))
    yield _program("PyTorch", f"pytorch/{source.form}", source, got + _install(*torch))
    yield _program("Ray Data", "ray", source, got + _install("ray[data]"))
    pillow = ("pillow",) if source.form == "conversations" else ()
    yield _program("Hugging Face", "huggingface", source, got + _install("datasets", *pillow))


def _of_release(source: Source) -> Iterator[Snippet]:
    """Yield what needs nothing but the registry."""
    get = f"make get DS={source.name} VERSION={source.version} OUT={source.name}"
    yield Snippet("All of it, every byte verified", get, CLONE)
    place = shlex.quote(f"data/{source.name}/{source.path}")
    command = f"dvc get {shlex.quote(source.repo)} {place} \\\n    --rev {source.tag}"
    yield Snippet("DVC", command, _install(DVC))
    readers = ("pandas", "pyarrow") if source.suffix == "parquet" else ("pandas",) if source.suffix else ()
    yield _program("dvc.api", "dvc_api", source, _install(DVC, *readers))
    package = "the package registry; tools/registry/README.md says how to install it (In a training)"
    yield _program("registry.load", "load", source, package)


def _program(title: str, template: str, source: Source, needs: str) -> Snippet:
    numbers = {each.name: each.dtype.startswith(NUMBERS) for each in source.columns}
    values = {
        "source": source,
        "repo": _quoted(source.repo),
        "split": _quoted(source.split),
        "part": _quoted(source.split.replace("-", "_") or "train"),  # the card's name of it, for datasets takes no dash
        "place": _quoted(f"data/{source.name}/{source.file}"),
        "file": _quoted(f"{source.folder}/{source.file}"),
        "folder": _quoted(f"{source.folder}/{source.path}"),
        "images": _quoted(f"{source.folder}/{source.path}/images/"),
        "pattern": _quoted(f"*{PurePosixPath(source.file).suffix}"),
        "options": _pandas(source, numbers),
        "types": _arrow(source) if source.suffix == "csv" else "",
        "target": _quoted(source.target or ""),
        "has_target": source.target is not None,
        "image": _quoted(source.image.name if source.image else ""),
        "text": _quoted(source.text or ""),
        "classes": json.dumps(source.classes, ensure_ascii=False),
        "target_is_text": not numbers.get(source.target or "", False),
        "all_are_numbers": all(is_number for name, is_number in numbers.items() if name != source.target),
    }
    text = TEXT.get_template(f"programs/{template}.py.jinja").render(values)
    return Snippet(title, text.strip(), needs)


def _pandas(source: Source, numbers: Mapping[str, bool]) -> str:
    """Return how pandas is to read a file: "00123" and "NA" as texts, integers of which some lack as integers."""
    lacking = {name: NULLABLE[dtype] for name, dtype in source.lacking.items() if dtype in NULLABLE}
    if source.suffix == "parquet" and lacking:
        return ', dtype_backend="numpy_nullable"'
    if source.suffix != "csv":
        return ""
    texts = [name for name, is_number in numbers.items() if not is_number]
    options = {"dtype": {**dict.fromkeys(texts, "str"), **lacking}} if texts or lacking else {}
    told = "".join(f", {option}={_quoted(value)}" for option, value in options.items())
    if not texts:
        return told
    lack = {name: [""] for name, is_number in numbers.items() if is_number}
    return f"{told}, keep_default_na=False" + (f", na_values={_quoted(lack)}" if lack else "")


def _arrow(source: Source) -> str:
    """Return the types that Arrow, and Ray with it, is to read a CSV file as; empty where it finds them by itself."""
    texts = any(each.dtype == "string" for each in source.columns)
    return _quoted({each.name: each.dtype for each in source.columns}) if texts or source.lacking else ""


def _install(*packages: str) -> str:
    return f"pip install {shlex.join(packages)}"


def _quoted(value: str | dict[str, Any]) -> str:
    """Return a text, or a dict of texts, as Python writes it, whatever is in it."""
    return json.dumps(value, ensure_ascii=False)
