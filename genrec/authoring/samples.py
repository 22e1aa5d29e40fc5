"""Requests that a pack is written against: `samples/NAME.yaml` on the pack's demo data, and the worst that can come."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from genrec.errors import DataError, PromptError
from genrec.prompting import DESCRIPTION, Pack, Subject, item_data
from genrec.prompting.front import problem, read_yaml
from genrec.prompting.pack import read_text
from genrec.ranking import LABELS
from genrec.store import Store, read_folder
from genrec.wording import Language, wording
from retrieval import Context, Event, Item, User
from retrieval.types import AttributeValue, plain

DEMO = "demo"
WORST = "worst"
"""The name of the sample that nobody writes: the longest texts that a prompt can be given."""
EVENTS = 10
"""Of a history, as in `Config`."""
_FOLDER = "samples"
_NAME = re.compile(r"[\w-]+")
"""Of a sample: a file in its folder, and nowhere else."""
_LONG = "interminable "


class Sample(BaseModel):
    """A request on the demo data of a pack: who asks, where, for what, and the items that are candidates.

    `because` is an item of the user's history that speaks for the first candidate, for explanations.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    description: str = Field(min_length=1)
    user: str
    context: Context = Context()
    instruction: str = ""
    candidates: tuple[str, ...] = Field(min_length=2, max_length=len(LABELS))
    n: int = Field(default=5, ge=1, le=len(LABELS))
    because: str | None = None


@dataclass(frozen=True)
class Scene:
    """A sample with what it names: all that any template of a pack can ask for."""

    name: str
    request: Subject
    candidates: Sequence[Item]
    language: Language
    because: Event | None

    def data(self, events: int = EVENTS, description: int = DESCRIPTION) -> dict[str, Any]:
        """What a template sees."""
        labelled = dict(zip(LABELS, self.candidates, strict=False))
        item, words = item_data(self.candidates[0]), wording(self.language)
        text = self._evidence(item["title"])
        about = {"item": item, "evidence": [{"text": text}], "opening": words.opening([text], item["title"])}
        return {**self.request.data(labelled, events, description), **about}

    def rotated(self) -> Scene:
        """The same with the candidates in another order."""
        return replace(self, candidates=[*self.candidates[1:], self.candidates[0]])

    def without_history(self) -> Scene:
        """The same for somebody who has done nothing yet."""
        return replace(self, request=replace(self.request, history=()))

    def _evidence(self, title: str) -> str:
        words, event = wording(self.language), self.because
        if event is None:
            return words.listed(title)
        past = item_data(self.request.item(event.item_id))
        return words.event(event.type, past["title"], event.value, None)


def demo_data(pack: Pack) -> Store:
    """The demo data of a pack. Raises PromptError where it has none."""
    folder = pack.folder / DEMO
    if not folder.is_dir():
        raise PromptError(f"pack {pack.name!r} has no folder {DEMO} with items.jsonl: its samples need one")
    return read_folder(folder)


def sample_names(pack: Pack) -> list[str]:
    """The samples of a pack; a variant for a language is no sample of its own."""
    names = (path.stem for path in sorted((pack.folder / _FOLDER).glob("*.yaml")))
    return [name for name in names if "." not in name]


def read_sample(pack: Pack, store: Store, name: str, language: Language) -> Scene:
    """A sample by its name, in a language: `NAME.zh.yaml` before `NAME.yaml`.

    Raises:
        PromptError: there is none, or it names what is not there; the message names the file.
    """
    if name == WORST:
        return worst(pack, store, language)
    path = _file(pack.folder / _FOLDER, name, language) if _NAME.fullmatch(name) else None
    if path is None:
        known, near = sample_names(pack), get_close_matches(name, sample_names(pack), 1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        raise PromptError(f"pack {pack.name!r} has no sample {name!r}: {meant}it has {', '.join(known) or 'none'}")
    where = str(path)
    try:
        sample = Sample.model_validate(read_yaml(where, read_text(path)))
    except ValidationError as error:
        raise PromptError(f"{where}: {problem(error, Sample)}") from error
    try:
        return _scene(name, sample, store, language)
    except DataError as error:
        raise PromptError(f"{where}: {error}") from error


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


def _file(folder: Path, name: str, language: Language) -> Path | None:
    return next((path for path in (folder / f"{name}.{language}.yaml", folder / f"{name}.yaml") if path.exists()), None)


def _scene(name: str, sample: Sample, store: Store, language: Language) -> Scene:
    """Raises DataError for an unknown user or item."""
    user, history = store.user(sample.user), store.history(sample.user)
    known = [event.timestamp for event in history if event.timestamp]
    request = Subject(
        user=user,
        history=history,
        context=sample.context,
        instruction=sample.instruction,
        n=sample.n,
        language=wording(language).name,
        item=store.item,
        now=sample.context.time or max(known, default=None),
    )
    because = next((event for event in reversed(history) if event.item_id == sample.because), None)
    if sample.because and because is None:
        raise DataError(f"because: user {sample.user!r} did nothing with {sample.because!r}")
    return Scene(name, request, [store.item(item_id) for item_id in sample.candidates], language, because)
