"""What code says to people, in their language: evidence, plain reasons, comparisons."""

from genrec.wording.base import Language, Wording
from genrec.wording.chinese import Chinese
from genrec.wording.english import English

_WORDINGS: dict[Language, Wording] = {"en": English(), "zh": Chinese()}
LANGUAGES = tuple(_WORDINGS)


def wording(language: Language) -> Wording:
    """The words of a language."""
    return _WORDINGS[language]


__all__ = ["LANGUAGES", "Language", "Wording", "wording"]
