"""The tools' images, built by the registry's commands."""

from collections.abc import Mapping
from pathlib import Path

from data_registry.stage.errors import StageError
from launcher import containers
from launcher.failure import CannotRun


class ImagesFailed(StageError):
    """Images were not built; the code says why."""

    def __init__(self, error: CannotRun) -> None:
        self.code = error.code
        super().__init__(error.where, error.what, error.fix)


def build_images(root: Path, images: Mapping[str, str]) -> None:
    """Build the images of the named tools, under the names given. Raises ImagesFailed."""
    try:
        containers.build_images(root, images)
    except CannotRun as error:
        raise ImagesFailed(error) from error
