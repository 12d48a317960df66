"""The stages of a dataset as DVC resolves them: commands, order, inputs and outputs."""

import dataclasses
import hashlib
import json
import os
import shlex
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_registry.stage.errors import UsageError
from launcher.images import read_images
from registry.build.pipeline import dvc_repository
from registry.datasets import Dataset

if TYPE_CHECKING:
    from dvc.repo import Repo

LAUNCHER = "../../tools/run"
REGISTRY = "registry"  # the stage that needs git, and so runs in the step plan


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage; ``needs`` are the stages whose outputs it reads, ``outputs`` paths from the dataset's folder.

    The digest in a template is over these fields: another name for one of them makes every template stale.
    """

    name: str
    arguments: tuple[str, ...]
    image: str  # as in data/images.yaml; empty for the registry
    heavy: bool
    needs: tuple[str, ...]
    outputs: tuple[str, ...]
    in_git: tuple[str, ...]  # those outputs that git tracks, not DVC
    inputs: tuple[str, ...]  # paths in the dataset's folder that no stage makes
    reads: tuple[str, ...] = ()  # its inputs, and the outputs of all stages before it


def resolved_stages(dataset: Dataset, root: Path) -> list[Stage]:
    """Return the stages in an order in which they can run. Raises UsageError for a command that is not a tool's."""
    with dvc_repository(root) as repo:
        return stages_in(repo, dataset, root)


def stages_in(repo: "Repo", dataset: Dataset, root: Path) -> list[Stage]:
    """Return the stages of a dataset in an open repository."""
    images, graph = read_images(root), repo.index.graph
    pipeline = dataset.pipeline.relative_to(root)
    resolved = {stage.name: stage for stage in repo.index.stages if Path(stage.path_in_repo) == pipeline}
    stages = {}
    for name, stage in resolved.items():
        launcher, tool, *arguments = shlex.split(str(stage.cmd))
        if launcher != LAUNCHER or tool != name or (tool != REGISTRY and tool not in images):
            fix = f"use {LAUNCHER} {name} ..., with a tool of data/images.yaml"
            raise UsageError(f"{dataset.name} stage {name}", "its cmd does not run the tool of that name", fix)
        outs = [(os.path.relpath(out.fs_path, dataset.folder), out.use_cache) for out in stage.outs]
        deps = {os.path.relpath(dep.fs_path, dataset.folder) for dep in stage.deps}
        stages[name] = Stage(
            name,
            tuple(arguments),
            images.get(tool, ""),
            (stage.meta or {}).get("compute") == "heavy",
            tuple(sorted(other for other, parent in resolved.items() if parent in graph.successors(stage))),
            tuple(path for path, _ in outs),
            tuple(path for path, is_cached in outs if not is_cached),
            tuple(sorted(path for path in deps if not path.startswith(".."))),
        )
    return [_with_reads(stage, stages) for stage in _in_order(stages)]


def with_dependents(stages: Iterable[Stage], chosen: Collection[str]) -> set[str]:
    """Return the names of the chosen stages, and of those that come after them."""
    names = set(chosen)
    for stage in stages:
        if names.intersection(stage.needs):
            names.add(stage.name)
    return names


def digest(stages: Iterable[Stage]) -> str:
    """Return 16 hex digits over all fields of the stages."""
    fields: list[dict[str, Any]] = [dataclasses.asdict(stage) for stage in stages]
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:16]


def _with_reads(stage: Stage, stages: dict[str, Stage]) -> Stage:
    """Return the stage with the paths that it reads in the folder, and may not change."""
    made = {path for other in stages.values() for path in other.outputs}
    before, waiting = set(), [*stage.needs]
    while waiting:
        name = waiting.pop()
        before.add(name)
        waiting += stages[name].needs
    inputs = [path for path in stage.inputs if path not in made]
    reads = sorted({*inputs, *(path for name in before for path in stages[name].outputs)})
    return dataclasses.replace(stage, inputs=tuple(inputs), reads=tuple(reads))


def _in_order(stages: dict[str, Stage]) -> list[Stage]:
    """Return the stages after those that they need, otherwise by name. DVC refuses cycles."""
    ordered: list[Stage] = []
    while len(ordered) < len(stages):
        names = {stage.name for stage in ordered}
        ordered += [stage for name, stage in sorted(stages.items()) if name not in names and names >= set(stage.needs)]
    return ordered
