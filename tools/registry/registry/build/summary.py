"""The summary of a build."""

from collections.abc import Iterator
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.versions import released

from registry.datasets import Dataset
from registry.terminal import amount


def summary(dataset: Dataset, stages: dict[str, float], root: Path) -> str:
    """Return the summary of a build for a terminal of 80 columns; ``stages`` has the seconds of each stage that ran."""
    metadata = dataset.metadata("checks", "provenance")
    built = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in stages.items())
    lines = [
        ("built", built or "nothing: all stages are current"),
        ("data", _origin(metadata["provenance"])),
        ("samples", _samples(metadata)),
        *(("checks", warning) for warning in metadata["checks"]["warnings"] or ["none failed"]),
        *(("files", f"{path.relative_to(root)}  {size(path)}") for path in dataset.outputs()),
        ("identity", f"{metadata['logical_hash'][:16]} (logical hash)"),
        ("next", next_step(dataset, root)),
    ]
    return "\n".join([dataset.name, *_aligned(lines)])


def next_step(dataset: Dataset, root: Path) -> str:
    """Return the command to run next."""
    git, folder = Git(root), f"data/{dataset.name}"
    if git("status", "--porcelain=v1", "-z", "--untracked-files=no", "--", folder):
        return f"git diff {folder}"
    return f"git log {folder}" if released(git, dataset.name) else f"make release DS={dataset.name} VERSION=1.0.0"


def size(path: Path) -> str:
    """Return the size of a file or folder, with a unit."""
    files = [path] if path.is_file() else [entry for entry in path.rglob("*") if entry.is_file()]
    return amount(sum(entry.stat().st_size for entry in files))


def _origin(provenance: dict) -> str:  # type: ignore[type-arg]
    if provenance["sample"]:
        return "SYNTHETIC SAMPLE, not the real data"
    return f"from {', '.join(parent['version'] for parent in provenance.get('parents', [])) or 'sources.csv'}"


def _samples(metadata: dict) -> str:  # type: ignore[type-arg]  # metadata.json, as read
    if "splits" in metadata:
        return ", ".join(f"{split['num_samples']} {name}" for name, split in metadata["splits"].items())
    counts = metadata["summary"]
    if "total_chunks" in metadata.get("statistics", {}):
        return f"{counts['num_samples']} chunks of {metadata['statistics']['total_files']} documents"
    if "num_features" not in counts:
        return f"{counts['num_samples']} documents"
    return f"{counts['num_samples']} rows, {counts['num_features']} features"


def _aligned(lines: list[tuple[str, str]]) -> Iterator[str]:
    previous = ""
    for label, text in lines:
        yield f"  {'' if label == previous else label:<10}{text}"
        previous = label
