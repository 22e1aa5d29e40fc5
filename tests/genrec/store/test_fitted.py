"""What `genrec fit --ranking` leaves beside the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec import DataError, Recommender
from genrec.store import folder_model_weights, save_model_weight, write_folder
from genrec.testing import FakeEncoder, ScriptedEngine, tiny_store


def test_each_model_has_its_own_weight(tmp_path: Path) -> None:
    assert folder_model_weights(tmp_path) == {}
    save_model_weight(tmp_path, "a", 0.25)
    save_model_weight(tmp_path, "b", 0.5)
    save_model_weight(tmp_path, "a", 0.0)
    assert folder_model_weights(tmp_path) == {"a": 0.0, "b": 0.5}


@pytest.mark.parametrize("text", ['{"a": 2}', '{"a": "much"}', "[]", "{"])
def test_a_bad_file_is_named_with_the_cure(tmp_path: Path, text: str) -> None:
    (tmp_path / "model_weights.json").write_text(text)
    with pytest.raises(DataError, match=r"model_weights\.json.*genrec fit"):
        folder_model_weights(tmp_path)


def test_the_fitted_weight_is_used_without_a_warning(tmp_path: Path, own_cache: Path) -> None:
    store = tiny_store()
    write_folder(tmp_path / "tea", {"items": store.items, "users": [store.user("ann")]})
    plain = Recommender.from_folder(tmp_path / "tea", engine=ScriptedEngine(), encoder=FakeEncoder())
    assert plain.recommend("ann", 1).warnings == (
        "model weight 0.5 was not fitted to scripted: run genrec fit --ranking",
    )
    save_model_weight(tmp_path / "tea", "scripted", 0.3)
    fitted = Recommender.from_folder(tmp_path / "tea", engine=ScriptedEngine(), encoder=FakeEncoder())
    answer = fitted.recommend("ann", 1)
    assert (answer.warnings, answer.trace.model_weight) == ((), 0.3)
