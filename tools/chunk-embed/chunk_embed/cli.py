"""The command line of chunk-embed."""

import sys
from pathlib import Path

import click
from stage.command import Tool
from stage.errors import UsageError
from stage.foreign import read_json
from stage.options import params_file

from chunk_embed.embedding import EmbedResult, embed_documents
from chunk_embed.querying import QueryResult, embed_queries
from chunk_embed.settings import SECTION, EmbedSettings

cli = Tool("chunk-embed", help="Split documents into chunks and embed them.")

writable = click.Path(dir_okay=False, path_type=Path)
folder = click.Path(file_okay=False, path_type=Path)
cache = click.option("--cache", type=folder, default=".cache", show_default=True, help="Cache of chunks and vectors.")
no_cache = click.option("--no-cache", is_flag=True, help="Use no cache.")


@cli.command()
@click.argument("raw", type=folder)
@click.argument("embeddings", type=writable)
@click.argument("samples", type=writable)
@click.option("--release", type=writable, required=True, help="release.json of the release that RAW is from.")
@cache
@no_cache
@params_file(SECTION)
def embed(
    raw: Path, embeddings: Path, samples: Path, release: Path, cache: Path, no_cache: bool, params: Path
) -> EmbedResult:
    """Embed the documents in RAW, and write EMBEDDINGS and its manifest SAMPLES.

    Documents are split into chunks that the model does not truncate. Chunks in the cache are not embedded again.

    \b
    Example:
      chunk-embed embed --params params.yaml --release readmes/release.json \\
        readmes/raw embeddings.parquet samples.parquet
    """
    return embed_documents(raw, release, embeddings, samples, EmbedSettings.read(params), None if no_cache else cache)


@cli.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@cache
@no_cache
@params_file(SECTION)
def query(texts: tuple[str, ...], cache: Path, no_cache: bool, params: Path) -> QueryResult:
    """Embed queries, each TEXT or each string of a JSON array on stdin, and print their vectors.

    The cache is only used for the files of a model that is not installed with the tool.

    \b
    Example:
      chunk-embed query --params params.yaml "how do I deploy with Argo"
    """
    queries = list(texts) or _read_queries(sys.stdin.read())
    return embed_queries(queries, EmbedSettings.read(params), None if no_cache else cache)


def _read_queries(text: str) -> list[str]:
    """Read a JSON array of strings. Raises UsageError."""
    fix = "give a JSON array of strings, or TEXT"
    queries: list[str] = read_json(text, "stdin", [str], UsageError, fix)
    if not queries:
        raise UsageError("stdin", "no queries", fix)
    return queries
