"""The service against its own description, by schemathesis. `python -m eval service-contract` is the long version."""

from __future__ import annotations

from pathlib import Path

from eval.service import contract


def test_the_service_keeps_to_its_description(tmp_path: Path) -> None:
    found = contract.check(8, tmp_path, lambda _: None, ["examples", "fuzzing"])
    assert found.failures == {}, found.said
    assert found.cases > 250
    assert found.accepted > found.operations
