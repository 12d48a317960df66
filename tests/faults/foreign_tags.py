"""A repository whose only release has a damaged tag."""

import hashlib
import json
import tempfile
import zlib
from functools import cache
from pathlib import Path

from conftest import git
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import Version
from data_registry.store.verify import check_tag
from faults.foreign_documents import LOCK, METADATA, PIPELINE

REF = Path("refs") / "tags" / "x-v1.0.0"


@cache
def repository() -> tuple[Path, bytes]:
    """Return a repository with a commit, and the name of that."""
    root = Path(tempfile.mkdtemp(prefix="foreign-"))
    (root / "data" / "x").mkdir(parents=True)
    for name, document in (("metadata.json", METADATA), ("dvc.lock", LOCK), ("dvc.yaml", PIPELINE)):
        (root / "data" / "x" / name).write_text(json.dumps(document))
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")
    return root, git(root, "rev-parse", "HEAD").strip().encode()


def tag(content: bytes) -> None:
    """Check a release whose tag has this content, as an object that git can read has it."""
    root, commit = repository()
    content = content.replace(b"0" * 40, commit)
    whole = b"tag %d\0%s" % (len(content), content)
    name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    path = root / ".git" / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(whole, 1))
    (root / ".git" / REF).write_text(f"{name}\n")
    try:
        for problem in check_tag(Release(Git(root), "x", Version(1, 0, 0))):
            assert "\n" not in str(problem)
    finally:
        path.unlink()
