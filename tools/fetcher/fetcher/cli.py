"""The command line of the fetcher."""

import os
from pathlib import Path

import click
from stage.command import Tool
from stage.options import params_file, settings

from fetcher.fetch import JOBS, MAX_BYTES, TIMEOUT, TRIES, Fetched, fetch
from fetcher.resolve import Resolved, resolve
from fetcher.upstream import read_upstream

cli = Tool("fetcher", help="Fetch the raw files listed in sources.csv and verify every byte.")


@cli.command("fetch")
@click.argument("sources", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--mirror",
    envvar="FETCH_MIRROR",
    show_envvar=True,
    help="Folder or URL prefix with files named by their SHA-256, tried before the URLs.",
)
@click.option(
    "--allow-unpinned",
    is_flag=True,
    help="Also fetch rows without sha256 and bytes, and write these into SOURCES.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=JOBS, show_default=True, help="Number of parallel downloads."
)
@click.option(
    "--tries",
    type=click.IntRange(1, 100),
    default=TRIES,
    show_default=True,
    help="Attempts per URL if the network fails.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT,
    show_default=True,
    help="Seconds per attempt at one file.",
)
@click.option(
    "--max-bytes",
    type=click.IntRange(min=1),
    default=MAX_BYTES,
    show_default=True,
    help="Maximum size of the set, including an unpinned file.",
)
@settings("fetcher", "jobs", "tries", "timeout", "max_bytes")
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
    """Fetch the files listed in SOURCES into the folder OUT, all or nothing.

    SOURCES is a CSV file with the header name,url,sha256,bytes. A URL is https, http, s3://bucket/key, file:path
    relative to SOURCES, or registry:SHA256, a file in .sources next to SOURCES; several rows with the same name are
    alternative URLs of one file, tried in order. OUT is replaced in one step after every file is verified, and left
    unchanged on any error; the next run resumes partial downloads.

    Only public addresses are allowed, also after redirects, and those of --mirror, AWS_ENDPOINT_URL and
    FETCH_TRUST=host:port,...

    \b
    Example:
      fetcher fetch --params params.yaml sources.csv raw
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
def resolve_command(sources: Path, params: Path) -> Resolved:
    """Pin in SOURCES what upstream has now, for review.

    Upstream is declared in the section upstream of the params file. SOURCES is left unchanged if nothing has changed
    upstream, and on any error.

    HF_ENDPOINT and GITHUB_API_URL are the addresses of other instances of the Hugging Face Hub and of GitHub, which
    are then trusted; HF_TOKEN and GITHUB_TOKEN are sent to these hosts only.

    \b
    Example:
      fetcher resolve --params params.yaml sources.csv
    """
    return resolve(sources, read_upstream(params), trust=_trust())


def _trust() -> tuple[str, ...]:
    return tuple(entry.strip() for entry in os.environ.get("FETCH_TRUST", "").split(",") if entry.strip())
