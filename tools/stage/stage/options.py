"""Options with the same names and meaning in all tools."""

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
PARAMS = "YAML file with settings in section %s."
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def verbosity() -> list[click.Parameter]:
    """Return the options -v and -q: how much is printed on stderr."""

    def set_level(_: click.Context, option: click.Parameter, value: bool) -> None:
        if value:
            logging.getLogger().setLevel(logging.DEBUG if option.name == "verbose" else logging.WARNING)

    flag = functools.partial(click.Option, is_flag=True, expose_value=False, callback=set_level)
    quiet = flag(["-q", "--quiet"], help="Print only warnings and errors.")
    return [flag(["-v", "--verbose"], help="Print debug messages and tracebacks."), quiet]


def params_file(section: str) -> Callable[[F], F]:
    """Add a required --params FILE, whose section the command reads with ``stage.params``."""
    return click.option("--params", type=FILE, required=True, help=PARAMS % section)


def settings(section: str, *names: str) -> Callable[[F], F]:
    """Add --params FILE: values of the named options from one section (flag > environment > file > default).

    Other keys are errors: addresses and secrets belong in the environment.
    """

    def load(context: click.Context, _: click.Parameter, value: Path | None) -> Path | None:
        if value is None:
            return None
        values = {str(key).replace("-", "_"): item for key, item in params.section(value, section).items()}
        if unknown := [key.replace("_", "-") for key in values if key not in names]:
            known = ", ".join(names).replace("_", "-")
            raise UsageError(f"{value} {section}", f"unknown key {unknown[0]}", f"use one of: {known}")
        context.default_map = values
        return value

    return click.option("--params", type=FILE, is_eager=True, expose_value=False, callback=load, help=PARAMS % section)


def log_to_stderr() -> None:
    """Send log records to stderr, one line each, without control characters and secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        if not logging.getLogger().isEnabledFor(logging.DEBUG):  # the tracebacks of libraries are shown with -v only
            record.exc_info = record.exc_text = record.stack_info = None
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))
