"""Clients that write whatever a service takes, one request after the other, and note what it acknowledged."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from eval.service.ledger import GONE, Key, Ledger

PACK = "general"
LABEL = "candidate"
_BATCH = 5
_ITEM = "green-tea"
_VERDICTS = ("helpful", "unhelpful", "wrong")


class Writer:
    """One client with things of its own, all of which begin with `name`; one of them moves the label too."""

    def __init__(self, client: httpx.Client, name: str, chance: random.Random, versions: Sequence[str]) -> None:
        self.ledger = Ledger()
        self.refused = 0
        self._client, self.name, self._chance, self._versions = client, name, chance, versions
        self._number = 0
        self._shown: tuple[str, str] | None = None
        """A list and an item of it, to judge."""

    def write_until_it_dies(self) -> None:
        """Send writes until nobody answers."""
        kinds: dict[Callable[[], None], int] = {
            self._event: 40,
            self._events: 20,
            self._item: 10,
            self._user: 10,
            self._feedback: 8,
            self._forget_event: 6,
            self._remove_item: 3,
            self._erase_user: 1,
            self._label: 2 if self._versions else 0,
        }
        try:
            self._user()
            self._list()
            while True:
                [write] = self._chance.choices(list(kinds), list(kinds.values()))
                write()
        except httpx.TransportError:
            return

    def _event(self) -> None:
        event = self._next_event()
        self._send("POST", "/v1/events", {("event", self.name, event["event_id"]): "there"}, json=event)

    def _events(self) -> None:
        events = [self._next_event() for _ in range(_BATCH)]
        values: dict[Key, str] = {("event", self.name, event["event_id"]): "there" for event in events}
        self._send("POST", "/v1/events", values, json={"events": events})

    def _item(self) -> None:
        name, title = f"{self.name}-{self._chance.randrange(3)}", self._fresh()
        self._send("PUT", f"/v1/items/{name}", {("item", name): title}, json={"title": title})

    def _user(self) -> None:
        value = self._fresh()
        self._send("PUT", f"/v1/users/{self.name}", {("user", self.name): value}, json={"attributes": {"v": value}})

    def _list(self) -> None:
        answer = self._client.post("/v1/recommend", json={"user_id": self.name, "n": 1})
        if answer.is_success and not answer.json()["warnings"]:
            given = answer.json()
            self._shown = given["id"], given["items"][0]["item_id"]

    def _feedback(self) -> None:
        if self._shown:
            verdict = self._chance.choice(_VERDICTS)
            body = {"recommendation_id": self._shown[0], "item_id": self._shown[1], "verdict": verdict}
            self._send("POST", "/v1/feedback", {("feedback", self.name, *self._shown): verdict}, json=body)

    def _forget_event(self) -> None:
        there = [key for key, value in self.ledger.acknowledged.items() if key[0] == "event" and value != GONE]
        if there:
            key = self._chance.choice(there)
            self._send("DELETE", f"/v1/events/{key[2]}", {key: GONE})

    def _remove_item(self) -> None:
        there = [key for key, value in self.ledger.acknowledged.items() if key[0] == "item" and value != GONE]
        if there:
            key = self._chance.choice(there)
            self._send("DELETE", f"/v1/items/{key[1]}", {key: GONE})

    def _erase_user(self) -> None:
        name = f"{self.name}-{self._fresh()}"
        self._send("PUT", f"/v1/users/{name}", {("user", name): "1"}, json={"attributes": {"v": "1"}})
        self._send("DELETE", f"/v1/users/{name}", {("user", name): GONE})

    def _label(self) -> None:
        path = f"/v1/prompts/{PACK}/labels/{LABEL}"
        tag, version = self._client.get(path).headers["etag"], self._chance.choice(self._versions)
        headers = {"If-Match": tag}
        self._send("PUT", path, {("label", LABEL): version}, json={"version": version}, headers=headers)

    def _next_event(self) -> dict[str, Any]:
        return {"user_id": self.name, "item_id": _ITEM, "type": "view", "event_id": f"{self.name}-{self._fresh()}"}

    def _fresh(self) -> str:
        self._number += 1
        return str(self._number)

    def _send(self, method: str, path: str, values: Mapping[Key, str], **request: Any) -> None:
        self.ledger.send(values)
        answer = self._client.request(method, path, **request)
        if answer.is_success and "error" not in answer.text:
            self.ledger.acknowledge(values)
        else:
            self.refused += 1


def read_back(client: httpx.Client, users: Sequence[str], prefix: str) -> tuple[dict[Key, str], int]:
    """What the service holds of some users, and of items and users whose ids begin alike; and how much of it twice."""
    found: dict[Key, str] = {("item", row["item_id"]): row["title"] for row in _pages(client, "items", prefix)}
    rows = _pages(client, "users", prefix)
    found |= {("user", row["user_id"]): row["attributes"].get("v", "") for row in rows}
    twice = 0
    for user in users:
        held = client.get(f"/v1/users/{user}/export")
        if held.is_success:
            events = [("event", user, row["event_id"]) for row in held.json()["events"]]
            twice += len(events) - len(set(events))
            found |= dict.fromkeys(events, "there")
            found |= {
                ("feedback", user, row["recommendation_id"], row["item_id"]): row["verdict"]
                for row in held.json()["feedback"]
            }
    version = client.get(f"/v1/prompts/{PACK}/labels/{LABEL}").json()["version"]
    return found | ({("label", LABEL): version} if version else {}), twice


def _pages(client: httpx.Client, kind: str, prefix: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after: str | None = prefix
    while after is not None:
        page = client.get(f"/v1/{kind}", params={"after": after, "limit": 1000}).raise_for_status().json()
        rows += page[kind]
        after = page["next"]
    return [row for row in rows if str(row[f"{kind[:-1]}_id"]).startswith(prefix)]
