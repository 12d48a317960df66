"""Which names a fetched file may have: those that are valid, and distinct, inside the output on every file system."""

import unicodedata
from collections.abc import Iterable

from stage.errors import PolicyViolation

COMPONENT_BYTES, NAME_BYTES = 255, 1024  # NAME_MAX of Linux file systems; S3 keys


def check_name(name: str, where: str) -> None:
    """Raise PolicyViolation for a name that leaves the output folder or that some file system does not allow."""
    components = name.split("/")
    if not name.isprintable():
        problem = "contains a control character"
    elif "\\" in name:
        problem = "contains a backslash"
    elif len(name.encode()) > NAME_BYTES or any(len(part.encode()) > COMPONENT_BYTES for part in components):
        problem = f"too long (at most {COMPONENT_BYTES} bytes per component, {NAME_BYTES} in total)"
    elif name.startswith("/"):
        problem = "absolute path"
    elif any(part in {"", ".", ".."} for part in components):
        problem = "empty, . or .. component"
    elif any(part.startswith("-") for part in components):
        problem = "component with a leading dash, which commands read as an option"
    else:
        return
    raise PolicyViolation(where, f"invalid name {name[:80]!r}: {problem}", "rename the file in sources.csv")


def check_distinct(named: Iterable[tuple[str, str]]) -> None:
    """Raise PolicyViolation if two (name, where) pairs collide: by case, by Unicode form, or as file and folder."""
    taken: dict[str, str] = {}  # spelling by folded name
    folders: set[str] = set()
    for name, where in named:
        components = name.split("/")
        for depth in range(1, len(components) + 1):
            is_file = depth == len(components)
            spelled = name if is_file else "/".join(components[:depth])
            folded = _folded(spelled)
            is_new = folded not in taken
            before = taken.setdefault(folded, spelled)
            if before != spelled:
                fix = "rename one of them"
                raise PolicyViolation(where, f"name {name!r} collides with {before!r} on some file systems", fix)
            if folded in folders if is_file else not is_new and folded not in folders:
                raise PolicyViolation(where, f"{spelled!r} is both a file and a folder", "rename one of them")
            if not is_file:
                folders.add(folded)


def _folded(name: str) -> str:
    if name.isascii() and name == name.lower():  # as nearly all are: the same object, of which there may be millions
        return name
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
