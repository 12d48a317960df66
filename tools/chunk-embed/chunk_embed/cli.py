"""The command line of chunk-embed."""

import sys
from pathlib import Path

import click
from stage.command import Tool
from stage.errors import UsageError
from stage.foreign import read_json
from stage.options import params_file, talk

from chunk_embed.embedding import EmbedResult, embed_documents
from chunk_embed.querying import QueryResult, embed_queries
from chunk_embed.settings import SECTION, EmbedSettings

cli = Tool("chunk-embed", help="Embed documents in chunks that the model takes whole.")

writable = click.Path(dir_okay=False, path_type=Path)
folder = click.Path(file_okay=False, path_type=Path)
cache = click.option(
    "--cache", type=folder, default=".cache", show_default=True, help="The folder that keeps chunks and vectors."
)
no_cache = click.option("--no-cache", is_flag=True, help="Neither read nor keep any.")


@cli.command()
@click.argument("raw", type=folder)
@click.argument("embeddings", type=writable)
@click.argument("samples", type=writable)
@click.option("--release", type=writable, required=True, help="The file that says which release RAW is of.")
@cache
@no_cache
@params_file(SECTION)
@talk
def embed(
    raw: Path, embeddings: Path, samples: Path, release: Path, cache: Path, no_cache: bool, params: Path
) -> EmbedResult:
    """Write EMBEDDINGS, the embedded chunks of the documents in RAW, and their manifest SAMPLES.

    Each chunk is as long as the model takes without cutting it, at most. Chunks that are in the cache are not embedded
    again.
    """
    return embed_documents(raw, release, embeddings, samples, EmbedSettings.read(params), None if no_cache else cache)


@cli.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@cache
@no_cache
@params_file(SECTION)
@talk
def query(texts: tuple[str, ...], cache: Path, no_cache: bool, params: Path) -> QueryResult:
    """Print the vectors of questions: each TEXT, or each string of a JSON array on stdin.

    The cache is only for a model that does not come with the tool.
    """
    given = list(texts) or _questions(sys.stdin.read())
    return embed_queries(given, EmbedSettings.read(params), None if no_cache else cache)


def _questions(text: str) -> list[str]:
    """Read a JSON array of strings. Raises UsageError."""
    fix = "give a JSON array of strings, or TEXT"
    found: list[str] = read_json(text, "stdin", [str], UsageError, fix)
    if not found:
        raise UsageError("stdin", "not an array of strings", fix)
    return found
