"""What every place that files come from answers with, and what is kept of a file that came only in part."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Kept:
    """The first ``size`` bytes of a file: what its source calls this version of it, and the whole's length."""

    size: int
    validator: str
    total: int | None


class Body(Protocol):
    """An open file; its bytes begin at ``start``, which is zero or the size of what was kept.

    ``framed`` says whether its end is marked; otherwise a body that is short may have been cut. ``encoding`` is how it
    was compressed for the way, though that was not asked for.
    """

    start: int
    total: int | None
    validator: str | None
    framed: bool
    encoding: str | None

    def readinto(self, block: memoryview) -> int:
        """Fill some of ``block`` and return how much; zero at the end. Raise Transient if the file is cut short."""

    def close(self) -> None: ...


class Place(Protocol):
    """Where one file can be had."""

    url: str

    def open(self, kept: Kept | None) -> Body:
        """Open the file, after what was kept where that is possible."""
