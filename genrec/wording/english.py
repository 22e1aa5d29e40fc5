"""English."""

from __future__ import annotations

from collections.abc import Sequence

_VERBS = {
    "view": "viewed",
    "click": "clicked on",
    "play": "played",
    "favorite": "favorited",
    "cart": "put in your cart",
    "purchase": "bought",
    "rate": "rated",
    "follow": "followed",
    "join": "joined",
    "message": "wrote to",
    "tag": "used the tag",
    "attend": "went to",
    "complete": "took",
    "dismiss": "dismissed",
}
_LINKS = {
    "together": "which the same people chose",
    "after": "after which people chose this one",
    "semantic": "which is described much the same",
    "lexical": "which has a similar title",
}
_ALIKE = {
    "semantic": "the text means much the same",
    "lexical": "the titles share words",
    "category": "they are in the same categories",
    "together": "the same people took both",
}
_SIGNALS = {
    "semantic": "a text that means much the same as what you liked",
    "lexical": "a title like those you liked",
    "category": "the categories that you liked",
    "together": "people who chose what you chose",
    "after": "people who chose it after what you chose",
    "popularity": "people who chose it at all",
    "recent": "people who chose it lately",
    "attribute": "people like you who chose it",
    "context": "people who chose it at such a moment",
    "profile": "a text that is near to what is known of you",
    "instruction": "a text that means what you ask for",
    "instruction_words": "the words that you ask for",
}
_ORIGINS = {
    "configured": "set by whoever runs this service",
    "fitted": "fitted to what users of this data took",
    "measured": "measured for this model by the makers of genrec",
    "assumed": "assumed, because nobody measured it yet",
}
_NOT_SHOWN = {"seen": "you have met it already", "filter": "the filter leaves it out"}


class English:
    """See `Wording`."""

    name = "English"

    def event(self, type_: str, title: str, value: float | None, days: int | None) -> str:
        """`15 days ago you rated Amelie 5`."""
        verb = _VERBS.get(type_, f"had a {type_} event for")
        rated = f" {value:g}" if type_ == "rate" and value is not None else ""
        when = "" if days is None else {0: "today ", 1: "yesterday "}.get(days, f"{days} days ago ")
        return f"{when}you {verb} {title}{rated}"

    def field(self, name: str) -> str:
        return name.replace("_", " ")

    def fact(self, name: str, value: str) -> str:
        return f"your {name} is {value}"

    def instruction(self, words: str) -> str:
        return f"you asked for {words}"

    def takers(self, count: int) -> str:
        return f"{count} {'person' if count == 1 else 'people'} chose it"

    def listed(self, title: str) -> str:
        return f"{title} is in the catalogue"

    def link(self, signal: str, shared: str) -> str:
        return f"which is {shared} too" if signal == "category" and shared else _LINKS.get(signal, "")

    def reason(self, texts: Sequence[str], links: Sequence[str]) -> str:
        once = [link if link not in links[place + 1 :] else "" for place, link in enumerate(links)]
        parts = [f"{text}, {link}" if link else text for text, link in zip(texts, once, strict=True)]
        return f"Because {(', and ' if once[0] else ' and ').join(parts)}."

    def opening(self, texts: Sequence[str], title: str) -> str:
        return f"Because {' and '.join(texts)}, you may like {title}"

    def alike(self, signal: str) -> str:
        return _ALIKE[signal]

    def signal(self, name: str) -> str:
        return _SIGNALS[name]

    def not_shown(self, title: str, cause: str) -> str:
        return f"{title} is not recommended: {_NOT_SHOWN[cause]}."

    def shown(self, title: str, rank: int) -> str:
        return f"{title} is recommended, in place {rank}."

    def behind(self, title: str, rank: int | None, of: int, lacks: Sequence[str]) -> str:
        place = f"is behind the first {of}" if rank is None else f"is in place {rank} of {of}"
        return f"{title} {place}." + (f" What those above it have more of: {'; '.join(lacks)}." if lacks else "")

    def contrast(self, better: str, other: str, because: Sequence[str]) -> str:
        if not because:
            return f"Nothing sets {better} and {other} apart."
        return f"{better} is ahead of {other}, most of all because {' and '.join(because)}."

    def model_share(self, model: str, weight: float, origin: str) -> str:
        return f"The language model {model} decides {weight:.0%} of a score, the signals the rest: {_ORIGINS[origin]}."

    def unprofiled(self) -> str:
        return (
            "Ask with profiling: false for a list that uses nothing of the user's history and attributes: only the "
            "context and the instruction of the request, and what others took."
        )
