"""Requests that a pack is written against: `samples/NAME.yaml` on the pack's demo data."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from genrec.authoring.scene import Scene
from genrec.authoring.worst import WORST, worst
from genrec.errors import DataError, PromptError
from genrec.prompting import Pack, Subject
from genrec.prompting.finding import read_text
from genrec.prompting.strict import Fault, line_of, read_strictly
from genrec.ranking import LABELS
from genrec.store import Store, read_folder
from genrec.wording import Language, wording
from retrieval import Context

__all__ = [
    "DEMO",
    "SAMPLES",
    "WORST",
    "Sample",
    "demo_data",
    "meant",
    "read_file",
    "read_sample",
    "sample_names",
]

DEMO = "demo"
SAMPLES = "samples"
_NAME = re.compile(r"[\w-]+")
"""Of a sample: a file in its folder, and nowhere else."""
_KNOWN = 5
"""How many ids a message lists."""


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


def demo_data(pack: Pack) -> Store:
    """The demo data of a pack. Raises PromptError where it has none, or none that can be read."""
    folder = pack.folder / DEMO
    if not folder.is_dir():
        raise PromptError(f"pack {pack.name!r} has no folder {DEMO} with items.jsonl: its samples need one")
    try:
        return read_folder(folder)
    except DataError as error:
        where = "" if str(error).startswith(str(folder)) else f"{folder}: "
        raise PromptError(f"{where}{error}") from error


def sample_names(pack: Pack) -> list[str]:
    """The samples of a pack; a variant for a language is no sample of its own."""
    names = (path.stem for path in sorted((pack.folder / SAMPLES).glob("*.yaml")))
    return [name for name in names if "." not in name]


def read_sample(pack: Pack, store: Store, name: str, language: Language) -> Scene:
    """A sample by its name, in a language: `NAME.zh.yaml` before `NAME.yaml`.

    Raises:
        PromptError: there is none, or it names what is not there; the message names the file.
    """
    if name == WORST:
        return worst(pack, store, language)
    path = _file(pack.folder / SAMPLES, name, language) if _NAME.fullmatch(name) else None
    if path is None:
        raise PromptError(f"pack {pack.name!r} has no sample {name!r}{_instead(pack, name)}")
    scene, faults = read_file(path, name, store, language)
    if scene is None:
        line = f", line {faults[0].line}" if faults[0].line else ""
        raise PromptError(f"{path}{line}: {faults[0].problem}")
    return scene


def read_file(path: Path, name: str, store: Store, language: Language) -> tuple[Scene | None, list[Fault]]:
    """The sample in a file, or all that is wrong with it."""
    try:
        text = read_text(path)
    except PromptError as error:
        return None, [Fault(None, str(error).removeprefix(f"{path}: "))]
    sample, faults = read_strictly(text, Sample)
    if sample is None:
        return None, faults
    faults = [Fault(line_of(text, *at), problem) for at, problem in _unfit(sample, store)]
    return (None if faults else _scene(name, sample, store, language)), faults


def _instead(pack: Pack, name: str) -> str:
    """What the author may have meant by a sample that is not there."""
    folder = pack.folder / SAMPLES
    if other := next((path for path in folder.glob("*") if path.stem == name), None):
        return f": {SAMPLES}/{other.name} has to be called {name}.yaml"
    return f": {meant(name, sample_names(pack))}"


def meant(name: str, known: Collection[str]) -> str:
    """The nearest of those that there are, or some of them."""
    if near := get_close_matches(name, known, 1, 0.7):
        return f"did you mean {near[0]!r}?"
    more = f" and {len(known) - _KNOWN} more" if len(known) > _KNOWN else ""
    return f"there are {', '.join(list(known)[:_KNOWN])}{more}" if known else "there are none"


def _file(folder: Path, name: str, language: Language) -> Path | None:
    return next((path for path in (folder / f"{name}.{language}.yaml", folder / f"{name}.yaml") if path.exists()), None)


def _unfit(sample: Sample, store: Store) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What a sample says that the demo data does not hold, or says twice; and where."""
    if sample.user not in store.user_ids:
        yield ("user",), f"user: {DEMO} has no user {sample.user!r}: {meant(sample.user, store.user_ids)}"
    elif sample.because and sample.because not in {event.item_id for event in store.history(sample.user)}:
        yield ("because",), f"because: user {sample.user!r} did nothing with {sample.because!r}"
    items = [item.item_id for item in store.items]
    for place, item_id in enumerate(sample.candidates):
        if item_id not in items:
            yield ("candidates", place), f"candidates: {DEMO} has no item {item_id!r}: {meant(item_id, items)}"
        elif item_id in sample.candidates[:place]:
            yield ("candidates", place), f"candidates: {item_id!r} stands twice"
    if "n" in sample.model_fields_set and sample.n > len(sample.candidates):
        yield ("n",), f"n: is {sample.n}, more than the {len(sample.candidates)} candidates"


def _scene(name: str, sample: Sample, store: Store, language: Language) -> Scene:
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
    return Scene(name, request, [store.item(item_id) for item_id in sample.candidates], language, because)
