"""The YAML front matter of a README: a generated block between two comments, and keys that people add."""

import re
from pathlib import Path
from typing import Any

import yaml
from data_registry.stage.errors import UsageError
from data_registry.stage.foreign import read_yaml

START = "# From params.yaml and metadata.json, by `make cards`. Keys of your own go below, and are left alone."
END = "# End of what `make cards` writes."
PART_OF = {"license_name": "license", "license_link": "license"}  # keys that belong to another one
FRONT = re.compile(r"\A(---[ \t]*\r?\n)(.*?)(^---[ \t]*(?:\r?\n|\Z))", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(rf"^{re.escape(START)}\r?\n.*?^{re.escape(END)}\r?(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# Numbers of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema); in YAML 1.1, which PyYAML writes, 1e3 is a string.
NUMBER = re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+)\Z")


class Dumper(yaml.SafeDumper):
    """Writes YAML that means the same in 1.1 and 1.2: strings that look like numbers in either are quoted."""


Dumper.add_implicit_resolver("tag:yaml.org,2002:float", NUMBER, list("-+.0123456789"))


def with_block(text: str, keys: dict[str, Any], where: Path) -> str:
    """Return a README with the keys in the generated block, except those that people have set outside it.

    Everything else stays, to the byte; missing front matter is added. Of several blocks, as a merge may leave them, the
    first is written and the others are removed.
    Raises UsageError for front matter that is not a YAML mapping, or if one of the two comments is missing.
    """
    match = FRONT.match(text)
    first, inside, last = match.groups() if match else ("---\n", "", "---\n\n" if text else "---\n")
    prose = text[match.end() :] if match else text
    others = BLOCK.sub("", inside)
    if unpaired := [mark for mark in (START, END) if mark in others]:
        raise UsageError(where, f"{unpaired[0]!r} without its counterpart", "remove it, then make cards")
    fix = "write keys and values between the two lines of ---, or nothing"
    own = read_yaml(others, f"{where} front matter", (dict, None), UsageError, fix) or {}
    generated = {key: value for key, value in keys.items() if not {key, PART_OF.get(key, key)} & own.keys()}
    lines = yaml.dump(generated, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120) if generated else ""
    block = f"{START}\n{lines}{END}\n"
    present = BLOCK.search(inside)
    start, end = present.span() if present else (0, 0)
    return f"{first}{inside[:start]}{block}{BLOCK.sub('', inside[end:])}{last}{prose}"
