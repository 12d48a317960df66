"""The command line of the fetcher."""

import os
from pathlib import Path

import click
from stage.command import Tool
from stage.options import params_file, settings, talk

from fetcher.fetch import JOBS, MAX_BYTES, TIMEOUT, TRIES, Fetched, fetch
from fetcher.resolve import Resolved, resolve
from fetcher.upstream import read_upstream

cli = Tool("fetcher", help="Fetch the raw files that sources.csv names, checking every byte.")


@cli.command("fetch")
@click.argument("sources", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--mirror",
    envvar="FETCH_MIRROR",
    show_envvar=True,
    help="Ask this folder or URL prefix, whose files are named by their SHA-256, first.",
)
@click.option(
    "--allow-unpinned",
    is_flag=True,
    help="Fetch rows without sha256 and bytes too, and write the pins into SOURCES for review.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=JOBS, show_default=True, help="Fetch so many files at once."
)
@click.option(
    "--tries",
    type=click.IntRange(1, 100),
    default=TRIES,
    show_default=True,
    help="Try each URL so many times while the network fails.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT,
    show_default=True,
    help="End a try at one file after so many seconds.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=MAX_BYTES,
    show_default=True,
    help="Refuse a set of files, or one unpinned file, that is larger.",
)
@settings("fetcher", "jobs", "tries", "timeout", "max_bytes")
@talk
def fetch_command(
    sources: Path,
    out: Path,
    mirror: str | None,
    allow_unpinned: bool,
    jobs: int,
    tries: int,
    timeout: float,
    max_bytes: int,
) -> Fetched:
    """Fetch the files that SOURCES names into the folder OUT, all or nothing.

    SOURCES is a CSV file with the header name,url,sha256,bytes. URLs are https, http, s3://bucket/key or file:path,
    the path relative to SOURCES; several rows of one name are tried in order. OUT is replaced in one step once every
    byte is checked, and left alone if anything fails; what has arrived is kept beside it, and the next run resumes.

    Only public addresses are fetched from, also after redirects. FETCH_TRUST=host:port,... names further ones; the
    hosts of FETCH_MIRROR and AWS_ENDPOINT_URL are trusted too.
    """
    return fetch(
        sources,
        out,
        mirror=mirror or None,
        trust=_trust(),
        allow_unpinned=allow_unpinned,
        jobs=jobs,
        tries=tries,
        timeout=timeout,
        max_bytes=max_bytes,
    )


@cli.command("resolve")
@click.argument("sources", type=click.Path(dir_okay=False, path_type=Path))
@params_file("upstream")
@talk
def resolve_command(sources: Path, params: Path) -> Resolved:
    """Write into SOURCES, pinned, what upstream holds now, for review.

    This alone talks to APIs, and it fetches nothing to keep. SOURCES is left as it is where nothing has changed, and
    if anything fails.

    HF_ENDPOINT and GITHUB_API_URL say where other instances of the Hub and of GitHub are, which are then trusted as
    FETCH_TRUST is; HF_TOKEN and GITHUB_TOKEN are sent to these hosts alone.
    """
    return resolve(sources, read_upstream(params), trust=_trust())


def _trust() -> tuple[str, ...]:
    return tuple(entry.strip() for entry in os.environ.get("FETCH_TRUST", "").split(",") if entry.strip())
