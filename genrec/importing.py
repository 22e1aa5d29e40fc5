"""`genrec import`: public data sets become data folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genrec.arguments import AsJson
from genrec.engine import cache_folder
from genrec.store import import_lastfm_hetrec, import_movielens_100k
from genrec.store.lastfm import What as Imported
from genrec.terminal import terminal

imports = typer.Typer(help="Turn a public data set into a data folder.", no_args_is_help=True)


@imports.command("movielens-100k", epilog="Example: genrec import movielens-100k downloads/ml-100k films")
def movielens_100k(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder with ml-100k.item, .user and .inter.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The data folder to write; it must not exist yet.")],
    as_json: AsJson = False,
) -> None:
    """Import MovieLens 100K."""
    _say_imported(out, import_movielens_100k(source, out), as_json=as_json)


@imports.command("lastfm-hetrec", epilog="Example: genrec import lastfm-hetrec downloads/lastfm people --what friends")
def lastfm_hetrec(
    source: Annotated[Path, typer.Argument(metavar="SRC", help="Folder with artists.dat, user_artists.dat and so on.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The data folder to write; it must not exist yet.")],
    what: Annotated[Imported, typer.Option(help="What is recommended: artists, people or tags.")] = "artists",
    as_json: AsJson = False,
) -> None:
    """Import HetRec 2011 Last.fm."""
    _say_imported(out, import_lastfm_hetrec(source, out, what), as_json=as_json)


def _say_imported(out: Path, counts: dict[str, int], *, as_json: bool) -> None:
    with terminal(cache_folder() / "log.txt") as screen:
        if as_json:
            screen.json({"folder": str(out), **counts})
        else:
            screen.line(f"{out}: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items()))
