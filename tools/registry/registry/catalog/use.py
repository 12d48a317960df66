"""Programs and commands that read a release, to copy: each runs as it stands where its library is installed."""

import dataclasses
import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from registry.catalog import facts
from registry.catalog.rendering import TEXT

ANNOTATIONS = "/annotations.json"
DVC = "pip install 'dvc[s3]'"
READERS = ("parquet", "csv", "json")  # suffixes that pandas and Ray have a reader for


@dataclasses.dataclass(frozen=True)
class Snippet:
    """A text to copy: ``language`` is sh or python, ``needs`` says what must be there."""

    title: str
    language: str
    text: str
    needs: str


@dataclasses.dataclass(frozen=True)
class Source:
    """A release as a consumer names it, and its files below the dataset's folder by split, in order."""

    name: str
    version: str
    repo: str
    splits: Mapping[str, tuple[str, ...]]
    metadata: Mapping[str, Any]

    @property
    def tag(self) -> str:
        return f"{self.name}-v{self.version}"

    @property
    def split(self) -> str:
        """The split that one trains on; empty where there is one only."""
        return next(iter(self.splits)) if len(self.splits) > 1 else ""

    @property
    def file(self) -> str:
        """The first file of it."""
        return next(iter(self.splits.values()))[0]

    @property
    def target(self) -> str:
        """The column that is to be predicted, where one is declared."""
        return next((each.name for each in facts.columns(self.metadata) if each.is_target), "")

    @property
    def form(self) -> str:
        """What the samples are: images, texts, vectors, conversations, documents, table, or other rows."""
        columns = {each.name: each for each in facts.columns(self.metadata)}
        if not self.file.endswith(".parquet"):
            forms = {ANNOTATIONS: "conversations", ".md": "documents", ".csv": "table"}
            form = next((form for end, form in forms.items() if self.file.endswith(end)), "rows")
            return "rows" if form == "table" and not self.target else form
        if "embedding" in columns:
            return "vectors"
        return "images" if "image" in columns else "texts" if "text" in columns else "rows"


def snippets(source: Source) -> Iterator[Snippet]:
    """Yield what fits the form of the release's files."""
    name, suffix = source.name, source.file.rpartition(".")[2]
    path = source.file.removesuffix(ANNOTATIONS)
    got = _quoted(f"{name}/{source.file}")
    get = f"make get DS={name} VERSION={source.version} OUT={name}"
    after = f"{get}; pip install "
    yield Snippet("All of it, every byte verified", "sh", get, "a clone of this registry")
    place, out = shlex.quote(f"data/{name}/{path}"), shlex.quote(path.rpartition("/")[2])
    command = f"dvc get {shlex.quote(source.repo)} {place} \\\n    --rev {source.tag} -o {out}"
    yield Snippet("DVC", "sh", command, DVC)
    yield Snippet("dvc.api", "python", _api(source, suffix), f"{DVC} pandas pyarrow")
    argument = f", split={_quoted(source.split)}" if source.split else ""
    load = f'from registry import load\n\ndata = load("{name}", "{source.version}"{argument})\nprint(data.schema)'
    yield Snippet("registry.load", "python", load, f"this registry's environment, DVC_REPO={source.repo}")
    read = suffix if suffix in READERS else ""
    if read:
        yield Snippet("pandas", "python", _reading("import pandas as pd", f"pd.read_{read}({got})"), f"{after}pandas")
    if source.form not in {"documents", "rows"}:
        values = {"file": got, "folder": _quoted(f"{name}/{path}"), "target": _quoted(source.target)}
        program = TEXT.get_template(f"pytorch/{source.form}.py.jinja").render(values)
        yield Snippet("PyTorch", "python", program.strip(), f"{after}torch pandas pyarrow pillow")
    ray = f"read_{read}({got})" if read else f'read_binary_files("{name}/raw", include_paths=True)'
    yield Snippet("Ray Data", "python", _reading("import ray", f"ray.data.{ray}"), f"{after}'ray[data]'")
    yield Snippet("Hugging Face", "python", _huggingface(source, got), f"{after}datasets")


def _reading(importing: str, reading: str) -> str:
    return f"{importing}\n\ndata = {reading}\nprint(data)"


def _api(source: Source, suffix: str) -> str:
    path, repo = _quoted(f"data/{source.name}/{source.file}"), _quoted(source.repo)
    arguments = f'\n    {path},\n    repo={repo},\n    rev="{source.tag}",\n    mode="rb",\n'
    reading = f"pd.read_{suffix}(file)" if suffix in READERS else "file.read().decode()"
    importing = "import dvc.api\nimport pandas as pd" if suffix in READERS else "import dvc.api"
    return f"{importing}\n\nwith dvc.api.open({arguments}) as file:\n    data = {reading}"


def _huggingface(source: Source, got: str) -> str:
    split = _quoted(source.split or "train")
    if source.form == "documents":
        arguments = f'"text", data_files="{source.name}/raw/*.md", sample_by="document", split={split}'
    elif source.form == "conversations":
        arguments = f'"json", data_files={got}, split="train"'
    else:
        arguments = f'"./{source.name}", split={split}'
    return _reading("import datasets", f"datasets.load_dataset({arguments})")


def _quoted(text: str) -> str:
    """Return a text as Python writes it, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
