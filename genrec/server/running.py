"""From a folder and a URL to a service that listens, and how it ends."""

from __future__ import annotations

import gc
import ipaddress
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

import uvicorn

from genrec import __version__, runner
from genrec.config import Config
from genrec.engine import DEFAULT_ENCODER
from genrec.errors import DataError
from genrec.learn.loading import find_model
from genrec.learn.shelf import Shelf
from genrec.parts import Status, load_encoder, start_engine
from genrec.prompting import load_pack
from genrec.recommender import DEFAULT_PACK
from genrec.server.adapters import Adapters
from genrec.server.app import create_app
from genrec.server.exporting import begin_exporting
from genrec.server.logs import begin_logging
from genrec.server.service import DEFAULT_TENANT, Service
from genrec.server.settings import Settings
from genrec.store import folder_model_weights, folder_pack, folder_weights, read_folder
from genrec.store.database import Database, Tenant

_WAIT_S = 2.0
"""For the database: a recommendation that it holds up is given from memory, and soon."""
_FIRST_KEY = "first"
_AFTER_DEADLINE_S = 5
_IDLE_S = 75
"""How long a connection stays open on which nothing is asked: longer than proxies keep theirs (60 s is usual), or the
service would close one just when a request comes on it."""


@dataclass(frozen=True)
class Place:
    """Where the data is, where to listen, and where adapters are kept that were trained on the data."""

    data: Path | None
    database: str
    pack: str | None
    host: str
    port: int
    adapters: Path | None = None


def serve(
    place: Place,
    engine: str | None,
    model: str | None,
    settings: Settings,
    deadline_s: float,
    log: TextIO,
    status: Status,
) -> None:
    """Listen until a signal comes. What runs then is finished, within the deadline; a second signal ends it at once.

    Raises:
        DataError, PromptError, ModelError, EngineError, StoreError: with what is wrong and the cure.
    """
    begin_exporting(__version__)
    database = Database.open(place.database, timeout_s=_WAIT_S)
    try:
        _check_keys(database, place)
        _furnish(database, place, status)
        _first_key(database, log)
        encoder = load_encoder(DEFAULT_ENCODER, status)
        shelf = Shelf(place.adapters) if place.adapters else None
        started = runner.run(start_engine(engine, model, status, shelf.rank() if shelf else 0))
        adapters = Adapters(shelf, find_model(started.root, status), started) if shelf else None
    except BaseException:
        database.close()
        raise
    service = Service(
        database,
        started,
        encoder,
        config=Config(deadline_s=deadline_s),
        settings=settings,
        weights=folder_weights(place.data) if place.data else None,
        model_weights=folder_model_weights(place.data) if place.data else None,
        adapters=adapters,
    )
    begin_logging(log)
    run(service, place.host, place.port, status)


def run(service: Service, host: str, port: int, status: Status) -> None:
    """Run the application of a service on this thread, which has to be the main one."""
    config = uvicorn.Config(
        create_app(service, __version__),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=int(service.config.deadline_s) + _AFTER_DEADLINE_S,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ended)
    _Server(config, status).run()


def _ended(_: int, __: FrameType | None) -> None:
    """uvicorn raises the signal that ended it once more when all is closed: then there is nothing left to do."""


class _Server(uvicorn.Server):
    """uvicorn that says where it listens, and ends at once at the second signal, whichever it is."""

    def __init__(self, config: uvicorn.Config, status: Callable[[str], None]) -> None:
        super().__init__(config)
        self._status = status

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is loaded by now stays: the collector would walk through all of it again and again, and all would wait.
        gc.collect()
        gc.freeze()
        for server in self.servers:
            host, port = server.sockets[0].getsockname()[:2]
            self._status(f"listening on http://{host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)


def _check_keys(database: Database, place: Place) -> None:
    if not _is_loopback(place.host) and not _has_key(database):
        raise DataError(
            f"{place.host} can be reached by others and {database.name} holds no key: make one first with "
            "genrec tenant add default and genrec key add NAME, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_key(database: Database) -> bool:
    return any(database.keys(tenant) for tenant in database.tenants())


def _furnish(database: Database, place: Place, status: Status) -> None:
    """The tenant `default`, with the data of the folder where it has none yet."""
    if DEFAULT_TENANT not in database.tenants():
        pack = place.pack or (folder_pack(place.data) if place.data else None) or DEFAULT_PACK
        load_pack(pack)
        people = place.data is not None and read_folder(place.data).people
        database.create_tenant(DEFAULT_TENANT, pack=pack, people=people)
    tenant = database.tenant(DEFAULT_TENANT)
    if place.pack not in {None, tenant.pack}:
        raise DataError(f"tenant {DEFAULT_TENANT!r} has pack {tenant.pack!r}, not {place.pack!r}: leave --pack out")
    if place.data and not tenant.items(limit=1):
        _fill(tenant, place.data, status)


def _fill(tenant: Tenant, folder: Path, status: Status) -> None:
    store = read_folder(folder)
    status(f"reading {folder} into tenant {tenant.name}")
    tenant.fill(store.items, [store.user(user_id) for user_id in store.user_ids], store.events)


def _first_key(database: Database, log: TextIO) -> None:
    """On the first start there is nobody who could make a key over HTTP: it is made here, and said once."""
    if not _has_key(database):
        secret = database.add_key(DEFAULT_TENANT, _FIRST_KEY, ("read", "write", "admin"))
        log.write(f"the first API key, for everything, which is shown this once: {secret}\n")
