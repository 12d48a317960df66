"""The commands for this machine and its services: doctor, demo, prompts in MLflow, embedded services."""

import os
import subprocess

import click
from data_registry.clone import repository
from data_registry.stage.command import fail
from data_registry.stage.errors import ReleaseRefused, StageError
from data_registry.stage.redaction import safe_url

from registry.options import REMOTE, option
from registry.services.prompts import pin_prompt, register
from registry.services.tracking import tracking_uri


@click.command()
@REMOTE
def doctor(remote: str) -> None:
    """Check tools, clone, remote and services of the current ENV; print a fix for each problem.

    Example: ENV=docker make doctor
    """
    from registry.doctor.doctor import as_table, examine  # lazy: loads psycopg

    checks = examine(repository(), remote)
    click.echo(as_table(checks))
    if problems := [check for check in checks if check.needed and not check.is_ok]:
        what = f"{problems[0].result} ({len(problems)} in all)"
        raise ReleaseRefused(f"ENV={os.environ.get('ENV') or 'local'} {problems[0].name}", what, problems[0].fix)


@click.command()
def demo() -> None:
    """Run every step on bundled sample data, in .demo/, without Docker.

    Example: make demo
    """
    from registry.demo.demo import demo as run_demo  # lazy: loads pyarrow

    try:
        click.echo(run_demo(repository()))
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        fail(StageError("demo", f"{command} failed with exit {error.returncode}", "see its error line above"))


@click.command()
@option("--pin", "PIN", "Copy the text of this version from MLflow to its file instead.", metavar="NAME/VERSION")
def prompts(pin: str) -> None:
    """Register the datasets' prompts in MLflow: at MLFLOW_TRACKING_URI, or with ENV=local in a SQLite file.

    Example: make prompts PIN=radiology-vlm-prompt/3
    """
    root = repository()
    uri = tracking_uri(root)
    if pin:
        click.echo("\n".join(f"{path.relative_to(root)}: written" for path in pin_prompt(root, uri, pin)))
        return
    for prompt in register(root, uri):
        count = f"{prompt.versions} of {prompt.versions} versions in {safe_url(uri)}"
        click.echo(f"{prompt.name}: {count}, {prompt.new} registered")


@click.command("with-services", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def with_services(command: tuple[str, ...]) -> int:
    """Run COMMAND while the embedded services of ENV=local are up.

    It gets their addresses as PGVECTOR_* and MLFLOW_TRACKING_URI.

    Example: tools/run registry with-services env
    """
    from registry.services.embedded import embedded  # lazy: loads psycopg

    with embedded(repository()) as variables:
        return subprocess.run(command, env={**os.environ, **variables}).returncode
