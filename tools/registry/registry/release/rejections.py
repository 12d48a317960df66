"""What git and a server say when a push fails, as the error that it means."""

import dataclasses
import re

from data_registry.stage.errors import DiskFull, PushFailed, ReleaseRefused, StageError

from registry.release.target import Target

LINE = re.compile(r"!\t[^\t]*\t\[(?P<kind>[^\]]*)\](?: \((?P<reason>.*)\))?")  # of git push --porcelain
SHARED = re.compile(r"atomic (?:push|transaction) fail|transaction fail")  # said of one ref because of another
# What a push that another one has overtaken is rejected with, by git and by the servers of the large hosts.
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
ADMINISTRATOR = "ask whoever administers the remote"
AGAIN = "check the network and your access, then run again: the data is pushed already"
CURES = {
    "checked out": "make it a bare repository, or run there: git config receive.denyCurrentBranch updateInstead",
    "shallow": "git fetch --unshallow",
}


@dataclasses.dataclass(frozen=True)
class Rejection:
    """A push that failed: the reasons for the refs that were rejected, what the server said, and what git said."""

    reasons: tuple[str, ...]
    server: tuple[str, ...]
    git: tuple[str, ...]
    is_cut: bool = False

    @property
    def is_race(self) -> bool:
        """Whether another push was faster, so that this one may succeed on top of it."""
        return any(map(RACE.search, self.reasons))

    def error(self, target: Target) -> StageError:
        """Return the error that the rejection means, with the server's words."""
        reason = ", ".join(self.reasons)
        words = " ".join(line for line in self.server if line not in self.reasons)
        everything = " ".join((reason, words, *self.git))
        if FULL.search(everything):
            return DiskFull(target, f"no space left on the git server: {reason or words}", ADMINISTRATOR)
        if "declined" in reason:
            return ReleaseRefused(target, f"a hook or rule refused it: {words or reason}", ADMINISTRATOR)
        if reason:
            what = f"rejected: {reason}" + (f"; {words}" if words else "")
            cure = next((cure for part, cure in CURES.items() if part in reason), ADMINISTRATOR)
            return (ReleaseRefused if RULES.search(reason) else PushFailed)(target, what, cure)
        return self._without_reason(target, words)

    def _without_reason(self, target: Target, words: str) -> StageError:
        told = " ".join((*self.git, words)).strip() or "failed without a word"
        if found := UNSUPPORTED.search(told):
            fix = f"release to a server, and by a protocol, that supports {found[1]} pushes"
            return ReleaseRefused(target, told, fix)
        if "aborted by hook" in told:
            return ReleaseRefused(target, told, ADMINISTRATOR)
        if self.is_cut:
            return PushFailed(target, told, AGAIN)
        if DENIED.search(told):
            return ReleaseRefused(target, told, "check your access to it: git push --dry-run")
        return PushFailed(target, told, AGAIN)


def rejection_of(said: str) -> Rejection:
    """Read what ``git push --porcelain`` and the server have written."""
    lines = said.splitlines()
    rejected = [match for line in lines if (match := LINE.fullmatch(line.rstrip()))]
    server = tuple(text for line in lines if line.startswith("remote:") and (text := line[7:].strip()))
    reasons = dict.fromkeys(match["reason"] or match["kind"] for match in rejected)
    own = [reason for reason in reasons if not SHARED.match(reason)]
    if rejected and not own:  # a server says in a line of its own why a transaction has failed
        own = [line for line in server if line.startswith(("error:", "fatal:"))] or [*reasons]
    others = tuple(re.sub(r"^(?:fatal|error): ", "", line) for line in lines if not NOISE.match(line))
    return Rejection(tuple(own), server, others, bool(CUT.search(said)))


def refused_by_hook(said: str) -> bool:
    """Say whether the clone's own pre-push hook ended a push: nothing was sent, and so no ref was rejected."""
    return "failed to push some refs" in said and not any(map(LINE.match, said.splitlines())) and not CUT.search(said)
