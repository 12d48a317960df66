"""Write manifests as people read them: nothing by reference, and texts of several lines as they are."""

from typing import Any

import yaml


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Plain.add_representer(str, _text)


def as_yaml(value: Any) -> str:
    """Return a manifest in YAML."""
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, width=120)
