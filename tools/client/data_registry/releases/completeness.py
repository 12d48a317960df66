"""Whether a clone has the releases that its git remote has: "none" may be said only of what was looked at."""

import dataclasses
import logging
import re
import subprocess
from collections.abc import Iterable

from data_registry.git import Git, GitFailed
from data_registry.releases.versions import TAG, Version, list_tags

log = logging.getLogger(__name__)

ORIGIN = "origin"
TIMEOUT = 10  # seconds until a remote that does not answer is given up
SHOWN = 3  # names in a message
BROKEN = re.compile(r"ignoring (?:broken|dangling) (?:ref|symref) refs/tags/(\S+)")
URL = re.compile(r"remote\.(.+)\.url")
# Nobody is asked for a password: who only looks at the releases may not even be there.
UNATTENDED = {"GIT_ASKPASS": "", "SSH_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never", "GCM_INTERACTIVE": "never"}


@dataclasses.dataclass(frozen=True)
class Origin:
    """The release tags of the git remote, with their objects; ``name`` is empty where the clone has no remote.

    ``failure`` says why they could not be listed.
    """

    name: str = ""
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class Gaps:
    """What a clone lacks: release tags that only the remote has, other ones here than there, and unreadable ones."""

    origin: str = ""
    missing: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    failure: str = ""

    def __bool__(self) -> bool:
        return any((self.missing, self.moved, self.unreadable, self.failure))

    @property
    def fix(self) -> str:
        """The command that most likely closes them."""
        return f"git fetch {self.origin} --tags" if self.missing else f"look at git ls-remote --tags {self.origin}"

    @property
    def lines(self) -> list[str]:
        """Sentences that say it, each with what helps."""
        lines = []
        if self.missing:
            lines.append(f"not in this clone: {_listed(self.missing)} of {self.origin}; git fetch {self.origin} --tags")
        if self.moved:
            lines.append(f"differs from {self.origin}: {_listed(self.moved)}; make verify says which is right")
        if self.unreadable:
            lines.append(f"unreadable tag: {_listed(self.unreadable)}; git fsck")
        if self.failure:
            lines.append(f"cannot list the releases of {self.origin}, so this clone may lack some: {self.failure}")
        return lines


def ask_origin(git: Git, name: str = "") -> Origin:
    """Return the release tags of the clone's git remote, of one dataset or of all, within a short time."""
    remote = _remote(git)
    if not remote:
        return Origin()
    query = ("-c", "credential.interactive=false", "ls-remote", "--tags", "--refs", remote)
    try:
        done = git.run(*query, f"refs/tags/{name or '*'}-v*", environ=UNATTENDED, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return Origin(remote, failure=f"no answer in {TIMEOUT} s")
    if done.returncode:
        error = GitFailed(("ls-remote",), done.stderr.decode(errors="replace"))
        return Origin(remote, failure=f"{error.what}; {error.cure}" if error.cure else error.what)
    pairs = (line.split("\t", 1) for line in done.stdout.decode(errors="replace").splitlines())
    tags = {ref.removeprefix("refs/tags/"): target for target, ref in pairs}
    return Origin(remote, {tag: target for tag, target in tags.items() if _is_release(tag, name)})


def find_gaps(git: Git, name: str = "", origin: Origin | None = None) -> Gaps:
    """Compare the release tags of a clone, of one dataset or of all, with its remote's. Raises GitFailed."""
    origin = origin or ask_origin(git, name)
    here = list_tags(git, f"refs/tags/{name or '*'}-v*")
    listed = git.run("for-each-ref", "refs/tags").stderr.decode(errors="replace")
    unreadable = tuple(tag for tag in BROKEN.findall(listed) if _is_release(tag, name))
    return Gaps(
        origin.name,
        _in_order(tag for tag in origin.tags if tag not in here and tag not in unreadable),
        _in_order(tag for tag, target in origin.tags.items() if here.get(tag, target) != target),
        unreadable,
        origin.failure,
    )


def report_gaps(git: Git, name: str = "") -> Gaps:
    """Compare them, and warn of what the clone lacks, before anybody reads an answer from it."""
    gaps = find_gaps(git, name)
    for line in gaps.lines:
        log.warning("%s", line)
    return gaps


def _remote(git: Git) -> str:
    """Return the remote that releases go to: origin, or that of the branch, or the first."""
    listed = git.run("config", "-z", "--name-only", "--get-regexp", r"^remote\..*\.url$").stdout.decode()
    names = [match[1] for key in listed.split("\0") if (match := URL.fullmatch(key))]
    if ORIGIN in names:
        return ORIGIN
    head = git.run("symbolic-ref", "-q", "HEAD").stdout.decode().strip()
    upstream = git("for-each-ref", "--format=%(upstream:remotename)", head) if head else ""
    return upstream if upstream in names else next(iter(names), "")


def _is_release(tag: str, name: str) -> bool:
    match = TAG.fullmatch(tag)
    return match is not None and name in {"", match["name"]}


def _in_order(tags: Iterable[str]) -> tuple[str, ...]:
    releases = [(match["name"], Version.parse(match["version"]), tag) for tag in tags if (match := TAG.fullmatch(tag))]
    return tuple(tag for *_, tag in sorted(releases))


def _listed(tags: tuple[str, ...]) -> str:
    more = f" and {len(tags) - SHOWN} more" if len(tags) > SHOWN else ""
    return f"{len(tags)} release{'s' * (len(tags) > 1)} ({', '.join(tags[:SHOWN])}{more})"
