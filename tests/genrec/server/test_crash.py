"""A service that is killed while clients write. `python -m eval service-crash` is the long version."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.service import crash

_KILLS = 3


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def test_what_was_acknowledged_is_there_once_after_a_kill(
    tmp_path: Path, request: pytest.FixtureRequest, database: str
) -> None:
    if database == "sqlite":
        url = f"sqlite:///{tmp_path / 'genrec.sqlite'}"
    else:
        url = crash.new_database(request.getfixturevalue("server"))
    found = crash.kill_repeatedly(url, _KILLS, tmp_path, lambda _: None)
    assert list(crash.sound([found])) == []
    assert found.acknowledged


def test_a_service_that_acknowledges_before_it_writes_is_seen_to(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'genrec.sqlite'}"
    found = crash.kill_repeatedly(url, _KILLS, tmp_path, lambda _: None, hasty=True)
    assert list(crash.sound([found])) == []
    assert found.lost
