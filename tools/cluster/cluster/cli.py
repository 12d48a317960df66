"""The command line: the datasets' pipelines on Argo Workflows and Kubernetes."""

import click
from data_registry.clone import repository
from data_registry.stage.command import Tool
from data_registry.stage.errors import ReleaseRefused
from registry.batches import Failures
from registry.datasets import find_datasets

from cluster.commands.github import pins_command, review, submit
from cluster.commands.minikube import minikube
from cluster.commands.steps import argo

cli = Tool("cluster", help="Run the datasets' pipelines on Argo Workflows.")


@cli.command()
@click.argument("name", metavar="DATASET", envvar="DS", default="")
@click.option("--check", is_flag=True, help="Only check that it is current: exit 40 if not.")
def workflow(name: str, check: bool) -> None:
    """Write the Argo WorkflowTemplate of DATASET (or all), data/DATASET/workflow.yaml, from its DVC stages.

    \b
    Example:
      tools/run cluster workflow emotion --check
    """
    from cluster.templates.template import is_current, write_workflow

    root, failures = repository(), Failures()
    for dataset in find_datasets(root, name):
        path = f"data/{dataset.name}/workflow.yaml"
        with failures.collected(dataset.name * (name == "all")):
            if check and not is_current(dataset, root):
                raise ReleaseRefused(path, "differs from dvc.yaml and data/images.yaml", "make workflows")
            if not check:
                click.echo(f"{path}: {'written' if write_workflow(dataset, root) else 'up to date'}")
    failures.end()


for command in (submit, pins_command, review, minikube, argo):
    cli.add_command(command)
