"""Arguments and options that the commands share: each value is an option, or a variable as make passes it."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from data_registry.stage.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def option(name: str, variable: str | list[str], text: str, default: str = "", **extra: Any) -> Callable[[F], F]:
    """Return an option with a variable, both in its help."""
    extra |= {"show_envvar": True, "show_default": bool(default)}
    return click.option(*name.split(), envvar=variable, default=default, help=text, **extra)


def flag(name: str, variable: str, text: str) -> Callable[[F], F]:
    """Return a flag with a variable, as ``ALL=1``."""
    return click.option(*name.split(), envvar=variable, show_envvar=True, is_flag=True, help=text)


DATASET = click.argument("name", metavar="DATASET", envvar="DS", default="")
INDEX = click.argument("name", metavar="[DATASET]", envvar="DS", default="")
REMOTE = option("--remote", "DVC_REMOTE", "Name of the DVC remote.", "local")
VERSION = option("--version", "VERSION", "As 1.1.0, or latest.", "latest")
ALL = flag("--all everything", "ALL", "Every release of DATASET, or of all.")
JSON = flag("--json as_json", "JSON", "Print JSON.")


def require(example: str, **variables: object) -> None:
    """Raise UsageError that names every variable without a value, with an example that works."""
    if missing := [name for name, value in variables.items() if not value]:
        raise UsageError(" and ".join(missing), "not set", example)
