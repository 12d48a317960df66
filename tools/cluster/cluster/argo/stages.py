"""The stages of a dataset as DVC resolves them: what they run, in which order, and what they leave."""

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
REGISTRY = "registry"  # the stage that needs git, and so runs where the plan is made


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stage; ``needs`` are the stages whose outputs it reads, ``outputs`` paths from the dataset's folder."""

    name: str
    arguments: tuple[str, ...]
    image: str  # as data/images.yaml names it; empty for the registry
    heavy: bool
    needs: tuple[str, ...]
    outputs: tuple[str, ...]
    in_git: tuple[str, ...]  # those outputs that git has, not DVC
    inputs: tuple[str, ...]  # paths in the dataset's folder that no stage makes
    reads: tuple[str, ...] = ()  # its inputs, and the outputs of all stages before it


def resolved_stages(dataset: Dataset, root: Path) -> list[Stage]:
    """Return the stages in an order in which they can run. Raises UsageError for a command that no tool runs."""
    with dvc_repository(root) as repo:
        return stages_in(repo, dataset, root)


def stages_in(repo: "Repo", dataset: Dataset, root: Path) -> list[Stage]:
    """Return the stages of a dataset in an open repository."""
    images, graph = read_images(root), repo.index.graph
    own = {stage.name: stage for stage in repo.index.stages if Path(stage.path_in_repo) == _pipeline(dataset, root)}
    found = {}
    for name, stage in own.items():
        launcher, tool, *arguments = shlex.split(str(stage.cmd))
        if launcher != LAUNCHER or tool != name or (tool != REGISTRY and tool not in images):
            fix = f"write {LAUNCHER} {name} ..., with a tool of data/images.yaml"
            raise UsageError(f"{dataset.name} stage {name}", "its command is no tool's of that name", fix)
        outs = [(os.path.relpath(out.fs_path, dataset.folder), out.use_cache) for out in stage.outs]
        found[name] = Stage(
            name,
            tuple(arguments),
            images.get(tool, ""),
            (stage.meta or {}).get("compute") == "heavy",
            tuple(sorted(other for other, each in own.items() if each in graph.successors(stage))),
            tuple(path for path, _ in outs),
            tuple(path for path, cached in outs if not cached),
            tuple(_inputs(stage, dataset)),
        )
    made = {path for stage in found.values() for path in stage.outputs}
    return [_reading(stage, found, made) for stage in _in_order(found)]


def with_dependents(stages: Iterable[Stage], chosen: Collection[str]) -> set[str]:
    """Return the names of the chosen stages, and of those that come after them."""
    found = set(chosen)
    for stage in stages:
        if found.intersection(stage.needs):
            found.add(stage.name)
    return found


def digest(stages: Iterable[Stage]) -> str:
    """Return 16 hex digits over all that a template says of the stages."""
    told: list[dict[str, Any]] = [dataclasses.asdict(stage) for stage in stages]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _inputs(stage: Any, dataset: Dataset) -> list[str]:
    paths = [os.path.relpath(dep.fs_path, dataset.folder) for dep in stage.deps]
    return sorted({path for path in paths if not path.startswith("..")})


def _reading(stage: Stage, stages: dict[str, Stage], made: set[str]) -> Stage:
    """Return the stage with all that it finds in the folder, and may not change."""
    before, waiting = set(), [*stage.needs]
    while waiting:
        name = waiting.pop()
        before.add(name)
        waiting += stages[name].needs
    inputs = [path for path in stage.inputs if path not in made]
    reads = sorted({*inputs, *(path for name in before for path in stages[name].outputs)})
    return dataclasses.replace(stage, inputs=tuple(inputs), reads=tuple(reads))


def _in_order(stages: dict[str, Stage]) -> list[Stage]:
    """Return the stages with those that they need before them, and else by name. DVC refuses circles."""
    done: list[Stage] = []
    while len(done) < len(stages):
        names = {stage.name for stage in done}
        done += [stage for name, stage in sorted(stages.items()) if name not in names and names >= set(stage.needs)]
    return done


def _pipeline(dataset: Dataset, root: Path) -> Path:
    return dataset.pipeline.relative_to(root)
