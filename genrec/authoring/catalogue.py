"""Whether a template renders for everything in the demo data, and where nothing is known."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from genrec.authoring.findings import Finding
from genrec.authoring.look import Look
from genrec.authoring.scene import EVENTS, Scene
from genrec.authoring.worst import worst
from genrec.prompting import RenderError, content_free
from genrec.ranking import LABELS
from genrec.wording import wording
from retrieval import Item, User

_T = TypeVar("_T", Item, User)
_MOST = 600
"""Items, and users, that are looked at: of more, those first that differ in what is known of them."""


def catalogue(look: Look) -> Iterator[Finding]:
    """Lines that fail on an item or a user of the demo data, which is named."""
    base = next(iter(look.scenes.values()), None) or worst(look.pack, look.store, look.language)
    for record, error in [*_of_items(look, base), *_of_users(look, base)]:
        yield Finding("error", error.file, error.cause, error.line, record=record)


def nothing_known(look: Look) -> Iterator[Finding]:
    """Lines that fail on items with a title only, for somebody new: what calibration asks, and may come any day."""
    if look.task == "rank":
        data = {**content_free(LABELS), "language": wording(look.language).name}
        if error := _failure(look, data):
            cause = f"{error.cause}: it may be missing where little is known"
            yield Finding("warning", error.file, cause, error.line)


def _of_items(look: Look, base: Scene) -> Iterator[tuple[str, RenderError]]:
    """Every item, among the candidates or, where one is explained, by itself."""
    many = "candidates" in look.front.inputs
    if not many and "item" not in look.front.inputs:
        return
    for window in _windows(_varied(look.store.items), len(LABELS) if many else 1):
        if _failure(look, replace(base, candidates=window).data()):
            for item in window:
                if error := _failure(look, replace(base, candidates=[item, item]).data()):
                    yield f"item {item.item_id}", error


def _of_users(look: Look, base: Scene) -> Iterator[tuple[str, RenderError]]:
    """Every user, with every part of their history."""
    if not {"user", "history"} & set(look.front.inputs):
        return
    for user in _varied([look.store.user(user_id) for user_id in look.store.user_ids]):
        for events in _windows(look.store.history(user.user_id), EVENTS) or [()]:
            now = max((event.timestamp for event in events if event.timestamp), default=None)
            if error := _failure(look, base.but(user=user, history=events, now=now).data()):
                yield f"user {user.user_id}", error


def _failure(look: Look, data: Mapping[str, Any]) -> RenderError | None:
    try:
        look.pack.render(look.task, data, look.language)
    except RenderError as error:
        return error
    return None


def _windows(all_: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [all_[start : start + size] for start in range(0, len(all_), size)]


def _varied(records: Sequence[_T]) -> Sequence[_T]:
    """As many as are looked at, the first of each kind before others of it."""
    first: dict[Hashable, int] = {_kind(records[place]): place for place in reversed(range(len(records)))}
    order = dict.fromkeys([*first.values(), *range(len(records))])
    return [records[place] for place in order][:_MOST]


def _kind(record: Item | User) -> Hashable:
    """What is known of an item or a user, and as what."""
    attributes = frozenset((name, type(value)) for name, value in record.attributes.items())
    if isinstance(record, User):
        return attributes
    return attributes, bool(record.description), bool(record.categories), bool(record.price), record.price is None
