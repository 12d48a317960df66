"""The prompts of the datasets: texts in git, registered in MLflow for those who load them from there.

A version of a prompt is the file ``data/<dataset>/prompts/<name>/<version>.txt``; its bytes, in UTF-8, are the prompt.
MLflow numbers versions itself, from 1 and no number twice, so files and versions are brought together in their order.
"""

import dataclasses
import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from data_registry.stage.errors import CorruptFile, StageError, TagExists, UsageError, VerificationFailed
from data_registry.stage.redaction import safe_url

from registry.services.tracking import connected

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A prompt of a dataset: its folder, and the text of each version, in order."""

    name: str
    folder: Path
    texts: tuple[str, ...]

    def file(self, version: int) -> Path:
        return self.folder / f"{version}.txt"


@dataclasses.dataclass(frozen=True)
class Registered:
    """What became of a prompt: how many versions it has, and how many of them are new to MLflow."""

    name: str
    versions: int
    new: int


def find_prompts(root: Path) -> list[Prompt]:
    """Return the prompts of all datasets.

    Raises UsageError for a name that two datasets use and for versions other than 1, 2, 3…, CorruptFile for what is
    no text.
    """
    found: dict[str, Prompt] = {}
    for folder in sorted(path for path in root.glob("data/*/prompts/*") if path.is_dir()):
        if same := found.get(folder.name):
            raise UsageError(folder.relative_to(root), f"{same.folder.relative_to(root)} has that name", "rename one")
        versions = sorted(_version(path, root) for path in folder.glob("*.txt"))
        for expected, version in enumerate(versions, 1):
            if version != expected:
                where, fix = folder.relative_to(root), pinning(folder.name, expected)
                raise UsageError(where, f"has {version}.txt but no {expected}.txt", f"write it, or {fix}")
        if versions:
            texts = tuple(_text(folder / f"{version}.txt", root) for version in versions)
            found[folder.name] = Prompt(folder.name, folder, texts)
    return list(found.values())


def register(root: Path, uri: str) -> list[Registered]:
    """Register in MLflow every version that it lacks, and return what became of the prompts.

    A prompt of which MLflow has another text is left as it is there. That raises TagExists, or VerificationFailed where
    MLflow gives a new version another number, once the other prompts are done.
    """
    done: list[Registered] = []
    failures: list[StageError] = []
    prompts = find_prompts(root)
    with _alone(root / "data"), connected(uri) as client:
        for prompt in prompts:
            try:
                done.append(_register(client, prompt, root, uri))
            except (TagExists, VerificationFailed) as error:
                failures.append(error)
    for failure in failures[:-1]:
        log.error("error: %s", failure)
    if failures:
        raise failures[-1]
    return done


def pinning(name: str, version: int) -> str:
    """Return the command that takes a version's text from MLflow."""
    environment = os.environ.get("ENV") or "local"
    return f"{'' if environment == 'local' else f'ENV={environment} '}make prompts PIN={name}/{version}"


def registered(client: "MlflowClient", name: str) -> dict[int, object]:
    """Return what MLflow has of a prompt by version: a text each, or the messages of a chat."""
    from mlflow.exceptions import MlflowException

    found: dict[int, object] = {}
    token = None
    try:
        while True:
            page = client.search_prompt_versions(name, page_token=token)
            found |= {int(each.version): each.template for each in page}
            if not (token := page.token):
                break
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    return dict(sorted(found.items()))


def _register(client: "MlflowClient", prompt: Prompt, root: Path, uri: str) -> Registered:
    there, ours = registered(client, prompt.name), dict(enumerate(prompt.texts, 1))
    missing = [version for version in ours if version not in there]
    for version, text in ours.items():
        if there.get(version, text) != text:
            file, command = prompt.file(version).relative_to(root), pinning(prompt.name, version)
            what = f"{safe_url(uri)} has another text than {file}, so nothing of this prompt was registered"
            fix = f"{command} takes that text; yours becomes a new version"
            raise TagExists(f"prompts:/{prompt.name}/{version}", what, fix)
    if missing and missing[0] < max(there, default=0):
        what = f"{safe_url(uri)} has deleted it, and gives no number twice, so nothing of this prompt was registered"
        raise TagExists(f"prompts:/{prompt.name}/{missing[0]}", what, "delete the whole prompt there, then run again")
    for version in missing:
        file = prompt.file(version).relative_to(root)
        made = client.register_prompt(prompt.name, ours[version], commit_message=str(file))
        if made.version != version:
            what = f"{safe_url(uri)} made it version {made.version}: another run was at work too, or deleted versions"
            command = pinning(prompt.name, made.version)
            raise VerificationFailed(
                file, what, f"{command} if that may stay, or delete the whole prompt and run again"
            )
        log.info("%s: registered version %d", prompt.name, version)
    for version in sorted(set(there) - set(ours)):
        command = pinning(prompt.name, version)
        log.info("%s: MLflow also has version %d; %s takes its text", prompt.name, version, command)
    return Registered(prompt.name, len(ours), len(missing))


def _version(file: Path, root: Path) -> int:
    if not re.fullmatch(r"[1-9][0-9]*", file.stem):
        raise UsageError(file.relative_to(root), "is named for no version", "name it 1.txt, 2.txt…")
    return int(file.stem)


def _text(file: Path, root: Path) -> str:
    try:
        text = file.read_bytes().decode()  # not read_text, which would change the ends of lines
    except UnicodeDecodeError as error:
        raise CorruptFile(file.relative_to(root), f"is not UTF-8 at byte {error.start}", "save it as UTF-8") from error
    if not text:
        raise CorruptFile(file.relative_to(root), "is empty", "write the prompt")
    return text


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other run of this clone registers, in a container or on the host; a read-only folder will do."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
