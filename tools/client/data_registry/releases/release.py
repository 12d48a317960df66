"""A release as git has it: the tag, and what dvc.lock and metadata.json say at it."""

import dataclasses
import functools
import hashlib
from pathlib import PurePosixPath
from typing import Any

from data_registry.documents import Locked, read_lock, read_metadata, read_stages
from data_registry.git import Git
from data_registry.releases.versions import Version, tag_of
from data_registry.stage.errors import VerificationFailed

# What git has of a release beside its metadata, for people and for readers of ML Croissant.
README = "README.md"
CROISSANT = "croissant.json"

FIX = "release it again under another version"


@dataclasses.dataclass(frozen=True)
class Output:
    """What a stage made: a file, or a folder whose object is the list of its files.

    ``path`` starts at the dataset's folder. The data of an output that is in git is not in the store.
    """

    path: str
    md5: str
    size: int
    in_git: bool
    files: int = 0  # in a folder, where dvc.lock says how many

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")


@dataclasses.dataclass(frozen=True)
class Release:
    """A version of a dataset."""

    git: Git
    name: str
    version: Version
    commit: str = ""  # what it is read at while there is no tag yet
    source: str = ""  # the address of the repository that it was fetched from, where that is another one

    @property
    def tag(self) -> str:
        return tag_of(self.name, self.version)

    @property
    def folder(self) -> str:
        """The dataset's folder in the repository."""
        return f"data/{self.name}"

    @property
    def _revision(self) -> str:
        return self.commit or f"refs/tags/{self.tag}"

    def find(self, path: str) -> bytes | None:
        """Return a file of the dataset's folder that git has, or None where it has none."""
        return self.git.show(self._revision, f"{self.folder}/{path}")

    def read(self, path: str) -> bytes:
        """Return a file of the dataset's folder that git has. Raises VerificationFailed where it has none."""
        content = self.find(path)
        if content is None:
            raise VerificationFailed(self.tag, f"{self.folder}/{path} not found", FIX)
        return content

    @functools.cached_property
    def metadata(self) -> dict[str, Any]:
        """What stats found. Raises VerificationFailed for an invalid metadata.json."""
        return read_metadata(self.read("metadata.json"), f"{self.tag} metadata.json", VerificationFailed, FIX)

    @property
    def stages(self) -> list[str]:
        """The names of the stages in dvc.yaml. Raises VerificationFailed for an invalid one."""
        return read_stages(self.read("dvc.yaml"), f"{self.tag} dvc.yaml", VerificationFailed, FIX)

    @functools.cached_property
    def locked(self) -> dict[str, list[Locked]]:
        """What each stage made, by dvc.lock. Raises VerificationFailed for an invalid one."""
        return read_lock(self.read("dvc.lock"), f"{self.tag} dvc.lock", VerificationFailed, FIX)

    @functools.cached_property
    def outputs(self) -> list[Output]:
        """What the stages made, by dvc.lock.

        Raises VerificationFailed for an invalid dvc.lock, and where git has other bytes than it says.
        """
        in_git = {
            str(PurePosixPath(name).relative_to(self.folder)) for name in self.git.files(self._revision, self.folder)
        }
        outputs = [
            Output(out.path, out.md5, out.size, out.path in in_git, out.files)
            for locked in self.locked.values()
            for out in locked
        ]
        for output in outputs:
            if output.in_git and hashlib.md5(self.read(output.path), usedforsecurity=False).hexdigest() != output.md5:
                raise VerificationFailed(f"{self.tag} {output.path}", "does not match dvc.lock", "release it again")
        return outputs

    def sha256(self, path: str) -> str:
        """Return the SHA-256 of a file by metadata.json, whose own the tag has; empty for a file that is not in it."""
        return self._sha256.get(path, "")

    @functools.cached_property
    def _sha256(self) -> dict[str, str]:
        """The SHA-256 of files by path: raw ones by the pins of their sources, processed ones by what stats found."""
        sources = self.metadata.get("provenance", {}).get("sources", [])
        files = self.metadata.get("files", {})
        return {f"raw/{source['name']}": source["sha256"] for source in sources} | {
            path: file["sha256"] for path, file in files.items()
        }

    @property
    def logical_hash(self) -> str:
        """What the data is, whatever wrote its files."""
        return str(self.metadata["logical_hash"])
