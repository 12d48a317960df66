"""What git is told and not told when the registry runs it, so that it answers the same on every machine.

The user's configuration is read as ever: addresses (``insteadOf``), credentials, proxies and names are the user's.
Only what changes the form or the meaning of an answer is set here; ``-c`` goes before every file and ``GIT_CONFIG_*``.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from data_registry.clone import GIT_LOCATIONS

GLOBAL = "GIT_CONFIG_GLOBAL"

# What changes the output, or what a path means.
_FORMS = (
    "GIT_PAGER",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_TRACE",  # and all that begin so: they may name stdout
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_TEMPLATE_DIR",
)
_FIXED = {
    "GIT_TERMINAL_PROMPT": "0",  # never wait at a prompt
    "GIT_OPTIONAL_LOCKS": "0",  # looking at a clone writes nothing in it
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TRACE2": "0",  # whatever trace2.* says
    "GIT_TRACE2_PERF": "0",
    "GIT_TRACE2_EVENT": "0",
    "LC_ALL": "C",  # messages as this code knows them
}
_OPTIONS = {
    **{f"color.{name}": "false" for name in ("ui", "advice", "branch", "diff", "push", "remote", "status")},
    "color.transport": "false",
    "column.ui": "never",
    "core.abbrev": "40",
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",  # the bytes in git are the bytes in the folder
    "core.eol": "lf",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.ignoreStat": "false",
    "core.quotePath": "false",
    "core.safecrlf": "false",
    "core.untrackedCache": "false",
    "advice.detachedHead": "false",
    "clone.defaultRemoteName": "origin",
    "clone.rejectShallow": "false",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "tag.forceSignAnnotated": "false",
    "push.gpgSign": "false",
    "diff.external": "",
    "diff.ignoreSubmodules": "none",
    "diff.mnemonicPrefix": "false",
    "diff.noprefix": "false",
    "diff.orderFile": os.devnull,
    "diff.relative": "false",
    "diff.renames": "false",
    "fetch.prune": "false",
    "fetch.pruneTags": "false",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "i18n.commitEncoding": "UTF-8",
    "i18n.logOutputEncoding": "UTF-8",
    "init.defaultBranch": "main",
    "init.defaultObjectFormat": "sha1",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "merge.ff": "true",
    "merge.verifySignatures": "false",
    "protocol.file.allow": "always",  # folders that the user named, or that this run has made
    "push.followTags": "false",
    "push.recurseSubmodules": "no",
    "rerere.enabled": "false",
    "status.branch": "false",
    "status.relativePaths": "false",
    "status.renames": "false",
    "status.short": "false",
    "status.showStash": "false",
    "submodule.recurse": "false",
}
# Some settings of a remote or a branch go before the general ones; so these commands are told once more.
_FLAGS = {
    "clone": ("--template=",),
    "fetch": ("--no-prune", "--no-prune-tags", "--no-recurse-submodules"),
    "init": ("--template=",),
    "merge": ("--no-verify-signatures", "--no-stat", "--no-autostash"),
    "push": ("--no-signed", "--no-follow-tags", "--recurse-submodules=no"),
}


def command_name(arguments: tuple[str, ...]) -> str:
    """Return which of git's commands the arguments are for; there may be ``-c NAME=VALUE`` before it."""
    return arguments[_start(arguments)]


def command(arguments: tuple[str, ...], where: tuple[str, ...]) -> list[str]:
    """Return the command line for git with neutral options; ``where`` are those that name a repository."""
    start, name = _start(arguments), command_name(arguments)
    options = dict(_OPTIONS)
    if name == "push":
        del options["core.hooksPath"]  # a pre-push hook is the user's guard
    if name in {"add", "check-ignore"}:
        options["core.excludesFile"] = os.devnull  # what is added is decided by the repository's own files
    settings = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    given, rest = arguments[:start], arguments[start + 1 :]
    general = ["git", "--no-pager", "--no-replace-objects", *settings, *where, *given]
    return [*general, name, *_FLAGS.get(name, ()), *rest]


def _start(arguments: tuple[str, ...]) -> int:
    start = 0
    while arguments[start] == "-c":
        start += 2
    return start


def environment(environ: Mapping[str, str], more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables for git: the user's, without what leads it to another repository or changes its output."""
    kept = {name: value for name, value in elsewhere(environ).items() if not name.startswith(_FORMS)}
    return {**kept, **_FIXED, **(more or {})}


def elsewhere(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a program that may run git in another repository than the one of a hook around us."""
    return {name: value for name, value in environ.items() if name not in GIT_LOCATIONS}


def config_variables(settings: Iterable[tuple[str, str]], first: int) -> dict[str, str]:
    """Return the variables that add settings to git's configuration, numbered from ``first``."""
    numbered = list(enumerate(settings, first))
    keys = {f"GIT_CONFIG_KEY_{number}": key for number, (key, _) in numbered}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in numbered}
    return keys | values | {"GIT_CONFIG_COUNT": str(first + len(numbered))}


@contextlib.contextmanager
def neutral_process() -> Iterator[None]:
    """Run without the variables of a hook around us and the files that the user ignores everywhere.

    For DVC, which takes both from the process; it would not read a ``dvc.yaml`` that somebody's ``*.yaml`` matches.
    """
    kept = {name: value for name in (*GIT_LOCATIONS, GLOBAL) if (value := os.environ.get(name)) is not None}
    with tempfile.TemporaryDirectory(prefix="registry-git-") as folder:
        config = Path(folder) / "config"
        config.write_text(_included() + f"[core]\n\texcludesFile = {os.devnull}\n", encoding="utf-8")
        for name in kept:
            del os.environ[name]
        os.environ[GLOBAL] = str(config)
        try:
            yield
        finally:
            del os.environ[GLOBAL]
            os.environ.update(kept)


def _included() -> str:
    """Return what includes the user's own configuration, as git finds it."""
    paths = [os.environ[GLOBAL]] if os.environ.get(GLOBAL) else []
    if GLOBAL not in os.environ and (home := os.environ.get("HOME")):
        paths = [f"{os.environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/git/config", f"{home}/.gitconfig"]
    quoted = (path.replace("\\", "\\\\").replace('"', '\\"') for path in paths)
    return "".join(f'[include]\n\tpath = "{path}"\n' for path in quoted)
