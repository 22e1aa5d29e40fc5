"""Reasons to learn from and to judge by: prompts and check are those that serve, and nobody's who is held back."""

from __future__ import annotations

from pathlib import Path

import pytest

from genrec import Config, Event, Item, Recommendation, Recommender, Store, User
from genrec.learn.sentences import Occasion, kept_sentences, occasion_of
from genrec.learn.source import from_database
from genrec.learn.told import causes, tell
from genrec.prompting import load_pack
from genrec.scene import Ask
from genrec.store.database import Database, Feedback, Verdict
from genrec.testing import FakeEncoder, ScriptedEngine
from tests.genrec.learn.training import PACK, examples

_GOOD, _BAD, _NOTHING = " of the same kind.", " from Mars.", "."


def _store() -> Store:
    items = [Item(item_id=f"i{n}", title=f"Thing {n}", categories=(f"kind {n % 3}",)) for n in range(12)]
    users = [User(user_id=name) for name in ("ann", "bob")]
    return Store(
        items, users, [Event(user_id=user.user_id, item_id=f"i{n}", type="cart") for n, user in enumerate(users)]
    )


def _served(text: str, user: str = "ann") -> tuple[Recommender, ScriptedEngine, Recommendation]:
    engine = ScriptedEngine(text=text)
    recommender = Recommender.from_store(
        _store(), pack=PACK, engine=engine, encoder=FakeEncoder(), config=Config(candidates=5, model_weight=0)
    )
    return recommender, engine, recommender.recommend(user, 1)


def _occasion(recommender: Recommender) -> Occasion:
    scene = recommender.setup.scene(Ask("ann", 1))
    return occasion_of(scene, recommender.retriever.retrieve(scene.query, 5), PACK, 10, None)


@pytest.mark.parametrize(("text", "outcome"), [(_GOOD, "passed"), (_BAD, "rejected"), (_NOTHING, "ended")])
def test_prompt_and_check_are_those_that_serve(text: str, outcome: str, own_cache: Path) -> None:
    recommender, engine, answer = _served(text)
    (shown,) = answer.items
    occasion = _occasion(recommender)
    assert engine.prompts[-1] == occasion.messages
    assert shown.reason is not None
    assert occasion.check(text) == (outcome, shown.reason.text)
    assert (shown.reason.source == "llm") == (outcome == "passed")
    assert bool(answer.trace.rejected_reasons) == (outcome == "rejected")


def test_only_what_passes_is_learned_from(own_cache: Path) -> None:
    occasion = _occasion(_served(_GOOD)[0])
    assert occasion.sentence(_BAD) is None
    assert occasion.sentence(_NOTHING) is None
    told = occasion.sentence(f"{_GOOD} And more.")
    assert told is not None
    assert (told.messages, told.rest) == (occasion.messages, _GOOD)


@pytest.mark.parametrize(
    ("verdict", "learned"), [("helpful", ["ann", "bob"]), ("wrong", ["bob"]), ("unhelpful", ["bob"])]
)
def test_a_service_gives_the_reasons_that_its_users_liked(
    verdict: Verdict, learned: list[str], sqlite_url: str, own_cache: Path
) -> None:
    """From the answer through the database to the prompt, which is again the one that was asked."""
    database, store = Database.open(sqlite_url), _store()
    tenant = database.create_tenant("acme", pack="general")
    tenant.fill(store.items, [store.user(user_id) for user_id in store.user_ids], store.events)
    asked = {}
    for user in ("ann", "bob"):
        _, engine, answer = _served(_GOOD, user)
        asked[user] = engine.prompts[-1]
        tenant.save_recommendation(answer, {"language": None})
    _, _, refused = _served(_BAD)
    tenant.save_recommendation(refused, {})
    first = tenant.recent(3).lists[0].recommendation
    tenant.add_feedback(Feedback(first.id, first.items[0].item_id, verdict))
    database.close()

    source = from_database(sqlite_url, "acme")
    told = kept_sentences(source.shown, source.store, PACK, "en", lambda _: False)
    assert sorted(sentence.user_id for sentence in told) == learned
    assert all(sentence.messages == asked[sentence.user_id] and sentence.rest == _GOOD for sentence in told)
    assert kept_sentences(source.shown, source.store, PACK, "en", lambda user: user == "bob") == [
        sentence for sentence in told if sentence.user_id == "ann"
    ]
    assert kept_sentences(source.shown, source.store, load_pack("shop"), "en", lambda _: False) == []
    assert kept_sentences(source.shown, source.store, PACK, "zh", lambda _: False) == []


def test_reasons_of_people_who_are_held_back_are_for_the_gate_alone(own_cache: Path) -> None:
    found = examples()
    assert {asked.user_id for asked in found.occasions} <= set(found.users)
    assert {asked.user_id for asked in found.held_back}.isdisjoint(found.users)
    assert len(found.held_back) > 5


def _told(current: str, candidate: str) -> list[str]:
    asked = examples().held_back
    good = [_GOOD] * (len(asked) - 3)
    return list(causes(tell(asked, [*[current] * 3, *good], [*[candidate] * 3, *good])))


@pytest.mark.parametrize(
    ("current", "candidate", "said"),
    [
        (_GOOD, _GOOD, []),
        (_BAD, _GOOD, []),
        (_BAD, _NOTHING, []),
        (_GOOD, _BAD, ["it raises the rate of rejected reasons", "it writes fewer reasons that pass the check"]),
        (_GOOD, _NOTHING, ["it writes fewer reasons that pass the check"]),
    ],
)
def test_an_adapter_whose_reasons_get_worse_is_refused(
    current: str, candidate: str, said: list[str], own_cache: Path
) -> None:
    assert [cause.split(":")[0] for cause in _told(current, candidate)] == said


def test_reasons_that_nobody_could_judge_are_refused() -> None:
    assert list(causes(tell([], [], [])))
