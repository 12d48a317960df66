"""Build the tools' container images."""

from collections.abc import Mapping
from pathlib import Path

from launcher import containers
from launcher.failure import CannotRun

from registry.batches import Failed


def build_images(root: Path, images: Mapping[str, str]) -> None:
    """Build the images of tools, by tool name. Raises Failed with the launcher's exit code."""
    try:
        containers.build_images(root, images)
    except CannotRun as error:
        raise Failed(error.code, error.where, error.what, error.fix) from error
