"""The command line of the registry, behind the make targets."""

import logging
import os
import subprocess

import click
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.stage.command import Tool, fail
from data_registry.stage.errors import NetworkFailed, StageError
from data_registry.stage.options import talk
from launcher.containers import engine_answers
from launcher.images import read_images, refresh_images
from launcher.toolbox import find_tools

from registry.batches import Failures
from registry.build.dvc_errors import StageFailed
from registry.build.images import build_images
from registry.build.new import make_dataset_folder
from registry.build.pipeline import reproduce
from registry.build.refresh import has_upstream, refresh
from registry.build.scratch import SAMPLE, make_scratch, run_in
from registry.build.summary import summary
from registry.commands.cards import cards
from registry.commands.index import evaluate, load, parent, rollback, search, switch
from registry.commands.lineage import diff_command, explain_command, show_command, whohas_command
from registry.commands.release import bootstrap, release
from registry.commands.store import doctor, get, repair, verify
from registry.datasets import find_datasets, waiting_for
from registry.options import REMOTE
from registry.terminal import colour
from registry.transfer import remotes

log = logging.getLogger(__name__)

cli = Tool(
    "registry",
    help="Build, release, verify and explain datasets with git and DVC.",
    context_settings={"color": colour()},  # for every command, and whatever it styles
)


@cli.command()
@click.argument("name", metavar="DATASET", envvar="DS", default="")
@click.option(
    "--source",
    envvar="SOURCE",
    show_envvar=True,
    type=click.Choice(["auto", "upstream", "sample"]),
    default="auto",
    show_default=True,
    help="upstream: as in sources.csv; sample: the bundled one, in .demo/sample/; auto: that, if no source answers.",
)
@talk
def dataset(name: str, source: str) -> None:
    """Build DATASET (or all): fetch, process and analyse whatever has changed."""
    from registry.cards.card import write_card  # lazy: Arrow takes as long to import as all else here
    from registry.cards.description import read_card

    root = repository()
    changed = refresh_images(root)
    for tool, image in changed.items():
        log.info("%s has changed: now %s", tool, image)
    samples, failures = [], Failures()
    for each in find_datasets(root, name):
        with failures.collected(each.name * (name == "all")):
            if name == "all" and (tag := waiting_for(each, Git(root))):
                log.info(
                    "%s: skipped, for %s is not released; make release, then make dataset DS=%s",
                    *(each.name, tag, each.name),
                )
                continue
            if source == "sample":
                samples.append(each)
                continue
            read_card(each)  # before the build, at whose end the card is written
            try:
                stages = reproduce(each, root)
            except StageFailed as error:
                if error.code != NetworkFailed.code or source == "upstream" or not each.sample_sources.exists():
                    raise
                log.warning("No source of %s answered, so data/ stays as it was.", each.name)
                log.warning(
                    "Building its bundled SYNTHETIC sample in .demo/sample/ instead (SOURCE=upstream: an error)."
                )
                samples.append(each)
            else:
                write_card(each)
                click.echo(summary(each, stages, root))
    if samples:
        clone = make_scratch(root, root / SAMPLE)
        for each in samples:
            with failures.collected(each.name * (name == "all")):
                try:
                    run_in(clone, "tools/run", "registry", "dataset", each.name)
                except subprocess.CalledProcessError as error:
                    code = error.returncode if error.returncode > 0 else 128 - error.returncode
                    raise StageFailed(each, code) from error
        log.info("All this is in %s, where its commands work.", clone.relative_to(root))
    failures.end()


@cli.command("refresh")
@click.argument("name", metavar="DATASET", envvar="DS", default="")
@talk
def refresh_command(name: str) -> None:
    """Ask what upstream of DATASET (or all) holds now, and write it into its sources.csv for review."""
    root, failures = repository(), Failures()
    for each in find_datasets(root, name):
        with failures.collected(each.name * (name == "all")):
            if name == "all" and not has_upstream(each):
                log.info("%s: its params.yaml names no upstream", each.name)
            else:
                click.echo(refresh(each, root))
    failures.end()


@cli.command()
@click.argument("name", metavar="DATASET", envvar="DS", default="")
@click.option(
    "--kind", envvar="KIND", show_envvar=True, default="table", show_default=True, help="What its raw data is."
)
@talk
def new(name: str, kind: str) -> None:
    """Make the folder of a new DATASET, which builds as it is.

    Its kind is table, idx, text, conversations, documents, or index: of a release of documents.
    """
    root = repository()
    folder = make_dataset_folder(root, name, kind).relative_to(root)
    click.echo(f"{folder} is there. Build it: make dataset DS={name}. Make it yours: {folder}/params.yaml")


@cli.command()
@click.argument("name", metavar="DATASET", envvar="DS", default="")
@REMOTE
@talk
def push(name: str, remote: str) -> None:
    """Send the data of DATASET (or all) to the remote, and make sure that all of it is there."""
    root, failures = repository(), Failures()
    for each in find_datasets(root, name):
        with failures.collected(each.name * (name == "all")):
            done = remotes.push(each, root, remote)
            click.echo(f"{each.name}: {done.moved} of {done.objects} objects sent to {remote}, all are there")
    failures.end()


@cli.command()
@click.argument("name", metavar="DATASET", envvar="DS", default="")
@REMOTE
@talk
def pull(name: str, remote: str) -> None:
    """Fetch the data of DATASET (or all) from the remote, and verify every byte."""
    root, failures = repository(), Failures()
    for each in find_datasets(root, name):
        with failures.collected(each.name * (name == "all")):
            done = remotes.pull(each, root, remote)
            click.echo(f"{each.name}: {done.moved} of {done.objects} objects fetched from {remote}, all verified")
    failures.end()


@cli.command()
@click.option("--no-build", is_flag=True, help="Only write data/images.yaml.")
@talk
def images(no_build: bool) -> None:
    """Write data/images.yaml, and build the images that it names where an engine answers."""
    root = repository()
    refresh_images(root)
    if no_build:
        return
    if not engine_answers():
        log.warning("No Docker engine answers: data/images.yaml is current, no image was built.")
        return
    built = {**read_images(root), "cluster": find_tools(root)["cluster"].image()}
    log.info("building %s; new ones take minutes", ", ".join(built.values()))
    build_images(root, built)
    click.echo("\n".join(built.values()))


@cli.command()
@click.option(
    "--pin",
    "wanted",
    envvar="PIN",
    show_envvar=True,
    metavar="NAME/VERSION",
    help="Write the text that MLflow has of that version to its file, instead.",
)
@talk
def prompts(wanted: str | None) -> None:
    """Register the datasets' prompts in MLflow: MLFLOW_TRACKING_URI, or the SQLite file of ENV=local."""
    from data_registry.stage.redaction import safe_url

    from registry.services.pin import pin
    from registry.services.prompts import register
    from registry.services.tracking import tracking_uri

    root = repository()
    uri = tracking_uri(root)
    if wanted:
        click.echo("\n".join(f"{path.relative_to(root)}: written" for path in pin(root, uri, wanted)))
        return
    for each in register(root, uri):
        click.echo(f"{each.name}: {each.new} of {each.versions} versions registered in {safe_url(uri)}, all are there")


@cli.command("with-services", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@talk
def with_services(command: tuple[str, ...]) -> int:
    """Run COMMAND while the embedded services of ENV=local are up; PGVECTOR_* and MLFLOW_TRACKING_URI say where."""
    from registry.services.embedded import embedded

    with embedded(repository()) as found:
        return subprocess.run(command, env={**os.environ, **found}).returncode


@cli.command()
@talk
def demo() -> None:
    """Show the whole journey on sample data, in .demo/, without Docker."""
    from registry.demo.demo import demo as library

    try:
        click.echo(library(repository()))
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        fail(StageError("demo", f"{command} failed with exit {error.returncode}", "see its error line above"))


for command in (release, bootstrap, verify, repair, get, doctor, cards):
    cli.add_command(command)

for command in (show_command, diff_command, explain_command, whohas_command):
    cli.add_command(command)

for command in (parent, load, switch, rollback, search, evaluate):
    cli.add_command(command)
