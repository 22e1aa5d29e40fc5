"""The guided part of `eval.hostile`, in a process of its own: atheris looks for texts that break the parser."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["genrec.parse", "json.decoder"]):
    import genrec.parse  # noqa: F401

from eval.hostile import problem


def one(data: bytes) -> None:
    """One input, as three texts."""
    drawn = atheris.FuzzedDataProvider(data).ConsumeUnicode(len(data))
    for text in (drawn, data.decode("utf-8", "surrogateescape"), f'[{{"label":"A"}},{drawn}'):
        if found := problem(text):
            raise AssertionError(f"{text[:200]!r}: {found}")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
