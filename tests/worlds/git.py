"""Git as other people have set it up: each setting by name, and as many of them together as go together.

``hostile`` writes the files that a setting needs and returns the variables that lead git to them; ``entered`` changes
a clone as those settings do that a clone has. The repository that the variables of a hook name is ``victim``: whatever
runs, it must stay as it is. Of the hooks, ``pre-push`` alone is to run, and leaves the file ``pushed``.
"""

import dataclasses
import hashlib
import itertools
import os
import random
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from conftest import GIT, git

NOISE = "#!/bin/sh\necho noise of {name}\necho noise of {name} >&2\nexit {code}\n"
FAILING_HOOKS = (
    *("pre-commit", "prepare-commit-msg", "commit-msg", "pre-merge-commit", "post-index-change"),
    *("post-checkout", "post-merge", "post-commit", "post-rewrite", "pre-auto-gc"),
)
STRANGER = 4711  # a uid that nobody here has


@dataclasses.dataclass(frozen=True)
class Setting:
    """What somebody has in the global configuration, as pairs, and in the environment; {} is the world's folder."""

    config: tuple[tuple[str, str], ...] = ()
    environ: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _set(*config: str, **environ: str) -> Setting:
    pairs = (each.split("=", 1) for each in config)
    return Setting(tuple((key, value) for key, value in pairs), environ)


SETTINGS: dict[str, Setting] = {
    "colour": _set(*(f"color.{each}=always" for each in ("ui", "branch", "diff", "status", "push", "remote"))),
    "column": _set("column.ui=always,dense", "column.tag=always", "column.status=always", "column.branch=always"),
    "quoting": _set("core.quotePath=true"),
    "abbreviated": _set("core.abbrev=4", "log.abbrevCommit=true", "log.decorate=full", "log.date=relative"),
    "pagers": _set(
        "core.pager={}/noise",
        *(f"pager.{each}=true" for each in ("tag", "log", "diff", "status", "for-each-ref", "cat-file", "ls-tree")),
        GIT_PAGER="{}/noise",
        GIT_PAGER_IN_USE="1",
        PAGER="{}/noise",
    ),
    "hooks": _set("core.hooksPath={}/hooks"),
    "signing": _set(
        "commit.gpgSign=true",
        "tag.gpgSign=true",
        "tag.forceSignAnnotated=true",
        "user.signingKey=absent",
        "gpg.program={}/failing",
    ),
    "signing with ssh": _set("gpg.format=ssh", "commit.gpgSign=true", "tag.gpgSign=true", "user.signingKey={}/absent"),
    "signed pushes": _set("push.gpgSign=true", "user.signingKey=absent", "gpg.program={}/failing"),
    "signatures shown": _set("log.showSignature=true", "gpg.program={}/noise"),
    "signatures verified": _set("merge.verifySignatures=true", "pull.rebase=true", "merge.ff=false"),
    "templates": _set("init.templateDir={}/template", GIT_TEMPLATE_DIR="{}/template"),
    "address rewriting": _set("url.file:///.insteadOf=hub:///", "url.file:////.pushInsteadOf=hubpush:///"),
    "fsmonitor": _set("core.fsmonitor={}/failing", "core.untrackedCache=true"),
    "line ends": _set("core.autocrlf=true", "core.safecrlf=true", "core.eol=crlf"),
    "attributes": _set(
        "core.attributesFile={}/attributes", "filter.shout.clean=tr a-z A-Z", "filter.shout.smudge=tr a-z A-Z"
    ),
    "ignored files": _set("core.excludesFile={}/ignored"),
    "bare repositories": _set("safe.bareRepository=explicit"),
    "pruning": _set(
        "fetch.prune=true", "fetch.pruneTags=true", "remote.origin.prune=true", "remote.origin.pruneTags=true"
    ),
    "external diff": _set(
        "diff.external={}/failing",
        "diff.noprefix=true",
        "diff.mnemonicPrefix=true",
        "diff.renames=copies",
        "diff.relative=true",
        "diff.orderFile={}/absent",
        GIT_EXTERNAL_DIFF="{}/failing",
        GIT_DIFF_OPTS="--unified=0",
    ),
    "status": _set(
        "status.short=true",
        "status.branch=true",
        "status.showStash=true",
        "status.showUntrackedFiles=no",
        "status.submoduleSummary=true",
        "status.relativePaths=false",
        "status.renames=copies",
    ),
    "aliases": _set(
        *(f"alias.{each}=!false" for each in ("tag", "status", "push", "fetch", "for-each-ref", "cat-file", "ls-tree"))
    ),
    "encodings": _set(
        "i18n.commitEncoding=ISO-8859-1",
        "i18n.logOutputEncoding=UTF-16",
        LC_ALL="de_DE.UTF-8",
        LANGUAGE="de:fr",
        LANG="de_DE.UTF-8",
    ),
    "sorting": _set("tag.sort=-version:refname", "versionsort.suffix=-v1", "branch.sort=-committerdate"),
    "housekeeping": _set("gc.auto=1", "gc.autoDetach=false", "maintenance.auto=true", "rerere.enabled=true"),
    "protocols": _set("protocol.version=0", "protocol.file.allow=never"),
    "defaults": _set(
        "init.defaultBranch=trunk",
        "clone.defaultRemoteName=upstream",
        "clone.rejectShallow=true",
        "push.default=nothing",
        "push.followTags=true",
        "push.autoSetupRemote=true",
        "remote.pushDefault=elsewhere",
        "branch.autoSetupMerge=false",
        "user.useConfigOnly=true",
    ),
    "submodules": _set("submodule.recurse=true", "push.recurseSubmodules=only", "fetch.recurseSubmodules=true"),
    "traces": _set("trace2.normalTarget=/dev/stdout", GIT_TRACE="/dev/stdout", GIT_TRACE_SETUP="1", GIT_TRACE2="1"),
    "a hook's variables": Setting(
        (),
        {
            "GIT_DIR": "{}/victim.git",
            "GIT_WORK_TREE": "{}/victim",
            "GIT_INDEX_FILE": "{}/victim.git/index",
            "GIT_PREFIX": "sub/",
            "GIT_COMMON_DIR": "{}/victim.git",
            "GIT_OBJECT_DIRECTORY": "{}/victim.git/objects",
            "GIT_NAMESPACE": "theirs",
            "GIT_QUARANTINE_PATH": "{}/victim.git/objects/incoming",
        },
    ),
    "pathspecs": _set(GIT_ICASE_PATHSPECS="1"),
    "hash": _set("init.defaultObjectFormat=sha256", GIT_DEFAULT_HASH="sha256"),
    "prompts": _set(
        "core.askPass={}/failing", GIT_ASKPASS="{}/failing", SSH_ASKPASS="{}/failing", GIT_EDITOR="{}/failing"
    ),
    "variables": _set(
        GIT_CONFIG_COUNT="2",
        GIT_CONFIG_KEY_0="color.ui",
        GIT_CONFIG_VALUE_0="always",
        GIT_CONFIG_KEY_1="column.ui",
        GIT_CONFIG_VALUE_1="always",
        GIT_CONFIG="{}/absent",
    ),
}
CLONES = ("worktree", "another owner", "remote pruned", "remote rewritten", "branch and tag of one name")
NAMES = (*SETTINGS, *CLONES)
# All but one of two that exclude each other. A pre-push hook stays: it is the user's.
TOGETHER = tuple(name for name in NAMES if name not in {"signing with ssh", "variables"})


def pairs(number: int = 30, seed: int = 15) -> list[tuple[str, str]]:
    """Return a sample of the pairs of settings, always the same."""
    return random.Random(seed).sample(sorted(itertools.combinations(NAMES, 2)), number)


def hostile(folder: Path, *names: str) -> dict[str, str]:
    """Write what the settings need below a folder, and return the variables that a process gets in addition."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_files(folder)
    config = folder / "gitconfig"
    environ = {"GIT_CONFIG_GLOBAL": str(config)}
    pairs = [("user.name", "Someone"), ("user.email", "someone@example.org"), ("safe.directory", "*")]
    for name in names:
        if found := SETTINGS.get(name):
            pairs += [(key, value.replace("{}", str(folder))) for key, value in found.config]
            environ |= {key: value.replace("{}", str(folder)) for key, value in found.environ.items()}
    config.unlink(missing_ok=True)
    for key, value in pairs:
        subprocess.run(["git", "config", "--file", config, "--add", key, value], check=True)
    return environ


def entered(clone: Path, *names: str) -> Path:
    """Change a clone as the settings say, and return the folder to work in: a linked worktree may be another one."""
    if "remote pruned" in names:
        for key in ("prune", "pruneTags"):
            git(clone, "config", f"remote.origin.{key}", "true")
        git(clone, "config", "remote.origin.tagOpt", "--no-tags")
    if "remote rewritten" in names:
        url = git(clone, "config", "remote.origin.url").strip()
        git(clone, "config", "remote.origin.url", "short:it")
        git(clone, "config", f"url.{(clone / url).resolve()}.insteadOf", "short:it")
    if "branch and tag of one name" in names:
        for tag in git(clone, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags").split():
            git(clone, "branch", "-q", "--no-track", tag, git(clone, "rev-list", "--max-parents=0", "HEAD").split()[0])
    if "worktree" in names:
        main = clone.with_name(f"{clone.name}-main")
        clone.rename(main)
        branch = git(main, "symbolic-ref", "--short", "HEAD").strip()
        git(main, "checkout", "-q", "--detach")
        git(main, "worktree", "add", "-q", str(clone), branch)
        _move_rest(main, clone)
    if "another owner" in names and os.getuid() == 0:
        for path in (clone, *clone.rglob("*")):
            os.chown(path, STRANGER, STRANGER, follow_symlinks=False)
    return clone


def victim(folder: Path) -> str:
    """Return a hash over all that is in the repository that a hook's variables name."""
    digest = hashlib.sha256()
    for path in sorted(_victims(folder)):
        digest.update(f"{path}\0{path.read_bytes() if path.is_file() else b''!r}\0".encode())
    return digest.hexdigest()


def _victims(folder: Path) -> Iterator[Path]:
    for name in ("victim", "victim.git"):
        yield from (folder / name).rglob("*")


def _move_rest(main: Path, clone: Path) -> None:
    """Bring what git does not track, as outputs and caches are, to the worktree; the main one is left without it."""
    listed = git(main, "ls-files", "-z", "--others", "--directory").split("\0")
    for name in (each.rstrip("/") for each in listed if each):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (main / name).rename(clone / name)


def _write_files(folder: Path) -> None:
    programs = {"noise": 0, "failing": 1, **{f"hooks/{name}": 1 for name in FAILING_HOOKS}, "hooks/pre-push": 0}
    programs |= {f"template/hooks/{name}": 1 for name in (*FAILING_HOOKS, "pre-push", "pre-receive", "update")}
    for name, code in programs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(NOISE.format(name=name, code=code))
        path.chmod(0o755)
    (folder / "hooks" / "pre-push").write_text(f"#!/bin/sh\ntouch '{folder}/pushed'\necho noise\necho noise >&2\n")
    (folder / "template" / "info").mkdir(exist_ok=True)
    (folder / "template" / "info" / "exclude").write_text("*\n")
    (folder / "attributes").write_text("* text=auto eol=crlf filter=shout ident\n")
    (folder / "ignored").write_text("*.lock\n*.csv\n*.json\n*.yaml\n.gitignore\n")
    if not (folder / "victim.git").exists():
        (folder / "victim").mkdir()
        (folder / "victim" / "file").write_text("theirs\n")
        plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Theirs"]):
            line = [*GIT, f"--git-dir={folder}/victim.git", f"--work-tree={folder}/victim", *words]
            subprocess.run(line, env=plain, check=True)
