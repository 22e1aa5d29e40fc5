"""What one tenant has in the database. Nobody sees, changes or removes another tenant's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from genrec.errors import DataError, NotFound
from genrec.store.database import answers, behaviour, catalogue, persons, prompts, recent, withholding
from genrec.store.database.link import Link
from genrec.store.database.records import (
    Changes,
    Erased,
    Feedback,
    KeptVersion,
    LabelMove,
    Mark,
    Recent,
    Saved,
    Snapshot,
    Stored,
)
from genrec.store.database.turn import turn, view
from genrec.types import ArmCount, Recommendation, ShownReason
from retrieval.guards import Cause
from retrieval.types import Event, Item, User


class Tenant:
    """A tenant's data, from any thread. What a method has returned from is on the disk.

    Every method may raise StoreError, and can then be called again. Nothing of it was written, unless the connection
    to PostgreSQL broke at the very end: so an event that may be sent again needs an `event_id`. `people`: an item and
    a user with the same id are one person.
    """

    def __init__(self, link: Link, name: str, pack: str, *, people: bool) -> None:
        self._link = link
        self.name = name
        self.pack = pack
        self.people = people

    def snapshot(self) -> Snapshot:
        """Items, users and events, all as they were at one moment."""
        with view(self._link, self.name) as now:
            return catalogue.snapshot(now)

    def changes(self, since: Mark) -> Changes:
        """What this and every other process has written since; where that is nothing, one cheap query.

        What was written through this object is among it: whoever applies changes after each write needs nothing else.
        """
        with view(self._link, self.name) as now:
            return catalogue.changes(now, since)

    def put_items(self, items: Sequence[Item]) -> None:
        """Add items, or replace those with the same ids; all or none.

        Raises:
            DataError: an id that is there twice or cannot be kept, or a number or text that cannot.
        """
        with turn(self._link, self.name) as now:
            catalogue.put(now, Item, items)

    def put_users(self, users: Sequence[User]) -> None:
        """Add users, or replace those with the same ids; all or none. Raises DataError as `put_items` does."""
        with turn(self._link, self.name) as now:
            catalogue.put(now, User, users)

    def fill(self, items: Sequence[Item], users: Sequence[User], events: Sequence[Event]) -> None:
        """Begin with all of this, or on any error with nothing. Raises DataError for the first that cannot be kept."""
        with turn(self._link, self.name) as now:
            catalogue.put(now, Item, items)
            catalogue.put(now, User, users)
            for outcome in behaviour.add(now, events, None):
                if isinstance(outcome, DataError):
                    raise outcome

    def item(self, item_id: str) -> Item:
        """Raises NotFound."""
        with view(self._link, self.name) as now:
            return catalogue.one(now, Item, item_id)

    def user(self, user_id: str) -> User:
        """Raises NotFound."""
        with view(self._link, self.name) as now:
            return catalogue.one(now, User, user_id)

    def withhold(self, user_id: str, names: Collection[str]) -> list[str]:
        """Use all attributes of a user but these; `put_users` does not change that. Raises NotFound, DataError.

        They are kept and exported, and are in no snapshot and no change.
        """
        with turn(self._link, self.name) as now:
            return withholding.withhold(now, user_id, names)

    def withheld(self, user_id: str) -> list[str]:
        """The names of a user's attributes that are not used. Raises NotFound."""
        with view(self._link, self.name) as now:
            return withholding.withheld(now, user_id)

    def items(self, after: str = "", limit: int = 100) -> list[Item]:
        """A page of items by id; the next one is after the last id of this."""
        with view(self._link, self.name) as now:
            return catalogue.page(now, Item, after, limit)

    def users(self, after: str = "", limit: int = 100) -> list[User]:
        """A page of users by id; the next one is after the last id of this."""
        with view(self._link, self.name) as now:
            return catalogue.page(now, User, after, limit)

    def release(self, kind: Cause, key: str) -> None:
        """Let bursts of a user, or of takes of an item, count for others. Raises NotFound."""
        with turn(self._link, self.name) as now:
            if kind == "user":
                catalogue.release(now, User, key)
            else:
                catalogue.release(now, Item, key)

    def delete_item(self, item_id: str) -> None:
        """Remove an item and its events; recommendations that showed it stay. Raises NotFound."""
        with turn(self._link, self.name) as now:
            if catalogue.remove_item(now, item_id) == (0, 0):
                raise NotFound(f"no item {item_id!r}: it was never there, or is removed already")

    def add_events(self, events: Sequence[Event], *, recommendation_id: str | None = None) -> list[Stored | DataError]:
        """Keep each event that is good, in one transaction, and say of each in its order what became of it.

        An event without an `event_id` gets one. The same id again, in this call or any other, with the same fields
        and `recommendation_id` is answered as before; with others it is a Conflict. NotFound stands for an
        unknown item or recommendation, DataError for what cannot be kept. A user who is new is made.
        """
        with turn(self._link, self.name) as now:
            return behaviour.add(now, events, recommendation_id)

    def history(self, user_id: str, limit: int) -> list[Event]:
        """A user's events, newest first; of equal times the one that was acknowledged last."""
        with view(self._link, self.name) as now:
            return behaviour.history(now, user_id, limit)

    def delete_event(self, event_id: str) -> None:
        """Forget an event. Raises NotFound."""
        with turn(self._link, self.name) as now:
            behaviour.remove(now, event_id)

    def save_recommendation(self, recommendation: Recommendation, request: Mapping[str, Any]) -> None:
        """Keep an answer and what was asked for.

        Raises:
            Conflict: a recommendation with its id is there.
            DataError: the request is no JSON.
            NotFound: its user is not there, or was erased while it was made.
        """
        with turn(self._link, self.name) as now:
            answers.save(now, recommendation, request)

    def complete_recommendation(self, recommendation: Recommendation) -> None:
        """Put the whole answer in place of one that was kept before it was complete. Raises NotFound where none was."""
        with turn(self._link, self.name) as now:
            answers.complete(now, recommendation)

    def recommendation(self, recommendation_id: str) -> Saved:
        """An answer that was kept. Raises NotFound."""
        with view(self._link, self.name) as now:
            return answers.saved(now, recommendation_id)

    def contest(self) -> Mapping[str, Any] | None:
        """How versions of prompts compete, as it was set; None where they do not."""
        with view(self._link, self.name) as now:
            return prompts.contest(now)

    def set_contest(self, contest: Mapping[str, Any] | None) -> None:
        """Let versions compete from now on, or with None no more."""
        with turn(self._link, self.name) as now:
            prompts.set_contest(now, contest)

    def outcomes(
        self, versions: Sequence[str], window: timedelta, now: datetime
    ) -> Mapping[tuple[str, bool], ArmCount]:
        """Of competing versions, by version and whether the user is held out: lists older than `window`, and those of
        which something was taken within it."""
        with view(self._link, self.name) as current:
            return answers.outcomes(current, versions, window, now)

    def answered(self) -> dict[str, tuple[str, ...]]:
        """The items of the list that each event answers, by the event's id: what was seen and taken, or left."""
        with view(self._link, self.name) as now:
            return answers.answered(now)

    def shown_reasons(self) -> list[ShownReason]:
        """The reasons that models gave, without those that were found unhelpful or wrong."""
        with view(self._link, self.name) as now:
            return answers.shown_reasons(now)

    def recent(self, limit: int) -> Recent:
        """The last lists that were kept, and what became of them."""
        with view(self._link, self.name) as now:
            return recent.recent(now, limit)

    def add_feedback(self, feedback: Feedback) -> None:
        """Keep a verdict on a reason; the last one counts.

        Raises:
            DataError: a verdict that there is not.
            NotFound: no such recommendation, or the item is not in it.
        """
        with turn(self._link, self.name) as now:
            answers.judge(now, feedback)

    def erase_user(self, user_id: str) -> Erased:
        """Remove a user, their events, recommendations and feedback, and every byte of them from the database's files.

        Where items are people also the item with that id, all events on it, and recommendations of others that show
        or cite it. What others say in attributes of their own stays, for it is theirs. Of a user who is not there
        nothing is removed, and the files are cleaned all the same: so after a StoreError it can be called again.

        The files are written anew, which takes time by their size; in PostgreSQL everybody waits meanwhile who reads
        or writes these tables. PostgreSQL's write-ahead log keeps what was written until its segments are recycled;
        archives, replicas and backups keep it as long as whoever made them.
        """
        with turn(self._link, self.name) as now:
            erased = persons.erase(now, user_id, people=self.people)
        self._link.scrub(persons.HELD_ON)
        return erased

    def export_user(self, user_id: str) -> dict[str, Any]:
        """Everything that is held on a user, by table, ready for JSON. Raises NotFound where that is nothing."""
        with view(self._link, self.name) as now:
            return persons.export(now, user_id, people=self.people)

    def keep_prompt(self, name: str, version: str, files: Mapping[str, str]) -> None:
        """Keep a version of a prompt for ever; the same again is fine. Raises Conflict for other files."""
        with turn(self._link, self.name) as now:
            prompts.keep(now, name, version, files)

    def prompt(self, name: str, version: str) -> Mapping[str, str]:
        """The files of a version by their names. Raises NotFound."""
        with view(self._link, self.name) as now:
            return prompts.files(now, name, version)

    def prompt_versions(self, name: str) -> list[KeptVersion]:
        """Every version of a prompt, oldest first."""
        with view(self._link, self.name) as now:
            return prompts.versions(now, name)

    def prompt_names(self) -> list[str]:
        """Every prompt of which a version is kept."""
        with view(self._link, self.name) as now:
            return prompts.names(now)

    def move_label(self, name: str, label: str, version: str, *, by: str, expected: str | None) -> LabelMove:
        """Put a label on a version, if it stands at `expected`; None is nowhere.

        Raises:
            Conflict: it stands elsewhere.
            NotFound: the version is not kept.
        """
        with turn(self._link, self.name) as now:
            return prompts.move(now, name, label, version, by=by, expected=expected)

    def label_moves(self, name: str) -> list[LabelMove]:
        """Every move of every label of a prompt, oldest first."""
        with view(self._link, self.name) as now:
            return prompts.moves(now, name)
