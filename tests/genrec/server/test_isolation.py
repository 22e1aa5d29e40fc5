"""Tenants over HTTP, by every route that takes an id. `python -m eval service-isolation` is the long version."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.service import isolation, operations


def test_no_route_reaches_what_is_another_tenants(tmp_path: Path) -> None:
    found = isolation.measure(50, tmp_path, lambda _: None)
    assert list(isolation.sound(found)) == []
    assert found.routes >= 29
    assert found.owner_told_apart > 20


def test_a_new_kind_of_id_has_to_be_said() -> None:
    described = {"paths": {"/v1/x/{x_id}": {"get": {"parameters": [{"name": "x_id", "in": "path"}]}}}}
    with pytest.raises(ValueError, match="what does 'x_id' stand for"):
        list(operations.operations(described))
