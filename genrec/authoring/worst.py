"""The request that nobody writes: the longest texts that a prompt can be given."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from genrec.authoring.scene import EVENTS, Scene
from genrec.prompting import Pack, Subject
from genrec.ranking import LABELS
from genrec.store import Store
from genrec.wording import Language, wording
from retrieval import Context, Event, Item, User
from retrieval.types import AttributeValue, plain

WORST = "worst"
_LONG = "interminable "


def worst(pack: Pack, store: Store, language: Language) -> Scene:
    """The longest of everything: texts at the length that they are cut to, as many candidates as there are letters.

    An attribute that is a number wherever it is known stays one, so that templates can compare it.
    """
    users = [store.user(user_id) for user_id in store.user_ids]
    fields = {name for task in ("rank", "list") for name in pack.front(task, language).user_fields}
    shown = _longest(user.attributes for user in users)
    item = Item(
        item_id=WORST,
        title=_LONG * 20,
        description=_LONG * 40,
        categories=tuple(f"{_LONG * 8}{number}" for number in range(5)),
        price=99999.99 if any(item.price is not None for item in store.items) else None,
        attributes=_longest(item.attributes for item in store.items),
    )
    event = Event(user_id=WORST, item_id=WORST, type="recommended", value=3.5)
    request = Subject(
        user=User(user_id=WORST, attributes={name: shown.get(name, _LONG * 2) for name in sorted(fields)}),
        history=[event] * EVENTS,
        context=Context(place=_LONG, device=_LONG),
        instruction=_LONG * 40,
        n=len(LABELS),
        language=wording(language).name,
        item=lambda _: item,
        now=None,
    )
    return Scene(WORST, request, [item] * len(LABELS), language, event)


def _longest(attributes: Iterable[Mapping[str, AttributeValue]]) -> dict[str, AttributeValue]:
    """For every name the longest number, where all are numbers, or a long text."""
    known: defaultdict[str, list[AttributeValue]] = defaultdict(list)
    for fields in attributes:
        for name, value in fields.items():
            known[name].append(value)
    numbers = {
        name: max(values, key=lambda value: len(plain(value)))
        for name, values in known.items()
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    }
    return {name: numbers.get(name, _LONG * 2) for name in known}
