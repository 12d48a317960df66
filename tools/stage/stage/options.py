"""Options that read alike on every tool."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from stage import params
from stage.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def talk(command: F) -> F:
    """Add -v and -q: how much a tool says on stderr."""

    def verbose(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            logging.getLogger().setLevel(logging.DEBUG)

    def quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            logging.getLogger().setLevel(logging.WARNING)

    command = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=quiet, help="Say only warnings."
    )(command)
    return click.option(
        "-v", "--verbose", is_flag=True, expose_value=False, callback=verbose, help="Say more; show tracebacks."
    )(command)


def settings(section: str, *structured: str) -> Callable[[F], F]:
    """Add --params FILE: option values from one section of a YAML file (flag > environment > file > default).

    ``structured`` names the section's keys that are no options; they are left to the command, which reads them with
    ``stage.params``. Any other key is refused.
    """

    def load(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
        if value is None:
            return None
        found = {str(key).replace("-", "_"): item for key, item in params.section(value, section).items()}
        options = {option.name for option in context.command.params}
        for key in found:
            if key not in options and key not in structured:
                raise UsageError(f"{value} {section}", f"unknown key {key.replace('_', '-')}", "remove or correct it")
        context.default_map = {key: item for key, item in found.items() if key in options}
        return value

    def decorate(command: F) -> F:
        return click.option(
            "--params",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            is_eager=True,
            callback=load,
            help=f"YAML file; its section {section} gives settings.",
        )(command)

    return decorate


def log_to_stderr() -> None:
    """Send log records to stderr, one plain line each."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO, force=True)
