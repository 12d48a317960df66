"""Which names a fetched file may have: those that mean one place inside the output on every file system."""

import unicodedata
from collections.abc import Iterable

from stage.errors import PolicyViolation

COMPONENT_BYTES, NAME_BYTES = 255, 1024  # NAME_MAX of Linux file systems; S3 keys


def check_name(name: str, where: str) -> None:
    """Refuse a name that could leave the output folder or that some file system cannot hold."""
    components = name.split("/")
    if not name.isprintable():
        problem = "holds a control character"
    elif "\\" in name:
        problem = "holds a backslash"
    elif len(name.encode()) > NAME_BYTES or any(len(part.encode()) > COMPONENT_BYTES for part in components):
        problem = f"is too long (at most {COMPONENT_BYTES} bytes a component, {NAME_BYTES} in all)"
    elif name.startswith("/"):
        problem = "is absolute"
    elif any(part in {"", ".", ".."} for part in components):
        problem = "has an empty, . or .. component"
    elif any(part.startswith("-") for part in components):
        problem = "has a component with a leading dash, which commands take for an option"
    else:
        return
    raise PolicyViolation(where, f"name {name[:80]!r} {problem}", "rename the file in sources.csv")


def check_together(places: Iterable[tuple[str, str]]) -> None:
    """Refuse (name, where) pairs that are one place where case or Unicode form does not count, or file and folder."""
    taken: dict[str, str] = {}  # what is spelled so, by what it is where case and form do not count
    folders: set[str] = set()
    for name, where in places:
        components = name.split("/")
        for depth in range(1, len(components) + 1):
            is_file = depth == len(components)
            spelled = name if is_file else "/".join(components[:depth])
            folded = _folded(spelled)
            is_new = folded not in taken
            before = taken.setdefault(folded, spelled)
            if before != spelled:
                raise PolicyViolation(
                    where, f"name {name!r} collides with {before!r} on some file systems", "rename one of them"
                )
            if folded in folders if is_file else not is_new and folded not in folders:
                raise PolicyViolation(where, f"{spelled!r} is both a file and a folder", "rename one of them")
            if not is_file:
                folders.add(folded)


def _folded(name: str) -> str:
    if name.isascii() and name == name.lower():  # as nearly all are: the same object, of which there may be millions
        return name
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
