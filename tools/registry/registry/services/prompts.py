"""The prompts of the datasets: texts in git, registered in MLflow for programs that load them from there.

A version of a prompt is the file ``data/<dataset>/prompts/<name>/<version>.txt``; its bytes, in UTF-8, are the prompt.
MLflow numbers versions itself, from 1, and never reuses a number, so files are registered in their order.
"""

import dataclasses
import functools
import hashlib
import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from data_registry.stage.errors import (
    CorruptFile,
    InputMissing,
    SourceRefused,
    StageError,
    TagExists,
    UsageError,
    VerificationFailed,
)
from data_registry.stage.locks import locked
from data_registry.stage.output import replacing
from data_registry.stage.redaction import safe_url

from registry.services.tracking import connected, paged

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

PIN = re.compile(r"([^/]+)/([1-9][0-9]*)")
NONE = "no version of this prompt was registered"


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A prompt of a dataset: its folder, and the text of each version, in order."""

    name: str
    folder: Path
    texts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Registered:
    """A prompt in MLflow: how many versions it has, and how many of them are new."""

    name: str
    versions: int
    new: int


def find_prompts(root: Path) -> list[Prompt]:
    """Return the prompts of all datasets.

    Raises UsageError for a name that two datasets use and for versions other than 1, 2, 3…, CorruptFile for a file
    that is empty or not UTF-8.
    """
    prompts: dict[str, Prompt] = {}
    for folder in sorted(path for path in root.glob("data/*/prompts/*") if path.is_dir()):
        if other := prompts.get(folder.name):
            what = f"duplicate name, also of {other.folder.relative_to(root)}"
            raise UsageError(folder.relative_to(root), what, "rename one")
        versions = sorted(_version(path, root) for path in folder.glob("*.txt"))
        for expected, version in enumerate(versions, 1):
            if version != expected:
                where, fix = folder.relative_to(root), pinning(folder.name, expected)
                raise UsageError(where, f"{expected}.txt not found, but {version}.txt", f"write it, or {fix}")
        if versions:
            texts = tuple(_text(folder / f"{version}.txt", root) for version in versions)
            prompts[folder.name] = Prompt(folder.name, folder, texts)
    return list(prompts.values())


def register(root: Path, uri: str) -> list[Registered]:
    """Register in MLflow every version that it lacks, and return the prompts.

    Raises TagExists for a version with another text in MLflow, and VerificationFailed where MLflow gives a new version
    another number, once the other prompts are done.
    """
    done: list[Registered] = []
    failures: list[StageError] = []
    prompts = find_prompts(root)
    with locked(root / "data"), connected(uri) as client:
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
    """Return the command that copies a version from MLflow."""
    environment = os.environ.get("ENV") or "local"
    return f"{'' if environment == 'local' else f'ENV={environment} '}make prompts PIN={name}/{version}"


def registered(client: "MlflowClient", name: str) -> dict[int, object]:
    """Return the versions of a prompt in MLflow: texts, or the messages of a chat."""
    from mlflow.exceptions import MlflowException  # lazy: takes half a second

    try:
        versions = list(paged(functools.partial(client.search_prompt_versions, name)))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return dict(sorted((int(version.version), version.template) for version in versions))


def _register(client: "MlflowClient", prompt: Prompt, root: Path, uri: str) -> Registered:
    there, ours = registered(client, prompt.name), dict(enumerate(prompt.texts, 1))
    missing, folder = [version for version in ours if version not in there], prompt.folder.relative_to(root)
    for version, text in ours.items():
        if there.get(version, text) != text:
            what = f"{safe_url(uri)} has another text than {folder}/{version}.txt; {NONE}"
            fix = f"{pinning(prompt.name, version)} copies that text; add yours as a new version"
            raise TagExists(f"prompts:/{prompt.name}/{version}", what, fix)
    if missing and missing[0] < max(there, default=0):
        what = f"deleted in {safe_url(uri)}, which never reuses a number; {NONE}"
        raise TagExists(f"prompts:/{prompt.name}/{missing[0]}", what, "delete the whole prompt there, then run again")
    for version in missing:
        file = f"{folder}/{version}.txt"
        made = client.register_prompt(prompt.name, ours[version], commit_message=file)
        if made.version != version:
            what = f"expected version {version} in {safe_url(uri)}, got {made.version}: another run changed it"
            fix = f"{pinning(prompt.name, made.version)} to keep it, or delete the whole prompt and run again"
            raise VerificationFailed(file, what, fix)
        log.info("%s: registered version %d", prompt.name, version)
    for version in sorted(set(there) - set(ours)):
        log.info("%s: MLflow also has version %d; %s copies it", prompt.name, version, pinning(prompt.name, version))
    return Registered(prompt.name, len(ours), len(missing))


def _version(file: Path, root: Path) -> int:
    if not re.fullmatch(r"[1-9][0-9]*", file.stem):
        raise UsageError(file.relative_to(root), "invalid name: expected a version", "name it 1.txt, 2.txt…")
    return int(file.stem)


def _text(file: Path, root: Path) -> str:
    try:
        text = file.read_bytes().decode()  # not read_text, which changes line endings
    except UnicodeDecodeError as error:
        raise CorruptFile(file.relative_to(root), f"not UTF-8 at byte {error.start}", "save it as UTF-8") from error
    if not text:
        raise CorruptFile(file.relative_to(root), "empty file", "write the prompt")
    return text


def pin_prompt(root: Path, uri: str, pin: str) -> list[Path]:
    """Copy a version, ``NAME/VERSION``, from MLflow to its file, and its hash to the params.yaml that names it.

    Return the files that were written. Raises UsageError unless one dataset has the prompt, InputMissing for an unknown
    version, SourceRefused for a chat.
    """
    match = PIN.fullmatch(pin)
    if not match:
        raise UsageError("PIN", f"invalid value {pin!r:.80}: expected NAME/VERSION", "PIN=radiology-vlm-prompt/3")
    name, version = match[1], int(match[2])
    folders = [path for path in root.glob("data/*/prompts/*") if path.name == name and path.is_dir()]
    if len(folders) != 1:
        fix = f"create one folder data/<dataset>/prompts/{name}"
        raise UsageError("PIN", f"{len(folders)} datasets have prompt {name!r:.80}", fix)
    with connected(uri) as client:
        texts = registered(client, name)
    if version not in texts:
        fix = f"use one of: {', '.join(map(str, texts))}" if texts else "make prompts"
        raise InputMissing(f"prompts:/{pin}", f"version not found in {safe_url(uri)}", fix)
    text = texts[version]
    if not isinstance(text, str):
        raise SourceRefused(f"prompts:/{pin}", "unsupported: a chat of several messages", "register it as one text")
    written = {folders[0] / f"{version}.txt": text.encode()}
    params = folders[0].parents[1] / "params.yaml"
    if params.exists():
        before = params.read_bytes().decode()
        after = with_hash(before, name, version, hashlib.sha256(text.encode()).hexdigest())
        if after != before:
            written[params] = after.encode()
    with replacing(*written) as temporaries:
        for temporary, data in zip(temporaries, written.values(), strict=True):
            temporary.write_bytes(data)
    return list(written)


def with_hash(params: str, name: str, version: int, digest: str) -> str:
    """Return the text of a params.yaml with the ``sha256`` of ``parquetizer.prompt``, if it names that version."""
    prompt = _values(_values(yaml.compose(params)).get("parquetizer"))
    pinned = _values(prompt.get("prompt"))
    if "sha256" not in pinned or (_scalar(pinned.get("name")), _scalar(pinned.get("version"))) != (name, str(version)):
        return params
    value = pinned["sha256"]
    return f"{params[: value.start_mark.index]}{digest}{params[value.end_mark.index :]}"


def _values(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return {_scalar(key): value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def _scalar(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""
