"""Which of two versions of prompts answers: Thompson sampling, with the probability of each choice known.

A list counts as a success if its user took something of it in time. With a uniform prior the rate of each version is
Beta(1 + taken, 1 + not taken); Thompson sampling (Biometrika, 1933) lets a version answer as often as it is believed to
be the better one. That probability is computed, not sampled, so that what was chosen can be weighed by its inverse
afterwards (Horvitz and Thompson, JASA 1952). Some users never explore: what they do shows what exploring costs.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import betaln

from genrec.types import Arm, ArmCount, Variant

Counts = Mapping[Arm, ArmCount]
"""What became of the lists of each label among users who explore."""


class Contest(BaseModel):
    """How `production` and `candidate` compete.

    `holdout`: the share of users who always get production, by a hash of `salt` and their id. `least`: the share of
    the other lists that the version which looks worse still gets. `window_hours`: how long after a list something
    has to be taken; a list counts when that time is over, whatever became of it, so that early takes do not count more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    salt: str = Field(min_length=1)
    holdout: float = Field(0.1, ge=0, lt=1)
    least: float = Field(0.05, ge=0, le=0.5)
    window_hours: float = Field(24.0, gt=0)

    def holds_out(self, user_id: str) -> bool:
        """Whether a user never explores."""
        digest = hashlib.sha256(f"{self.salt} {user_id}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8]) < self.holdout * 2**64

    def share(self, counts: Counts) -> float:
        """The share of lists that the candidate gets among users who explore."""
        better = probability_of_more(counts["candidate"], counts["production"])
        return min(max(better, self.least), 1 - self.least)

    def choose(self, user_id: str, seed: int, counts: Counts) -> Variant:
        """The version that answers a request. The same user, seed and counts give the same answer."""
        if self.holds_out(user_id):
            return Variant(label="production", probability=1.0, holdout=True, counts=dict(counts))
        share = self.share(counts)
        known = sorted((label, count.lists, count.taken) for label, count in counts.items())
        if random.Random(repr((self.salt, user_id, seed, known))).random() < share:
            return Variant(label="candidate", probability=share, holdout=False, counts=dict(counts))
        return Variant(label="production", probability=1 - share, holdout=False, counts=dict(counts))


def probability_of_more(ours: ArmCount, theirs: ArmCount) -> float:
    """The chance that the rate of `ours` is the higher one, both under uniform priors.

    Σ_{i<a} B(c + i, b + d) / ((b + i) · B(1 + i, b) · B(c, d)) with ours ~ Beta(a, b), theirs ~ Beta(c, d): exact for
    whole a (Miller, Formulas for Bayesian A/B Testing, 2014).
    """
    a, b = 1 + ours.taken, 1 + ours.lists - ours.taken
    c, d = 1 + theirs.taken, 1 + theirs.lists - theirs.taken
    i = np.arange(a)
    logs = betaln(c + i, b + d) - np.log(b + i) - betaln(1 + i, b) - betaln(c, d)
    return float(min(np.exp(logs).sum(), 1.0))
