"""Prompts that any model which still reads must answer: a pack's samples, with the candidates in several orders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from genrec.authoring.rendering import messages_of
from genrec.authoring.samples import demo_data, read_sample, sample_names
from genrec.authoring.scene import Scene
from genrec.learn.examples import Prompt
from genrec.prompting import Pack
from genrec.ranking import LABELS
from genrec.statistics import Values
from genrec.wording import Language

_ORDERS = 4


def canaries(pack: Pack, language: Language) -> list[Prompt]:
    """Each sample of the pack in up to four orders; none where it has none. Raises PromptError for a broken one."""
    names = sample_names(pack)
    store = demo_data(pack) if names else None
    scenes = [read_sample(pack, store, name, language) for name in names] if store else []
    return [
        Prompt(messages_of(pack, "rank", turned), len(turned.candidates))
        for scene in scenes
        for turned in islice(_turns(scene), min(_ORDERS, len(scene.candidates)))
    ]


def failures(scores: Sequence[Values]) -> list[str]:
    """What is wrong with the answers to canary prompts, in words; empty where nothing is."""
    if not scores:
        return ["the pack has no samples to try it on: add one, see docs/prompts.md"]
    if not all(np.isfinite(row).all() for row in scores):
        return ["a canary prompt got scores that are not finite"]
    letters = {LABELS[int(row.argmax())] for row in scores}
    if len(letters) == 1:
        return [f"all {len(scores)} canary prompts were answered with {letters.pop()}, whatever stood behind it"]
    return []


def _turns(scene: Scene) -> Iterator[Scene]:
    while True:
        yield scene
        scene = scene.rotated()
