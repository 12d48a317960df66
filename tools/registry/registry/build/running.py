"""Run another tool through ``tools/run``, and read its output."""

import json
import subprocess
from pathlib import Path
from typing import Any

from data_registry.stage.errors import ChildFailed


def run_tool(root: Path, folder: Path, tool: str, command: str, *arguments: str, given: object = None) -> Any:
    """Run a command of a tool in a dataset's folder, with ``given`` as JSON on its stdin; return the JSON it prints.

    Its stderr is passed on. Raises ChildFailed.
    """
    process = subprocess.run(
        [str(root / "tools" / "run"), tool, command, "--params", "params.yaml", *arguments],
        cwd=folder,
        input=json.dumps(given) if given is not None else None,
        stdin=subprocess.DEVNULL if given is None else None,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.returncode:
        raise ChildFailed(folder.name, f"{tool} {command}", process.returncode)
    return json.loads(process.stdout)
