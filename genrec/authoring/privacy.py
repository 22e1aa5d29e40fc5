"""Whether a prompt may show who somebody is: by the names of fields, by what stands in them, and by ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import pairwise

from genrec.authoring.findings import Finding
from genrec.authoring.look import Look
from genrec.store import Store
from retrieval.types import plain

_WORDS = frozenset(
    "id uid uuid guid ssn ip dob gps imei iban bic passport password passwort token card login nick mail email emails"
    " phone mobile tel telephone fax address street zip postcode zipcode postalcode plz birthday birthdate"
    " latitude longitude lat lon lng whatsapp wechat telegram"
    " name names surname forename firstname lastname fullname nickname username realname"
    " vorname nachname familienname benutzername anschrift adresse strasse hausnummer postleitzahl telefon"
    " telefonnummer handynummer geburtstag geburtsdatum ausweis"
    " nom prenom courriel rue telephone naissance"
    " nombre apellido apellidos correo direccion calle telefono movil nacimiento"
    " nome cognome indirizzo cellulare sobrenome apelido endereco rua telefone celular morada"
    " naam voornaam achternaam gebruikersnaam adres straat huisnummer telefoon telefoonnummer mobiel geboortedatum"
    " namn fornamn efternamn navn fornavn etternavn efternavn adress telefonnummer"
    " imie nazwisko adres ulica".split()
)
"""Words of field names that say who somebody is, without accents."""
_JOINED = re.compile(
    r"(e?mail|phone|mobile|telephone|street|home|post|postal|ip|passport|card|account|user|customer|member|client|login)"
    r"(id|name|number|no|nr|nummer|address|adresse|adres|code)"
    r"|(first|last|full|middle|family|given|maiden|nick|screen|display)name|(birth|geburts)\w+"
)
_CHINESE = re.compile("姓名|名字|昵称|邮箱|邮件|电话|手机|地址|住址|身份证|护照|生日|微信|银行卡|账号")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^\w]+|_+")


def _luhn(digits: str) -> bool:
    """The check digit of cards: ISO/IEC 7812-1, annex B."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _mod_97(iban: str) -> bool:
    """The check digits of account numbers: ISO 13616."""
    bare = iban.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in bare[4:] + bare[:4])) % 97 == 1


_SHAPES: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    ("an e-mail address", re.compile(r"[^\s@]+@[^\s@]+\.\w{2,}"), bool),
    ("an IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), _mod_97),
    ("the number of a card", re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)"), lambda text: _luhn(_digits(text))),
    (
        "a phone number",
        re.compile(
            r"(?<![\w.])(?:\+\d{1,3}|\(?0\d)[\d ()/.-]{6,}\d(?!\w)"
            r"|(?<!\d)1[3-9]\d{9}(?!\d)"
            r"|(?<!\d)\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)"
        ),
        lambda text: 8 <= len(_digits(text)) <= 15,
    ),
)
"""What values look like that say who somebody is, and what tells them from other numbers."""


def privacy(look: Look) -> Iterator[Finding]:
    """Fields that say who somebody is, by their names or by what users of the demo data have there."""
    for place, name in enumerate(look.front.user_fields):
        if is_personal(name):
            problem = f"user_fields holds {name!r}: who somebody is does not belong in a prompt"
            yield Finding("error", look.file, problem, look.line("user_fields", place))
        elif found := _first_shape(look.store, name):
            user_id, shape = found
            problem = f"user_fields holds {name!r}, in which {shape} stands: it does not belong in a prompt"
            yield Finding("error", look.file, problem, look.line("user_fields", place), record=f"user {user_id}")


def shown_ids(look: Look) -> Iterator[Finding]:
    """An id that is a number may stand in a prompt as an age or a price, so numbers are passed over."""
    for name, scene in look.scenes.items():
        who = scene.request.user.user_id
        if not who.isdigit() and re.search(rf"(?<!\w){re.escape(who)}(?!\w)", look.text(scene)):
            yield Finding("error", look.file, f"shows the user's id {who!r}", sample=name)


def is_personal(name: str) -> bool:
    """Whether a field's name says who somebody is, however it is written: `e-mail`, `lastName`, `Straße`."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    words = [word.casefold().rstrip("0123456789") for word in _CAMEL.split(bare) if word]
    whole = [*words, *(one + other for one, other in pairwise(words))]
    return any(word in _WORDS or _JOINED.fullmatch(word) for word in whole) or bool(_CHINESE.search(name))


def _first_shape(store: Store, name: str) -> tuple[str, str] | None:
    """The first user whose field says who they are, and by what."""
    for user_id in store.user_ids:
        value = store.user(user_id).attributes.get(name)
        if value is not None and (shape := shape_of(plain(value))):
            return user_id, shape
    return None


def shape_of(text: str) -> str | None:
    """What a text holds that says who somebody is."""
    return next(
        (what for what, shape, check in _SHAPES if any(check(found[0]) for found in shape.finditer(text))),
        None,
    )


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)
