"""The command line of the registry, behind the make targets."""

from data_registry.stage.command import Tool

from registry.commands.build import cards, dataset, images, new, pull, push, refresh
from registry.commands.index import evaluate, load, parent, rollback, search, switch
from registry.commands.lineage import diff_command, explain_command, show_command, whohas_command
from registry.commands.release import bootstrap, get, release, repair, verify
from registry.commands.services import demo, doctor, prompts, with_services
from registry.terminal import colour

cli = Tool(
    "registry",
    help="Build, release, verify and explain datasets with git and DVC.",
    context_settings={"color": colour()},  # for every command, and whatever it styles
)

for command in (
    *(dataset, new, refresh, cards, push, pull, images),
    *(release, bootstrap, get, verify, repair),
    *(show_command, diff_command, explain_command, whohas_command),
    *(parent, load, switch, rollback, search, evaluate),
    *(demo, doctor, prompts, with_services),
):
    cli.add_command(command)
