"""Options that read alike on every tool."""

import functools
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from . import params
from .errors import UsageError
from .redaction import one_line

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def talk(command: F) -> F:
    """Add -v and -q: how much a tool says on stderr."""

    def set_level(_: click.Context, option: click.Parameter, value: bool) -> None:
        if value:
            logging.getLogger().setLevel(logging.DEBUG if option.name == "verbose" else logging.WARNING)

    flag = functools.partial(click.option, is_flag=True, expose_value=False, callback=set_level)
    quiet = flag("-q", "--quiet", help="Say only warnings.")
    verbose = flag("-v", "--verbose", help="Say more; show tracebacks.")
    return verbose(quiet(command))


def params_file(section: str) -> Callable[[F], F]:
    """Add a required --params FILE, whose section the command reads with ``stage.params``."""
    return click.option("--params", type=FILE, required=True, help=f"YAML file; its section {section} says what to do.")


def settings(section: str, *names: str) -> Callable[[F], F]:
    """Add --params FILE: values of the named options from one section (flag > environment > file > default).

    Any other key is refused: addresses and secrets are no settings.
    """

    def load(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
        if value is None:
            return None
        found = {str(key).replace("-", "_"): item for key, item in params.section(value, section).items()}
        for key in found:
            if key not in names:
                raise UsageError(f"{value} {section}", f"unknown key {key.replace('_', '-')}", "remove or correct it")
        context.default_map = found
        return value

    text = f"YAML file; its section {section} gives settings."
    return click.option("--params", type=FILE, is_eager=True, expose_value=False, callback=load, help=text)


def log_to_stderr() -> None:
    """Send log records to stderr, one plain line each, without control characters and secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if not logging.getLogger().isEnabledFor(logging.DEBUG):  # libraries add tracebacks that are for -v
            record.exc_info = record.exc_text = record.stack_info = None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))
