"""Translate the output of a failed push into an error with an exit code."""

import dataclasses
import re

from data_registry.stage.errors import DiskFull, PushFailed, ReleaseRefused, StageError

from registry.release.target import Target

LINE = re.compile(r"!\t[^\t]*\t\[(?P<kind>[^\]]*)\](?: \((?P<reason>.*)\))?")  # of git push --porcelain
SHARED = re.compile(r"atomic (?:push|transaction) fail|transaction fail")  # of one ref because of the other
# Rejections of a push because another one came first, by git and by the servers of large hosts.
RACE = re.compile(
    r"non-fast-forward|fetch first|stale info|already exists|cannot lock ref|fail(?:ed)? to lock|incorrect old value"
)
RULES = re.compile(
    r"declin|den(?:y|ied)|prohibit|not (?:allowed|permitted)|permission|checked out|hidden ref|refus|forbid|protected"
)
DENIED = re.compile(
    r"Permission (?:to \S+ )?denied|Authentication failed|could not read (?:Username|Password)|access denied"
    r"|returned error: 40[13]|Host key verification failed|insufficient permission"
)
FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large")
CUT = re.compile(r"RPC failed|hung up|unexpected disconnect")
UNSUPPORTED = re.compile(r"does not support (?:--)?(\S+)")
NOISE = re.compile(r"remote:|hint: |warning: |To |Done$|!\t|[=+*\- ]\t|error: failed to push some refs|\s*$")
ADMINISTRATOR = "contact the repository's administrator"
AGAIN = "check the network and your access, then run again: the data is pushed already"
CURES = {
    "checked out": "make it a bare repository, or run there: git config receive.denyCurrentBranch updateInstead",
    "shallow": "git fetch --unshallow",
}


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A failed push: the reasons for rejected refs, the lines of the server, and those of git."""

    reasons: tuple[str, ...]
    server: tuple[str, ...]
    git: tuple[str, ...]
    is_cut: bool = False

    @property
    def is_race(self) -> bool:
        """Whether another push came first, so that this one may succeed on top of it."""
        return any(map(RACE.search, self.reasons))

    def error(self, target: Target) -> StageError:
        """Return the error for the rejection, with the message of the server."""
        reason = ", ".join(self.reasons)
        message = " ".join(line for line in self.server if line not in self.reasons)
        everything = " ".join((reason, message, *self.git))
        if FULL.search(everything):
            return DiskFull(target, f"no space left on the git server: {reason or message}", ADMINISTRATOR)
        if "declined" in reason:
            return ReleaseRefused(target, f"a hook or rule rejected it: {message or reason}", ADMINISTRATOR)
        if reason:
            what = f"rejected: {reason}" + (f"; {message}" if message else "")
            cure = next((cure for part, cure in CURES.items() if part in reason), ADMINISTRATOR)
            return (ReleaseRefused if RULES.search(reason) else PushFailed)(target, what, cure)
        what = " ".join((*self.git, message)).strip() or "exited without an error message"
        if unsupported := UNSUPPORTED.search(what):
            return ReleaseRefused(target, what, f"use a server and a protocol that support {unsupported[1]} pushes")
        if "aborted by hook" in what:
            return ReleaseRefused(target, what, ADMINISTRATOR)
        if DENIED.search(what) and not self.is_cut:
            return ReleaseRefused(target, what, "check your access to it: git push --dry-run")
        return PushFailed(target, what, AGAIN)


def rejection_of(said: str) -> Rejection:
    """Parse the output of ``git push --porcelain``, with the lines of the server."""
    lines = said.splitlines()
    rejected = [match for line in lines if (match := LINE.fullmatch(line.rstrip()))]
    server = tuple(text for line in lines if line.startswith("remote:") and (text := line[7:].strip()))
    reasons = dict.fromkeys(match["reason"] or match["kind"] for match in rejected)
    own = [reason for reason in reasons if not SHARED.match(reason)]
    if rejected and not own:  # the server prints the reason of a failed transaction on a line of its own
        own = [line for line in server if line.startswith(("error:", "fatal:"))] or [*reasons]
    others = tuple(re.sub(r"^(?:fatal|error): ", "", line) for line in lines if not NOISE.match(line))
    return Rejection(tuple(own), server, others, bool(CUT.search(said)))


def refused_by_hook(said: str) -> bool:
    """Say whether the clone's own pre-push hook rejected a push: then no ref was sent, nor rejected."""
    return "failed to push some refs" in said and not any(map(LINE.match, said.splitlines())) and not CUT.search(said)
