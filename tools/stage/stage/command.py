"""The click group of a tool: one JSON object on stdout, messages on stderr, the outcome in the exit code."""

import dataclasses
import json
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click

from .errors import StageError, UsageError, translated
from .options import log_to_stderr, verbosity


class Terminated(BaseException):
    """SIGTERM, raised so that temporary files are removed before the exit."""


class Tool(click.Group):
    """A click group whose failures end in one line, ``error: <where>: <what>; fix: <how>``, and an exit code."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, or a group of commands, with the options -v and -q."""
        for command in cmd.commands.values() if isinstance(cmd, click.Group) else [cmd]:
            command.params += verbosity()
        super().add_command(cmd, name)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a subcommand, print its result as JSON, and exit with the code of the outcome."""
        log_to_stderr()
        # tools/run starts a tool from its sources: there is no such program on PATH then.
        launcher = "tools/run " * (sys.argv[0] == self.name)
        try:
            with _signals_raised():
                result = super().main(*args, **{**extra, "standalone_mode": False})
                if dataclasses.is_dataclass(result) and not isinstance(result, type):
                    click.echo(json.dumps(dataclasses.asdict(result), ensure_ascii=False))
                sys.exit(result if isinstance(result, int) else 0)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            fail(UsageError(error.ctx.command_path, "no command given", f"{launcher}{error.ctx.command_path} --help"))
        except click.ClickException as error:
            where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else self.name
            message = error.format_message().rstrip(".")
            fail(UsageError(where, message[:1].lower() + message[1:], f"see {launcher}{where} --help"))
        except StageError as error:
            fail(error)
        except (OSError, MemoryError) as error:
            fail(translated(error) or error)
        except (click.Abort, KeyboardInterrupt):
            click.echo(f"error: {self.name}: interrupted; fix: run it again", err=True)
            sys.exit(130)
        except Terminated:
            click.echo(f"error: {self.name}: terminated; fix: run it again", err=True)
            sys.exit(143)


def fail(error: BaseException) -> NoReturn:
    """Print the last line of a failure and exit with its code; raise any other error than a StageError."""
    if not isinstance(error, StageError):
        raise error
    logging.getLogger().debug("", exc_info=error)
    click.echo(f"error: {error}", err=True)
    sys.exit(error.code)


@contextmanager
def _signals_raised() -> Iterator[None]:
    """Raise KeyboardInterrupt or Terminated at a signal, even if a library, such as Arrow, raises its own error."""
    received: list[type[BaseException]] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(KeyboardInterrupt if number == signal.SIGINT else Terminated)
        raise received[-1]

    signals = [signal.SIGTERM, *([signal.SIGINT] if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN else [])]
    before = {number: signal.signal(number, interrupt) for number in signals}
    try:
        yield
    except BaseException as error:
        if received and not isinstance(error, (received[0], SystemExit)):  # a command may handle it and succeed
            raise received[0] from error
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
