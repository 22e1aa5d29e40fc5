"""Everything that can go wrong, and whether asking again can help.

GenrecError
├── DataError            a file, item, user or event that cannot be used
│   ├── NotFound         an unknown user or item
│   └── Conflict         an id that stands for something else already
├── StoreError           the database did not take or give it        (retryable)
├── PromptError          a pack or template that cannot be used
├── ModelError           weights that cannot be found or must not be loaded
├── EngineError          the language model did not answer           (retryable)
│   ├── EngineTimeout    it did not answer before the deadline       (retryable)
│   └── EngineBusy       too many calls wait for it already          (retryable)
└── AnswerError          it answered, and the answer cannot be used
"""

from __future__ import annotations


class GenrecError(Exception):
    """Base of all errors of genrec. The message is one line that names the value and the cure."""

    retryable = False


class DataError(GenrecError):
    """A file, item, user or event that cannot be used."""


class NotFound(DataError):
    """An id that nothing is known about."""


class Conflict(DataError):
    """An id that stands for something else already."""


class StoreError(GenrecError):
    """The database did not take or give it: it is locked, full, broken or out of reach."""

    retryable = True


class PromptError(GenrecError):
    """A pack or template that cannot be used."""


class ModelError(GenrecError):
    """Weights that cannot be found or must not be loaded."""


class EngineError(GenrecError):
    """The language model did not answer."""

    retryable = True


class EngineTimeout(EngineError):
    """The language model did not answer before the deadline."""


class EngineBusy(EngineError):
    """Too many calls wait for the language model already."""


class AnswerError(GenrecError):
    """The language model answered, and nothing of the answer can be used."""
