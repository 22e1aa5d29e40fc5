"""HetRec 2011 Last.fm → a data folder of artists, of people or of tags. Bring your own copy; its use is non-commercial.

Cantador, Brusilovsky and Kuflik, 2nd Workshop on Information Heterogeneity and Fusion in Recommender Systems, RecSys
2011. What has no time is written in a drawn order, because the order of the files, by id, would tell what is hidden.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from genrec.errors import DataError
from genrec.store.folder import write_folder
from genrec.store.tables import Tables
from retrieval.types import AttributeValue, Context, Event, Item, User

What = Literal["artists", "friends", "tags"]

_FILES = "artists.dat, tags.dat, user_artists.dat, user_friends.dat and user_taggedartists.dat"
_PACKS: Mapping[What, str] = {"artists": "general", "friends": "social", "tags": "tags"}
_SEED = 20261125
_START = datetime(2002, 1, 1, tzinfo=UTC)
"""Last.fm was founded in 2002: the few tags that are dated 1956 to 1979 have no known time."""
_CATEGORIES = 5
_FAVOURITES = 3
_FEWEST_USERS = 2
"""A tag that one user gave says who gave it, and that would tell what this user took."""

_T = TypeVar("_T")
_Folder = tuple[dict[str, Sequence[Any]], dict[str, int]]
"""Records by table, and how many of what were left out or are incomplete."""


class _Tagging(NamedTuple):
    """A tag that a user gave an artist; not every one of these artists has a name."""

    user_id: str
    artist_id: str
    tag_id: str
    day: datetime


@dataclass(frozen=True)
class _Source:
    artists: Mapping[str, Item]
    tags: Mapping[str, Item]
    plays: Sequence[Event]
    follows: Sequence[Event]
    taggings: Sequence[_Tagging]

    @property
    def user_ids(self) -> Sequence[str]:
        """Everybody who did anything or is followed."""
        followed = (event.item_id for event in self.follows)
        acting = (one.user_id for some in (self.plays, self.follows, self.taggings) for one in some)
        return list(dict.fromkeys([*acting, *followed]))


def import_lastfm_hetrec(source: Path, out: Path, what: What = "artists") -> dict[str, int]:
    """Read the `.dat` files from `source`, write a data folder to `out`.

    - `artists`: users play artists, `value` times; the times are not known.
    - `friends`: items are people, with the same ids as users, and known by what they play and tag.
    - `tags`: users give artists tags, on a day; of one day the order is drawn.

    Returns the number of items, users and events, and of what was dropped. Raises DataError, and then leaves nothing
    behind.
    """
    data = _read(Tables(source, "HetRec 2011 Last.fm", _FILES))
    tables, notes = {"artists": _artists, "friends": _friends, "tags": _tags}[what](data)
    write_folder(out, tables, pack=_PACKS[what], people=what == "friends")
    return {name: len(records) for name, records in tables.items()} | notes


def _read(tables: Tables) -> _Source:
    artists = _by_id(tables, "artists.dat", tables.read("artists.dat", 4, _artist))
    # Unlike the other files this one is in Latin-1.
    tags = _by_id(tables, "tags.dat", tables.read("tags.dat", 2, _tag, encoding="latin-1"))

    def play(user_id: str, artist_id: str, count: str) -> Event:
        return Event(user_id=user_id, item_id=artists[artist_id].item_id, type="play", value=int(count))

    def tagging(user_id: str, artist_id: str, tag_id: str, day: str, month: str, year: str) -> _Tagging:
        return _Tagging(user_id, artist_id, tags[tag_id].item_id, datetime(int(year), int(month), int(day), tzinfo=UTC))

    return _Source(
        artists,
        tags,
        tables.read("user_artists.dat", 3, play),
        tables.read("user_friends.dat", 2, _follow),
        tables.read("user_taggedartists.dat", 6, tagging),
    )


def _artist(artist_id: str, name: str, _url: str, _picture: str) -> Item:
    return Item(item_id=artist_id, title=name)


def _tag(tag_id: str, tag: str) -> Item:
    return Item(item_id=tag_id, title=tag)


def _follow(user_id: str, friend_id: str) -> Event:
    return Event(user_id=user_id, item_id=friend_id, type="follow")


def _by_id(tables: Tables, file: str, items: Sequence[Item]) -> dict[str, Item]:
    found = {item.item_id: item for item in items}
    if len(found) < len(items):
        [(twice, _)] = Counter(item.item_id for item in items).most_common(1)
        raise DataError(f"{tables.folder / file}: id {twice!r} is there twice: keep one of the two lines")
    return found


def _artists(data: _Source) -> _Folder:
    """An artist's categories are the tags that most users gave it."""
    given: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for artist_id, tag_id, _ in {(one.artist_id, one.tag_id, one.user_id) for one in data.taggings}:
        given[artist_id][tag_id] += 1
    items = [
        item.model_copy(update={"categories": _titles(data, _shared(given[artist_id]))})
        for artist_id, item in data.artists.items()
    ]
    return {"items": items, "users": _users(data), "events": _shuffled(data.plays)}, {}


def _friends(data: _Source) -> _Folder:
    """A person is known by the artists they play most and the tags they give most, of those that others give too."""
    common = _shared(_givers(data.taggings))
    played: defaultdict[str, list[Event]] = defaultdict(list)
    for event in data.plays:
        played[event.user_id].append(event)
    given: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in (one for one in data.taggings if one.tag_id in common):
        given[one.user_id][one.tag_id] += 1
    items, users = [], []
    for user_id in data.user_ids:
        most = sorted(played[user_id], key=lambda event: (-(event.value or 0), event.item_id))[:_FAVOURITES]
        favourites = [data.artists[event.item_id].title for event in most]
        tags = _titles(data, given[user_id])
        attributes: dict[str, AttributeValue] = {"artists": favourites, "tags": list(tags)}
        items.append(Item(item_id=user_id, title=_listener(favourites), categories=tags))
        users.append(User(user_id=user_id, attributes=attributes))
    return {"items": items, "users": users, "events": _shuffled(data.follows)}, {}


def _tags(data: _Source) -> _Folder:
    """A tag that one user gave is nothing that others could be shown, and one that is the artist's name is no news."""
    dated = [one for one in data.taggings if one.day >= _START]
    telling = [one for one in dated if not _repeats_the_name(data, one)]
    common = _shared(_givers(telling))
    kept = [one for one in telling if one.tag_id in common]
    items = [item for tag_id, item in data.tags.items() if tag_id in common]
    events = sorted(_shuffled([_tagged(data, one) for one in kept]), key=attrgetter("timestamp"))
    return {"items": items, "users": _users(data), "events": events}, {
        "events_before_2002_dropped": len(data.taggings) - len(dated),
        "events_that_repeat_the_name_of_the_artist_dropped": len(dated) - len(telling),
        "tags_of_less_than_two_users_dropped": len(data.tags) - len(items),
        "events_with_them_dropped": len(telling) - len(kept),
        "events_with_an_artist_without_a_name": sum(event.context is None for event in events),
    }


def _repeats_the_name(data: _Source, one: _Tagging) -> bool:
    """As many do, and the request, which holds the artist, would hold the tag."""
    artist = data.artists.get(one.artist_id)
    return artist is not None and artist.title.casefold() == data.tags[one.tag_id].title.casefold()


def _tagged(data: _Source, one: _Tagging) -> Event:
    artist = data.artists.get(one.artist_id)
    context = Context.model_validate({"artist": artist.title}) if artist else None
    return Event(user_id=one.user_id, item_id=one.tag_id, type="tag", timestamp=one.day, context=context)


def _givers(taggings: Iterable[_Tagging]) -> Counter[str]:
    """How many users gave each tag."""
    return Counter(tag_id for tag_id, _ in {(one.tag_id, one.user_id) for one in taggings})


def _shared(users: Counter[str]) -> Counter[str]:
    """Only what enough users gave."""
    return Counter({tag_id: count for tag_id, count in users.items() if count >= _FEWEST_USERS})


def _titles(data: _Source, counts: Counter[str]) -> tuple[str, ...]:
    """The tags that are counted most, most first."""
    found = sorted((-count, data.tags[tag_id].title) for tag_id, count in counts.items())
    return tuple(title for _, title in found[:_CATEGORIES])


def _listener(artists: Sequence[str]) -> str:
    if len(artists) < 2:
        return " of ".join(["Listener", *artists])
    return f"Listener of {', '.join(artists[:-1])} and {artists[-1]}"


def _users(data: _Source) -> list[User]:
    return [User(user_id=user_id) for user_id in data.user_ids]


def _shuffled(events: Sequence[_T]) -> list[_T]:
    return random.Random(_SEED).sample(list(events), len(events))
