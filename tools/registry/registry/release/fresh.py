"""A release as a new clone finds it, in the repository that it was pushed to."""

import re
import tempfile
from pathlib import Path

from data_registry.git import Git, GitFailed
from data_registry.releases.release import Release
from data_registry.stage.errors import PushFailed, VerificationFailed

from registry.release.target import FETCH, Target

# Of the user's configuration, how servers are reached and which are trusted; not how addresses are rewritten, for this
# one has been, nor templates, hooks and the like.
TRANSPORT = re.compile(r"(?:http|credential|ssh|protocol|safe)\..+|core\.(?:sshcommand|askpass|gitproxy)")


def check_new_clone(git: Git, target: Target, release: Release, tag: str) -> None:
    """Fetch a release into a repository of its own, and compare it with what was pushed, ``tag`` being its object.

    Raises VerificationFailed where it is another, PushFailed where it cannot be fetched.
    """
    ref = f"refs/tags/{release.tag}"
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        settings = Path(folder) / "gitconfig"
        settings.write_bytes(_transport(git))
        clone = Git(Path(folder) / "clone")
        clone.folder.mkdir()
        clone("init", "-q", "--template=")
        # Each of these once more in the environment would come twice, as two headers of a request.
        alone = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_COUNT": "0", "GIT_CONFIG_PARAMETERS": ""}
        try:
            url = _absolute(target.url, git)
            clone(*FETCH, "-q", "--depth", "1", "--", url, f"{ref}:{ref}", GIT_CONFIG_GLOBAL=str(settings), **alone)
        except GitFailed as error:
            raise PushFailed(target, error.what, error.cure or "check the network and your access") from error
        seen = Release(clone, release.name, release.version)
        if clone("rev-parse", ref) != tag or seen.outputs != release.outputs or seen.metadata != release.metadata:
            raise VerificationFailed(release.tag, "is something else in a new clone", "look at the git remote")


def _transport(git: Git) -> bytes:
    """Return the settings that decide how a server is reached, from wherever they are, as a file for git."""
    lines = []
    for entry in git.output("config", "-z", "--list").decode(errors="surrogateescape").split("\0"):
        name, _, value = entry.partition("\n")
        if TRANSPORT.fullmatch(name):
            section, _, rest = name.partition(".")
            subsection, _, key = rest.rpartition(".")
            head = f"{section} {_quoted(subsection)}" if subsection else section
            said = _quoted(value) if "\n" in entry else "true"  # a name alone is a switch that is on
            lines.append(f"[{head}]\n\t{key} = {said}\n")
    return "".join(lines).encode(errors="surrogateescape")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _absolute(url: str, git: Git) -> str:
    """Return a URL as it is from any folder: a relative path is one from the clone."""
    return str((git.folder / url).resolve()) if "://" not in url and (git.folder / url).exists() else url
