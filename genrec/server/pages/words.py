"""The words of the pages: one file for each page, every phrase in every language side by side."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from starlette.requests import Request

from genrec.wording import LANGUAGES, Language

_FOLDER = Path(__file__).parent / "words"
LANGUAGE_COOKIE = "genrec_language"


class Words:
    """Says phrases in one language: `words("layout.sign_out")`, `words("recommendations.changes", count=2)`."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def __call__(self, name: str, /, **values: object) -> str:
        """A phrase with its values put in. Raises KeyError for one that there is not."""
        page, _, phrase = name.partition(".")
        return phrases()[page][phrase][self.language].format(**values)

    def known(self, name: str) -> bool:
        """Whether there is such a phrase."""
        page, _, phrase = name.partition(".")
        return phrase in phrases().get(page, {})


@cache
def phrases() -> dict[str, dict[str, dict[str, str]]]:
    """Every phrase by page, name and language."""
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(_FOLDER.glob("*.yaml"))}


def language_of(request: Request) -> Language:
    """The language of a request: of its address (`?lang=zh`), as chosen before, as the browser prefers, or English."""
    chosen = (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE))
    accepted = [
        part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")
    ]
    wanted = [*chosen, *accepted]
    return next((language for name in wanted for language in LANGUAGES if language == name), LANGUAGES[0])
