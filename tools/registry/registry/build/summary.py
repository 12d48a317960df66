"""What a person wants to know after a build."""

from collections.abc import Iterator
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.versions import released

from registry.datasets import Dataset
from registry.terminal import amount


def summary(dataset: Dataset, stages: dict[str, float], root: Path) -> str:
    """Return the summary of a build, whose stages took so many seconds, for a terminal of 80 columns."""
    found = dataset.metadata("checks", "provenance")
    built = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages.items())
    lines = [
        ("built", built or "nothing to do, all stages are current"),
        ("data", _origin(found["provenance"])),
        ("samples", _samples(found)),
        *(("checks", warning) for warning in found["checks"]["warnings"] or ["nothing to report"]),
        *(("files", f"{path.relative_to(root)}  {size(path)}") for path in dataset.outputs()),
        ("identity", f"{found['logical_hash'][:16]} (logical hash)"),
        ("next", next_step(dataset, root)),
    ]
    return "\n".join([dataset.name, *_aligned(lines)])


def next_step(dataset: Dataset, root: Path) -> str:
    """Return the command that has most to say after a build."""
    git, folder = Git(root), f"data/{dataset.name}"
    if git("status", "--porcelain=v1", "-z", "--untracked-files=no", "--", folder):
        return f"git diff {folder}"
    return f"git log {folder}" if released(git, dataset.name) else f"make release DS={dataset.name} VERSION=1.0.0"


def size(path: Path) -> str:
    """Return the size of a file or folder, as people write it."""
    files = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    return amount(sum(entry.stat().st_size for entry in files))


def _origin(provenance: dict) -> str:  # type: ignore[type-arg]
    if provenance["sample"]:
        return "SYNTHETIC SAMPLE, not the real data"
    return "from " + (", ".join(each["version"] for each in provenance.get("parents", [])) or "its pinned sources")


def _samples(found: dict) -> str:  # type: ignore[type-arg]  # metadata.json, as read
    if "splits" in found:
        return ", ".join(f"{split['num_samples']} {name}" for name, split in found["splits"].items())
    counts = found["summary"]
    if "total_chunks" in found.get("statistics", {}):
        return f"{counts['num_samples']} chunks of {found['statistics']['total_files']} documents"
    if "num_features" not in counts:
        return f"{counts['num_samples']} documents"
    return f"{counts['num_samples']} rows, {counts['num_features']} features"


def _aligned(lines: list[tuple[str, str]]) -> Iterator[str]:
    before = ""
    for label, text in lines:
        yield f"  {'' if label == before else label:<10}{text}"
        before = label
