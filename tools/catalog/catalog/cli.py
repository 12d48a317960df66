"""The command line of the catalogue, behind ``make catalog`` and ``make catalog-serve``."""

import contextlib
from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.stage.command import Tool
from registry.options import REMOTE

cli = Tool("catalog", help="Build the catalogue, a static web site of all datasets, and serve it on this machine.")


@cli.command()
@click.option(
    "--out",
    envvar="OUT",
    show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Output folder: new, empty or an earlier catalogue.  [default: site/ in the clone]",
)
@REMOTE
def build(out: Path | None, remote: str) -> None:
    """Write the catalogue of all datasets as static pages.

    Releases that cannot be read are left out; the pages and the exit code say so.

    Example: tools/run catalog build --out /tmp/site
    """
    from catalog.site import write_site  # lazy: Arrow and Jinja take half a second

    done = write_site(repository(), remote, out)
    click.echo(f"{done.datasets} datasets, {done.releases} releases, in {done.seconds:.1f} s: {done.index.as_uri()}")
    done.failures.end()


@cli.command()
@click.option("--port", envvar="PORT", show_envvar=True, type=click.IntRange(0, 65535), default=8080, show_default=True)
def serve(port: int) -> None:
    """Serve the catalogue on 127.0.0.1 until Ctrl-C.

    Of site/ and the demo's catalogue it serves the newer one.

    Example: tools/run catalog serve --port 8081
    """
    from catalog.serving import ADDRESS, find_site, serving  # lazy, as above

    folder = find_site(repository())
    with serving(folder, port) as server:
        click.echo(f"http://{ADDRESS}:{server.server_port}/ serves {folder}; stop it with Ctrl-C")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
