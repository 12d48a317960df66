"""The Hugging Face Hub and GitHub as a scripted server: answers of the shapes that their APIs give."""

import hashlib
import json
from collections.abc import Mapping
from urllib.parse import quote

from unit.fetcher.scripted import Reply, Scripted

COMMIT, LATER = "0" * 39 + "1", "0" * 39 + "2"


def answer(document: object, **headers: str) -> Reply:
    headers = {"Content-Type": "application/json; charset=utf-8", **headers}
    return Reply(json.dumps(document).encode(), headers=headers)


def blob(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Hub:
    """One dataset; files of ``lfs`` are kept by Git LFS."""

    def __init__(self, server: Scripted, name: str = "them/flowers") -> None:
        self.server, self.name = server, name

    def publish(
        self,
        files: Mapping[str, bytes],
        lfs: Mapping[str, bytes] | None = None,
        commit: str = COMMIT,
        revision: str = "main",
        page: int = 100,
    ) -> None:
        """Have ``revision`` at a commit with these files, whose listing comes in pages of so many entries."""
        info = {"_id": "6", "id": self.name, "sha": commit, "private": False, "gated": False, "siblings": []}
        self.server.on(f"/api/datasets/{self.name}/revision/{revision}", answer(info))
        entries: list[dict[str, object]] = [{"type": "directory", "oid": "d" * 40, "size": 0, "path": "data"}]
        for path, data in files.items():
            entries.append({"type": "file", "oid": blob(data), "size": len(data), "path": path})
            self.server.on(f"/datasets/{self.name}/resolve/{commit}/{path}", Reply(data))
        for path, data in (lfs or {}).items():
            kept = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
            entries.append({"type": "file", "oid": "a" * 40, "size": len(data), "path": path, "lfs": kept})
        tree = f"/api/datasets/{self.name}/tree/{commit}?recursive=true"
        pages = [entries[start : start + page] for start in range(0, len(entries), page)]
        for number, items in enumerate(pages):
            here = tree + (f"&cursor=c{number}" if number else "")
            following = f'<{self.server.url}{tree}&cursor=c{number + 1}>; rel="next"'
            self.server.on(here, answer(items, **({"Link": following} if number + 1 < len(pages) else {})))


class Github:
    """One organisation; its files come from the host ``raw``."""

    def __init__(self, server: Scripted, raw: Scripted, name: str = "hub-of-clouds") -> None:
        self.server, self.raw, self.name = server, raw, name
        self.repositories: list[dict[str, object]] = []
        self.list()

    def add(
        self,
        name: str,
        readme: bytes | None,
        commit: str = COMMIT,
        branch: str = "main",
        path: str = "README.md",
        **kinds: bool,
    ) -> None:
        """Have a repository, with or without a README."""
        known = {"id": 7, "archived": False, "fork": False, "private": False, **kinds}
        self.repositories = [one for one in self.repositories if one["name"] != name]
        self.repositories.append({"name": name, "full_name": f"{self.name}/{name}", "default_branch": branch, **known})
        self.list()
        repository = f"{self.name}/{name}"
        self.server.on(
            f"/repos/{repository}/commits/{quote(branch, safe='')}",
            answer({"sha": commit, "node_id": "C_", "files": []}),
        )
        if readme is not None:
            download = f"{self.raw.url}/{repository}/{branch}/{path}?token=canary"
            told = {"name": "README.md", "path": path, "sha": blob(readme), "size": len(readme), "type": "file"}
            self.server.on(f"/repos/{repository}/readme?ref={commit}", answer({**told, "download_url": download}))
            self.raw.on(f"/{repository}/{commit}/{path}", Reply(readme))

    def list(self, page: int = 100) -> None:
        """Have the listing come in pages of so many repositories."""
        first = f"/orgs/{self.name}/repos?per_page=100"
        pages = [self.repositories[start : start + page] for start in range(0, len(self.repositories), page)] or [[]]
        for number, items in enumerate(pages, start=1):
            here = first if number == 1 else f"/organizations/7/repos?per_page=100&page={number}"
            links = f'<{self.server.url}{first}>; rel="first"'
            if number < len(pages):
                links = f'<{self.server.url}/organizations/7/repos?per_page=100&page={number + 1}>; rel="next", {links}'
            self.server.on(here, answer(items, Link=links))

    def url(self, name: str, commit: str = COMMIT, path: str = "README.md") -> str:
        """Return the URL that sources.csv must have."""
        return f"{self.raw.url}/{self.name}/{name}/{commit}/{path}"
