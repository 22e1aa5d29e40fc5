"""Templates to HTML: everything that is put in is escaped, and a name that is not there is an error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from genrec.server.pages.static import static
from genrec.server.pages.words import Words
from retrieval.types import AttributeValue, plain

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What browsers let a page do: nothing inline, nothing from elsewhere but images."""
_SHOWN_FROM = ("https://", "data:image/")

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, words: Words, **data: object) -> str:
    """The HTML of a template; in it `words` says phrases and `static` names files."""
    return _templates.get_template(template).render(words=words, **data)


def html(content: str, status: int = 200, headers: dict[str, str] | None = None) -> HTMLResponse:
    """HTML as an answer, with the policy that it needs."""
    return HTMLResponse(content, status, {"Content-Security-Policy": POLICY, **(headers or {})})


def _image(address: str | None) -> str | None:
    """The address of an image that the policy lets through."""
    return address if address and address.startswith(_SHOWN_FROM) else None


def _moment(time: datetime) -> str:
    """A moment to the minute, or a day where it has no time of day."""
    return time.strftime("%Y-%m-%d" if (time.hour, time.minute) == (0, 0) else "%Y-%m-%d %H:%M")


def _facts(attributes: Mapping[str, AttributeValue]) -> str:
    return ", ".join(plain(value) for value in attributes.values())


_templates.globals["static"] = static
_templates.filters |= {"facts": _facts, "image": _image, "moment": _moment, "plain": plain}
