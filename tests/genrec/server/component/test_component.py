"""What people see of `<genrec-list>`, in each of its states."""

from __future__ import annotations

from genrec.errors import EngineError
from genrec.testing import ScriptedEngine
from tests.genrec.server.component.conftest import Show, serving
from tests.genrec.server.conftest import House, Open


def test_a_page_of_another_origin_shows_a_list_with_reasons(house: House, show: Show) -> None:
    with serving(house) as port:
        shown = show(house, port, 'n="3"')
        assert shown.state("ready", "error") == "ready", shown.heard
        expected = house.list("ann")
        assert shown.texts("title") == [item["title"] for item in expected["items"]]
        assert shown.texts("reason") == [item["reason"]["text"] for item in expected["items"]]
        assert shown.page.get_by_role("status").text_content() == "3 recommendations"
        assert shown.page.evaluate("window.violations") == []


def test_a_model_that_is_away_is_said(open_house: Open, show: Show) -> None:
    house = open_house(ScriptedEngine(error=EngineError("down")))
    with serving(house) as port:
        shown = show(house, port, 'n="3"')
        assert shown.state("ready", "degraded", "error") == "degraded", shown.heard
        assert "the language model did not answer" in str(shown.page.get_by_role("status").text_content())
        assert len(shown.texts("title")) == 3
        assert all(shown.texts("reason"))
