"""Options that read alike on every command of the registry."""

import click

REMOTE = click.option(
    "--remote",
    envvar="DVC_REMOTE",
    show_envvar=True,
    default="local",
    show_default=True,
    help="As .dvc/config names it.",
)
