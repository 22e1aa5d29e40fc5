"""`genrec serve`, and what goes with it: keys, tenants, and users who want to see or lose what is held on them.

What is heavy (FastAPI, SQLAlchemy) is imported when a command runs, so that the others start fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genrec.arguments import AsJson, Engine, Model, PackName
from genrec.engine import cache_folder
from genrec.server.settings import Settings
from genrec.terminal import Terminal, terminal

if TYPE_CHECKING:
    from genrec.store.database import Database, Scope

DEFAULT_URL = "sqlite:///genrec.sqlite"
_DEFAULTS = Settings()

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
tenants = typer.Typer(help="Make and list tenants, each with data of its own.", no_args_is_help=True)
users = typer.Typer(help="Give out or erase what is held on a user.", no_args_is_help=True)


class ScopeName(StrEnum):
    """What a key may do."""

    read = "read"
    write = "write"
    admin = "admin"


Url = Annotated[str, typer.Option("--database", metavar="URL", help="sqlite:///FILE or postgresql://USER@HOST/NAME.")]
OfTenant = Annotated[str, typer.Option("--tenant", help="Whose.")]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="What the key is called, for example its application.")]
UserId = Annotated[str, typer.Argument(metavar="USER", help="The user's id.")]


def serve(
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder to begin with: read where the tenant default is empty.")
    ] = None,
    database: Url = DEFAULT_URL,
    pack: PackName = None,
    engine: Engine = None,
    model: Model = None,
    host: Annotated[str, typer.Option(help="Address to listen on; others than this machine need a key first.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    concurrency: Annotated[int, typer.Option(min=1, help="Recommendations at once.")] = _DEFAULTS.concurrency,
    queue: Annotated[int, typer.Option(min=0, help="Recommendations in line behind them.")] = _DEFAULTS.queue,
    rate: Annotated[int, typer.Option(min=1, help="Requests a minute by one key.")] = _DEFAULTS.rate,
    guards: Annotated[bool, typer.Option("--guards/--no-guards", help="Whether bursts are held back.")] = True,
    deadline: Annotated[float, typer.Option(min=0.1, help="Seconds for one recommendation, waiting included.")] = 60,
    adapters: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Where adapters are kept: rank with the one in production."),
    ] = None,
) -> None:
    """Serve recommendations over HTTP, until a signal ends it."""
    from genrec.server import running

    settings = Settings(concurrency=concurrency, queue=queue, rate=rate, guards=_DEFAULTS.guards if guards else None)
    log = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", buffering=1)
    with log, terminal(cache_folder() / "log.txt") as screen:
        place = running.Place(data, database, pack, host, port, adapters)
        running.serve(place, engine, model, settings, deadline, log, screen.status)


@keys.command("add", epilog="Example: genrec key add web-shop --scope read --scope write")
def add_key(
    name: KeyName,
    scope: Annotated[list[ScopeName] | None, typer.Option(help="May be given several times; else read, write.")] = None,
    tenant: OfTenant = "default",
    database: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a key, and show it: nobody can read it again."""
    with _opened(database) as (found, screen):
        scopes: list[Scope] = [each.value for each in scope or (ScopeName.read, ScopeName.write)]
        secret = found.add_key(tenant, name, scopes)
        if as_json:
            screen.json({"tenant": tenant, "name": name, "scopes": scopes, "key": secret})
        else:
            screen.line(secret)


@keys.command("add-public", epilog="Example: genrec key add-public shop-window --origin https://shop.example")
def add_public_key(
    name: KeyName,
    origin: Annotated[list[str], typer.Option(help="Of the pages that will hold it; may be given several times.")],
    tenant: OfTenant = "default",
    database: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make a key that may stand in a page: it gives lists to pages of its origins, and nothing else."""
    with _opened(database) as (found, screen):
        made = found.add_public_key(tenant, name, origin)
        if as_json:
            screen.json({"tenant": tenant, "name": name, "origins": sorted(set(origin)), **vars(made)})
        else:
            screen.line(f"key, for your pages: {made.key}")
            screen.line(f"signing secret, for your server only: {made.signing_secret}")


@keys.command("list", epilog="Example: genrec key list --json")
def list_keys(tenant: OfTenant = "default", database: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List keys, without their secrets, which nobody keeps."""
    with _opened(database) as (found, screen):
        rows = [
            {
                "name": key.name,
                "scopes": sorted(key.scopes),
                "origins": sorted(key.origins),
                "created_at": key.created_at.isoformat(),
            }
            for key in found.keys(tenant)
        ]
        if as_json:
            screen.json({"tenant": tenant, "keys": rows})
        else:
            joined = {"scopes", "origins"}
            screen.table([{k: ", ".join(v) if k in joined else v for k, v in row.items()} for row in rows])


@keys.command("revoke", epilog="Example: genrec key revoke web-shop")
def revoke_key(
    name: KeyName, tenant: OfTenant = "default", database: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """Take a key away: the next request with it is refused."""
    with _opened(database) as (found, screen):
        found.revoke_key(tenant, name)
        if as_json:
            screen.json({"tenant": tenant, "name": name, "revoked": True})
        else:
            screen.line(f"key {name} of tenant {tenant} is revoked")


@tenants.command("add", epilog="Example: genrec tenant add films --pack movies")
def add_tenant(
    name: Annotated[str, typer.Argument(metavar="NAME", help="1 to 63 of a-z, 0-9 and -.")],
    pack: Annotated[str, typer.Option(help="Name or folder of its prompts.")] = "general",
    people: Annotated[bool, typer.Option("--people", help="Items are people: equal ids are one person.")] = False,
    database: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Make room for a tenant."""
    from genrec.prompting import load_pack

    load_pack(pack)  # a broken one is said now, not by the first request
    with _opened(database) as (found, screen):
        made = found.create_tenant(name, pack=pack, people=people)
        if as_json:
            screen.json({"tenant": made.name, "pack": made.pack, "people": made.people})
        else:
            screen.line(f"tenant {made.name}; now genrec key add NAME --tenant {made.name}")


@tenants.command("list", epilog="Example: genrec tenant list --json")
def list_tenants(database: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List tenants."""
    with _opened(database) as (found, screen):
        made = [found.tenant(name) for name in found.tenants()]
        rows = [
            {"tenant": one.name, "pack": one.pack, "people": one.people, "keys": len(found.keys(one.name))}
            for one in made
        ]
        if as_json:
            screen.json({"tenants": rows})
        else:
            screen.table(rows)


@users.command("erase", epilog="Example: genrec user erase 1001")
def erase_user(
    user: UserId,
    tenant: OfTenant = "default",
    database: Url = DEFAULT_URL,
    adapters: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Where the tenant's are kept: those that saw the user are marked."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Erase all that is held on a user, from the files too; services that run forget it with their next request."""
    from genrec.learn.shelf import Shelf

    with _opened(database) as (found, screen):
        marked = {"adapters": Shelf(adapters).forget(user)} if adapters else {}
        erased: dict[str, Any] = vars(found.tenant(tenant).erase_user(user))
        if as_json:
            screen.json({"tenant": tenant, "user_id": user, "erased": erased, **marked})
        else:
            screen.line(f"erased of user {user}: " + ", ".join(f"{count} {what}" for what, count in erased.items()))
            for saw in marked.values():
                screen.line(f"adapters that saw them, which are marked: {', '.join(saw) or 'none'}")


@users.command("export", epilog="Example: genrec user export 1001 > 1001.json")
def export_user(user: UserId, tenant: OfTenant = "default", database: Url = DEFAULT_URL) -> None:
    """Write everything that is held on a user as one JSON object."""
    with _opened(database) as (found, screen):
        screen.json(found.tenant(tenant).export_user(user))


@contextmanager
def _opened(url: str) -> Iterator[tuple[Database, Terminal]]:
    from genrec.store.database import Database

    with terminal(cache_folder() / "log.txt") as screen:
        database = Database.open(url)
        try:
            yield database, screen
        finally:
            database.close()
