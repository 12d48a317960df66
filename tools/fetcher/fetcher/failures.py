"""Failures inside one download that the caller of the library never sees as such."""

from stage.errors import SourceRefused


class Transient(Exception):
    """A failure that another try may mend; ``wait`` is how many seconds the server asks us to stay away."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


class Absent(SourceRefused):
    """The place answered, and holds no such file: for a mirror no failure at all."""


class Stopped(Exception):
    """The run is ending; this download gives way."""
