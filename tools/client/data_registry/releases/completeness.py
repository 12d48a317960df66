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
PATIENCE = 10  # seconds until a remote that does not answer is one that cannot be asked
SHOWN = 3  # names in a message
BROKEN = re.compile(r"ignoring (?:broken|dangling) (?:ref|symref) refs/tags/(\S+)")
URL = re.compile(r"remote\.(.+)\.url")
# Nobody is asked for a password: who only looks at the releases may not even be there.
UNATTENDED = {"GIT_ASKPASS": "", "SSH_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never", "GCM_INTERACTIVE": "never"}


@dataclasses.dataclass(frozen=True)
class Origin:
    """The release tags of the git remote, with their objects; ``name`` is empty where the clone has no remote.

    ``unasked`` says why it could not be asked.
    """

    name: str = ""
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    unasked: str = ""


@dataclasses.dataclass(frozen=True)
class Gaps:
    """What a clone lacks: release tags that only the remote has, other ones here than there, and unreadable ones."""

    origin: str = ""
    missing: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unasked: str = ""

    def __bool__(self) -> bool:
        return any((self.missing, self.moved, self.unreadable, self.unasked))

    @property
    def fix(self) -> str:
        """The command that most likely closes them."""
        return f"git fetch {self.origin} --tags" if self.missing else f"look at git ls-remote --tags {self.origin}"

    @property
    def lines(self) -> list[str]:
        """Sentences that say it, each with what helps."""
        found = []
        if self.missing:
            found.append(f"not in this clone: {_listed(self.missing)} of {self.origin}; git fetch {self.origin} --tags")
        if self.moved:
            found.append(f"differs from {self.origin}: {_listed(self.moved)}; make verify says which is right")
        if self.unreadable:
            found.append(f"unreadable tag: {_listed(self.unreadable)}; git fsck")
        if self.unasked:
            found.append(f"{self.origin} could not be asked for releases that this clone lacks: {self.unasked}")
        return found


def ask_origin(git: Git, name: str = "") -> Origin:
    """Return the release tags of the clone's git remote, of one dataset or of all, within a short time."""
    remote = _remote(git)
    if not remote:
        return Origin()
    query = ("-c", "credential.interactive=false", "ls-remote", "--tags", "--refs", remote)
    try:
        done = git.run(*query, f"refs/tags/{name or '*'}-v*", environ=UNATTENDED, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return Origin(remote, unasked=f"no answer in {PATIENCE} s")
    if done.returncode:
        error = GitFailed(("ls-remote",), done.stderr.decode(errors="replace"))
        return Origin(remote, unasked=f"{error.what}; {error.cure}" if error.cure else error.what)
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
        origin.unasked,
    )


def report_gaps(git: Git, name: str = "") -> Gaps:
    """Compare them, and warn of what the clone lacks, before anybody reads an answer from it."""
    found = find_gaps(git, name)
    for line in found.lines:
        log.warning("%s", line)
    return found


def _remote(git: Git) -> str:
    """Return the remote that releases go to: origin, or that of the branch, or the first."""
    listed = git.run("config", "-z", "--name-only", "--get-regexp", r"^remote\..*\.url$").stdout.decode()
    names = [match[1] for each in listed.split("\0") if (match := URL.fullmatch(each))]
    if ORIGIN in names:
        return ORIGIN
    head = git.run("symbolic-ref", "-q", "HEAD").stdout.decode().strip()
    upstream = git("for-each-ref", "--format=%(upstream:remotename)", head) if head else ""
    return upstream if upstream in names else next(iter(names), "")


def _is_release(tag: str, name: str) -> bool:
    found = TAG.fullmatch(tag)
    return found is not None and name in {"", found["name"]}


def _in_order(tags: Iterable[str]) -> tuple[str, ...]:
    found = [(match["name"], Version.parse(match["version"]), tag) for tag in tags if (match := TAG.fullmatch(tag))]
    return tuple(tag for *_, tag in sorted(found))


def _listed(tags: tuple[str, ...]) -> str:
    more = f" and {len(tags) - SHOWN} more" if len(tags) > SHOWN else ""
    return f"{len(tags)} release{'s' * (len(tags) > 1)} ({', '.join(tags[:SHOWN])}{more})"
