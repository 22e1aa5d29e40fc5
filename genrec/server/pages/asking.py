"""What the form for a list says."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from genrec.errors import DataError
from genrec.server.bodies import AskBody
from genrec.server.fields import parsed
from genrec.wording import Language

_MOST = 20
"""Cards on one page."""


class AskForm(BaseModel):
    """The fields as browsers send them: what is left empty is not asked for.

    `other` are more fields of the context: `weather=rain, company=friends`. `previous` is the list that is shown now.
    """

    user_id: str = ""
    instruction: str = ""
    place: str = ""
    device: str = ""
    time: str = ""
    other: Annotated[str, StringConstraints(max_length=2000)] = ""
    n: Annotated[int, Field(ge=1, le=_MOST)] = 5
    unprofiled: bool = False
    previous: str = ""

    def body(self, language: Language) -> AskBody:
        """The request that it stands for. Raises RequestValidationError, DataError."""
        named = {"place": self.place, "device": self.device, "time": self.time, **_fields(self.other)}
        asked = {
            "user_id": self.user_id.strip(),
            "n": self.n,
            "context": {name: value for name, value in named.items() if value.strip()},
            "instruction": self.instruction.strip(),
            "language": language,
            "profiling": not self.unprofiled,
        }
        return parsed(AskBody, asked)


def _fields(text: str) -> dict[str, str]:
    found = {}
    for part in filter(str.strip, text.split(",")):
        name, equals, value = part.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise DataError(f"{part.strip()!r} is no context: write name=value, parted by commas: weather=rain")
        found[name.strip()] = value.strip()
    return found
