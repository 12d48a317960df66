"""The command that writes what others read about the datasets."""

import click
from data_registry.clone import repository
from data_registry.stage.options import talk

from registry.batches import Failures
from registry.datasets import find_datasets


@click.command()
@click.argument("name", metavar="DATASET", envvar="DS", default="all")
@talk
def cards(name: str) -> None:
    """Write the generated block in the README of DATASET (default: all), from params.yaml and metadata.json.

    A build and a release do it too; what people write around it stays as it is.
    """
    from registry.cards.card import write_card  # lazy: Arrow takes as long to import as all else here

    failures = Failures()
    for each in find_datasets(repository(), name):
        with failures.collected(each.name * (name == "all")):
            click.echo(f"{each.name}: README.md {'written' if write_card(each) else 'is current'}")
    failures.end()
