"""Take a prompt's text from MLflow into git, where the registry of a team came first."""

import hashlib
import re
from pathlib import Path

import yaml
from data_registry.stage.errors import InputMissing, SourceRefused, UsageError
from data_registry.stage.output import replacing
from data_registry.stage.redaction import safe_url

from registry.services.prompts import registered
from registry.services.tracking import connected

WANTED = re.compile(r"([^/]+)/([1-9][0-9]*)")


def pin(root: Path, uri: str, wanted: str) -> list[Path]:
    """Write the text that MLflow has of ``NAME/VERSION`` to its file, and its hash to the params.yaml that names it.

    Return what was written. Raises UsageError where no dataset has the prompt, InputMissing where MLflow lacks the
    version, SourceRefused where it is no text.
    """
    parts = WANTED.fullmatch(wanted)
    if not parts:
        raise UsageError(f"PIN={wanted}", "is no NAME/VERSION", "write it like PIN=radiology-vlm-prompt/3")
    name, version = parts[1], int(parts[2])
    folders = [path for path in root.glob("data/*/prompts/*") if path.name == name and path.is_dir()]
    if len(folders) != 1:
        what, fix = f"{len(folders)} datasets have that prompt", f"make one folder data/<dataset>/prompts/{name}"
        raise UsageError(f"PIN={wanted}", what, fix)
    with connected(uri) as client:
        texts = registered(client, name)
    if version not in texts:
        fix = f"pin one that it has: {', '.join(map(str, texts))}" if texts else "make prompts registers ours"
        raise InputMissing(f"prompts:/{wanted}", f"{safe_url(uri)} has no such version", fix)
    text = texts[version]
    if not isinstance(text, str):
        raise SourceRefused(f"prompts:/{wanted}", "is a chat of several messages", "register it as one text")
    written = {folders[0] / f"{version}.txt": text.encode()}
    params = folders[0].parents[1] / "params.yaml"
    if params.exists():
        before = params.read_bytes().decode()
        after = with_hash(before, name, version, hashlib.sha256(text.encode()).hexdigest())
        if after != before:
            written[params] = after.encode()
    with replacing(*written) as temporaries:
        for temporary, data in zip(temporaries, written.values(), strict=True):
            temporary.write_bytes(data)
    return list(written)


def with_hash(params: str, name: str, version: int, digest: str) -> str:
    """Return the text of a params.yaml with ``sha256`` of ``parquetizer.prompt`` set, where it names that version."""
    prompt = _values(_values(yaml.compose(params)).get("parquetizer"))
    named = _values(prompt.get("prompt"))
    if "sha256" not in named or (_scalar(named.get("name")), _scalar(named.get("version"))) != (name, str(version)):
        return params
    value = named["sha256"]
    return f"{params[: value.start_mark.index]}{digest}{params[value.end_mark.index :]}"


def _values(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return {_scalar(key): value for key, value in node.value} if isinstance(node, yaml.MappingNode) else {}


def _scalar(node: yaml.Node | None) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""
