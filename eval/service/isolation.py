"""One tenant asks for what is another's: by every id, in every place of every route that takes one.

The routes are read from the service's own description, so a new one is among them. Each request is sent with an id
that exists in the other tenant and with one that exists nowhere: both have to be answered alike, nothing of the other
tenant may stand in any answer, and what the other tenant has may not change. As a control the owner sends the same
requests: that the answers differ then shows that the requests would get through.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel

from eval.method import Status
from eval.service.house import Plan, bearer, furnish, opened
from eval.service.operations import Operation, Place, operations
from genrec.testing import tiny_store

MARK = "aurora"
"""Stands in every text of the owner's, and in no id."""
_EACH = 30
_RULES = "_system.j2"
_CHANGING = {"id", "event_id", "trace_id", "timings_ms", "seed", "created_at", "time", "usage", "model_calls"}
"""Fields that differ between two answers to one request: what is new, and what a sentence cost that is kept now."""


class Isolation(BaseModel):
    """`told_apart`: requests whose answer depends on what the other tenant has; `leaked`: in whose answer it stands."""

    routes: int
    places: int
    requests: int
    reads: int
    writes: int
    told_apart: int
    leaked: int
    owner_changed: bool
    owner_told_apart: int


@dataclass(frozen=True)
class _Try:
    """A request with something in one place that takes an id."""

    operation: Operation
    place: Place
    foreign: str
    nowhere: str


def measure(requests: int, folder: Path, status: Status) -> Isolation:
    """Send about so many requests with ids of the other tenant, and as many with ids of nobody."""
    plan = Plan(f"sqlite:///{folder / 'genrec.sqlite'}")
    keys = furnish(plan.database, tiny_store(), ["owner", "other"])
    with (
        opened(plan, folder) as house,
        httpx.Client(base_url=house.address, headers=bearer(keys["owner"]), timeout=60) as owner,
        httpx.Client(base_url=house.address, headers=bearer(keys["other"]), timeout=60) as other,
    ):
        places = list(operations(owner.get("/openapi.json").json()))
        foreign, own = _fill(owner), _own(other)
        tries = _tries(places, foreign, requests)
        before = _everything(owner, foreign)
        apart, leaked = 0, 0
        for number, one in enumerate(tries):
            status(f"asking for what is another's: {number + 1} of {len(tries)}")
            differs, leaks = _ask(other, one, own)
            apart, leaked = apart + differs, leaked + leaks
        changed = _everything(owner, foreign) != before
        control = sum(_ask(owner, one, own | {"user_id": "ann"})[0] for one in tries)
    return Isolation(
        routes=len({(each.method, each.path) for each, _ in places}),
        places=len(places),
        requests=len(tries),
        reads=sum(one.operation.reads for one in tries),
        writes=sum(not one.operation.reads for one in tries),
        told_apart=apart,
        leaked=leaked,
        owner_changed=changed,
        owner_told_apart=control,
    )


def _fill(owner: httpx.Client) -> dict[str, list[str]]:
    """Things of every kind that has ids, each with the mark: their ids by the name of the field that takes them."""
    names = [uuid.uuid4().hex for _ in range(_EACH)]
    found: dict[str, list[str]] = {"item_id": names, "user_id": names, "event_id": names, "recommendation_id": []}
    for name in names:
        item = {"title": f"{MARK} {name[:4]}", "description": MARK, "attributes": {"colour": MARK}}
        _done(owner.put(f"/v1/items/{name}", json=item))
        _done(owner.put(f"/v1/users/{name}", json={"attributes": {"city": MARK}}))
        event = {"user_id": name, "item_id": name, "type": MARK, "event_id": name, "context": {"place": MARK}}
        _done(owner.post("/v1/events", json=event))
        given = _done(owner.post("/v1/recommend", json={"user_id": name, "n": 2})).json()
        found["recommendation_id"].append(given["id"])
        verdict = {"recommendation_id": given["id"], "item_id": given["items"][0]["item_id"], "verdict": "helpful"}
        _done(owner.post("/v1/feedback", json=verdict))
    found["version"] = [_kept(owner, number) for number in range(3)]
    return found


def _kept(owner: httpx.Client, number: int) -> str:
    files = {_RULES: f"You are {MARK} {number}."}
    version: str = _done(owner.post("/v1/prompts/general/versions", json={"files": files})).json()["version"]
    return version


def _own(other: httpx.Client) -> dict[str, str]:
    """What the tenant that asks has itself, by the name of the field that takes it."""
    given = _done(other.post("/v1/recommend", json={"user_id": "ann", "n": 2})).json()
    return {
        "user_id": "ann",
        "item_id": given["items"][0]["item_id"],
        "recommendation_id": given["id"],
        "name": "general",
        "label": "candidate",
    }


def _tries(
    places: Sequence[tuple[Operation, Place]], foreign: Mapping[str, Sequence[str]], requests: int
) -> list[_Try]:
    """Every place as often as every other. What makes records comes last: then an id is the asking tenant's own too."""
    order = sorted(places, key=lambda each: 0 if each[0].reads else 1 if each[0].method in {"PATCH", "DELETE"} else 2)
    turns = {kind: itertools.cycle(ids) for kind, ids in foreign.items()}
    each = -(-requests // len(places))
    return [
        _Try(operation, place, foreign_id, _beside(foreign_id))
        for operation, place in order
        for foreign_id in itertools.islice(turns[place.kind], each)
    ]


def _beside(name: str) -> str:
    """An id that nobody has, beside one in every order."""
    return name[:-1] + ("1" if name[-1] == "0" else "0")


def _ask(client: httpx.Client, one: _Try, own: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether the answer tells an id that is there from one that is not, and whether it shows what is another's."""
    found = client.request(**one.operation.request(one.place, one.foreign, own))
    control = client.request(**one.operation.request(one.place, one.nowhere, own))
    apart = _plain(found, one.foreign) != _plain(control, one.nowhere)
    return apart, MARK in found.text or MARK in str(found.headers)


def _plain(answer: httpx.Response, sent: str) -> object:
    """An answer without what is new in each, and without the id that was sent."""
    is_json = answer.content and answer.headers.get("content-type", "").startswith("application/json")
    return answer.status_code, _same(answer.json() if is_json else answer.text, sent)


def _same(part: Any, sent: str) -> Any:
    match part:
        case dict():
            return {name: _same(value, sent) for name, value in part.items() if name not in _CHANGING}
        case list():
            return [_same(value, sent) for value in part]
        case str():
            return part.replace(sent, "ID")
    return part


def _everything(owner: httpx.Client, foreign: Mapping[str, Sequence[str]]) -> list[object]:
    """All that the owner has, as the owner reads it."""
    paths = ["/v1/items?limit=1000", "/v1/users?limit=1000", "/v1/prompts/general/versions"]
    paths += [f"/v1/users/{user_id}/export" for user_id in foreign["user_id"]]
    paths += [f"/v1/recommendations/{name}" for name in foreign["recommendation_id"]]
    paths += [f"/v1/prompts/general?at={version}" for version in foreign["version"]]
    return [_done(owner.get(path)).json() for path in paths]


def _done(answer: httpx.Response) -> httpx.Response:
    return answer.raise_for_status()


def sound(found: Isolation) -> Iterator[str]:
    """What is wrong; nothing where all is well."""
    if found.told_apart or found.leaked or found.owner_changed:
        yield "one tenant reaches what is another's"
    if not found.owner_told_apart:
        yield "the control saw nothing: the requests would not get through to their owner either"
