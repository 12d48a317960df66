"""The commands of the catalogue."""

import contextlib
from pathlib import Path

import click
from data_registry.clone import repository
from data_registry.stage.options import talk
from registry.options import REMOTE


@click.command()
@click.option(
    "--out",
    envvar="OUT",
    show_envvar=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Write it to this folder, which is new, empty or a catalogue, instead of site/.",
)
@REMOTE
@talk
def catalog(out: Path | None, remote: str) -> None:
    """Write the catalogue of all datasets, a web site that needs no server, to site/.

    A release that cannot be read is left out; it is written without, and the exit code says so.
    """
    from catalog.site import write_site

    done = write_site(repository(), remote, out)
    click.echo(f"{done.datasets} datasets, {done.releases} releases, in {done.seconds:.1f} s: {done.index.as_uri()}")
    done.failures.end()


@click.command("catalog-serve")
@click.option("--port", envvar="PORT", show_envvar=True, type=click.IntRange(0, 65535), default=8080, show_default=True)
@talk
def catalog_serve(port: int) -> None:
    """Serve the catalogue or the demo's, whichever is newer, to browsers on this machine, until Ctrl-C."""
    from catalog.serving import ADDRESS, find_site, serving

    folder = find_site(repository())
    with serving(folder, port) as server:
        click.echo(f"http://{ADDRESS}:{server.server_port}/ shows {folder}; Ctrl-C ends it")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
