"""The YAML at the top of a README, in which a block between two comments is generated and the rest is people's."""

import re
from pathlib import Path
from typing import Any

import yaml
from data_registry.stage.errors import UsageError
from data_registry.stage.foreign import read_yaml

START = "# From params.yaml and metadata.json, by `make cards`. Keys of your own go below, and are left alone."
END = "# End of what `make cards` writes."
PART_OF = {"license_name": "license", "license_link": "license"}  # they name that one, and go with it
FRONT = re.compile(r"\A(---[ \t]*\r?\n)(.*?)(^---[ \t]*(?:\r?\n|\Z))", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(rf"^{re.escape(START)}\r?\n.*?^{re.escape(END)}\r?(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# Numbers of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema); PyYAML writes 1.1, in which 1e3 is a word.
NUMBER = re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+)\Z")


class Dumper(yaml.SafeDumper):
    """Writes YAML that readers of both versions understand alike: strings like numbers of either are quoted."""


Dumper.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+.0123456789"))


def with_block(text: str, keys: dict[str, Any], where: Path) -> str:
    """Return a README with the keys in the block of its front matter, but for those that people have set beside it.

    Everything else stays as it is, to the byte; front matter or block are made where there are none. Of several blocks,
    as a merge that keeps both sides leaves them, the first is written and the others go.
    Raises UsageError where the front matter is no YAML mapping, or one of the two comments was lost.
    """
    found = FRONT.match(text)
    first, inside, last = found.groups() if found else ("---\n", "", "---\n\n" if text else "---\n")
    prose = text[found.end() :] if found else text
    others = BLOCK.sub("", inside)
    if lost := [mark for mark in (START, END) if mark in others]:
        raise UsageError(where, f"has {lost[0]!r} without its counterpart", "remove it: make cards writes both again")
    own = _mapping(others, where)
    kept = {key: value for key, value in keys.items() if not {key, PART_OF.get(key, key)} & own.keys()}
    lines = yaml.dump(kept, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120) if kept else ""
    block = f"{START}\n{lines}{END}\n"
    present = BLOCK.search(inside)
    start, end = present.span() if present else (0, 0)
    return f"{first}{inside[:start]}{block}{BLOCK.sub('', inside[end:])}{last}{prose}"


def _mapping(text: str, where: Path) -> dict[str, Any]:
    fix = "write keys and values between the two lines of ---, or nothing"
    found: dict[str, Any] = read_yaml(text, f"{where} front matter", (dict, None), UsageError, fix) or {}
    return found
