"""Is an answer sound? Distinct unseen items, known labels, and evidence that resolves to what the prompt held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from genrec.config import Config
from genrec.errors import DataError
from genrec.ranking import LABELS
from genrec.store import Store
from genrec.types import Recommendation

_ITEM_FIELDS = frozenset({"title", "popularity", "recent"})


def read_answers(path: Path) -> Iterator[Recommendation]:
    """Answers as `genrec recommend --json` prints them, one a line. Raises DataError with the number of a bad one."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield Recommendation.model_validate_json(line)
            except ValidationError as error:
                raise DataError(f"{path}, line {number}: not an answer of genrec recommend --json") from error


def problems(answer: Recommendation, store: Store, n: int, context: Collection[str] = ()) -> list[str]:
    """What is wrong with an answer for n items; `context` holds the names of the context fields it was asked with."""
    history = store.history(answer.user_id)
    ids = [item.item_id for item in answer.items]
    labels = {candidate.item_id: candidate.label for candidate in answer.trace.candidates}
    known: dict[str, Collection[str]] = {
        "event": {event.ref for event in history[-Config().history :]},
        "attribute": store.user(answer.user_id).attributes.keys(),
        "context": context,
        "item": _ITEM_FIELDS,
        "instruction": {"instruction"},
    }
    found = [f"{len(ids)} items, not {n}"] if len(ids) != n else []
    found += [f"item {item_id} is there twice" for item_id, count in Counter(ids).items() if count > 1]
    found += [f"item {item_id} was seen before" for item_id in {e.item_id for e in history} & set(ids)]
    found += [f"item {item_id} has no label" for item_id in ids if labels.get(item_id) not in set(LABELS)]
    found += [f"item {item.item_id} has no evidence" for item in answer.items if not item.evidence]
    found += [
        f"evidence {part.type} {part.ref} of item {item.item_id} was not in the prompt"
        for item in answer.items
        for part in item.evidence
        if part.ref not in known[part.type]
    ]
    return found


def summary(answers: Iterable[Recommendation], store: Store, n: int) -> dict[str, Any]:
    """Counts over answers: how many are sound, and how often something was repaired, replaced or failed."""
    answers = list(answers)
    bad = {answer.user_id: found for answer in answers if (found := problems(answer, store, n))}
    items = [item for answer in answers for item in answer.items]
    return {
        "answers": len(answers),
        "sound": len(answers) - len(bad),
        "items": len(items),
        "reasons_llm": sum(item.reason is not None and item.reason.source == "llm" for item in items),
        "reasons_template": sum(item.reason is not None and item.reason.source == "template" for item in items),
        "reasons_none": sum(item.reason is None for item in items),
        "rejected_reasons": sum(len(answer.trace.rejected_reasons) for answer in answers),
        "invalid_labels": sum(answer.trace.invalid_labels for answer in answers),
        "repeated_labels": sum(answer.trace.repeated_labels for answer in answers),
        "truncated": sum(answer.trace.truncated for answer in answers),
        "fallbacks": sum(answer.fallback is not None for answer in answers),
        "problems": bad,
    }
