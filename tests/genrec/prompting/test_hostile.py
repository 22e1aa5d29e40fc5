"""Templates and texts that mean harm: each is stopped or does no harm, and each guard is needed for that."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from time import thread_time
from typing import Any

import pytest
import yaml

from genrec.prompting import item_data, load_pack, syntax
from retrieval import Item
from tests.genrec.prompting import hostile

_ROOT = Path(__file__).resolve().parents[3]
_MB = 256
_SECONDS = 1


def _try(*guard: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.genrec.prompting.hostile", *guard]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_hostile_templates_are_stopped_or_harmless_soon_and_cheaply() -> None:
    found = _try()
    assert len(found) >= 200
    assert [row for row in found if row["outcome"] not in {"refused", "rendered"}] == []
    assert [row for row in found if row["seconds"] > _SECONDS] == []
    assert found[-1]["memory"] - found[0]["memory"] < _MB


_MARKUP = re.compile(
    r"<\||\|>|<[/|]?\w+>|\[/?(INST|SYS|THINK|TOOL_\w+|BOS|EOS|gMASK)\]|<<SYS>>|\[\|\w+\|\]|#{2,}", re.IGNORECASE
)
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _problem(text: str, limit: int) -> str | None:
    """What would let a text of somebody act as something else than a text, on one line of a prompt."""
    if len(text) > limit or "\n" in text:
        return "too long, or several lines"
    if found := _MARKUP.search(text):
        return f"markup {found.group()!r}"
    hidden = next((char for char in text if unicodedata.category(char) in _HIDDEN), None)
    return f"hidden {hidden!r}" if hidden else None


def _seen(text: str) -> dict[str, tuple[str, int]]:
    """How a text comes out wherever it may stand, and how long it may be there."""
    item = Item.model_construct(
        item_id="i", title=text, description=text, categories=(text,), price=None, attributes={text: text}
    )
    data = item_data(item)
    [(name, value)] = data["attributes"].items()
    return {
        "title": (data["title"], 120),
        "description": (data["description"], 300),
        "category": (data["categories"][0], 60),
        "name": (name, 60),
        "attribute": (value, 300),
    }


def test_hostile_texts_come_out_as_one_plain_line_soon() -> None:
    entries = yaml.safe_load(hostile.TEXTS.read_text(encoding="utf-8"))
    assert len(entries) >= 200
    for entry in entries:
        text = hostile.written(entry, "text")
        started = thread_time()
        found = {place: _problem(*seen) for place, seen in _seen(text).items()}
        assert thread_time() - started < _SECONDS, entry["attack"]
        assert found == dict.fromkeys(found), entry["attack"]


def test_without_cleaning_most_of_them_would_get_through() -> None:
    texts = [hostile.written(entry, "text") for entry in yaml.safe_load(hostile.TEXTS.read_text(encoding="utf-8"))]
    assert sum(_problem(text, 300) is not None for text in texts) > len(texts) / 2


def test_partials_that_include_each_other_many_times_are_read_once(tmp_path: Path) -> None:
    """Lint reads what a template includes: along every way there are 2 to the 25th of them here."""
    partials = {f"_p{n}.j2": f'{{% include "_p{n + 1}.j2" %}}' * 2 for n in range(25)} | {"_p25.j2": "{{ n }}"}
    pack = load_pack(hostile.build({"template": '{% include "_p0.j2" %}', "partials": partials}, tmp_path / "pack"))
    assert syntax.variables(pack, "rank.j2", "en") == {"n"}
    assert list(syntax.fields(syntax.trees(pack, "rank.j2", "en"))) == []


@pytest.mark.parametrize("guard", hostile.GUARDS)
def test_without_a_guard_something_gets_through(guard: str) -> None:
    found = _try(guard)[-1]
    assert found["outcome"] not in {"refused", "rendered"}
