"""Before anything else: to find in a list what is asked for by its title, and to say its letter.

What a letter stands for is nothing that a small model knows, and takes say it too faintly: in some hundred of them it
learns nothing else either. Lists drawn from the catalogue say it plainly, and no behaviour is in them.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from genrec.learn.checkpoint import Standing
from genrec.learn.choosing import Choosing
from genrec.learn.examples import Example, Examples, Prompt, Sampling
from genrec.learn.plan import Plan
from genrec.learn.scorer import Scorer
from genrec.learn.train import train
from genrec.parts import Status
from genrec.prompting import Pack, Subject
from genrec.ranking import LABELS
from genrec.wording import wording
from retrieval import Context, Item, User

_WATCHED = 40
"""Lists that are looked at and not learned from."""
_BATCH, _LOOK = 8, 5


def readings(items: Sequence[Item], pack: Pack, sampling: Sampling) -> list[Example]:
    """Lists drawn from the catalogue, in prompts in which somebody unknown asks for one item by its title.

    40 are to be looked at, then come those to learn from.
    """
    draw, known = random.Random(sampling.seed), {item.item_id: item for item in items}
    count = min(sampling.candidates, len(items))
    name = wording(sampling.language).name
    found = []
    for _ in range(_WATCHED + sampling.readings):
        listed = draw.sample(list(items), count)
        title = draw.choice(listed).title
        subject = Subject(User(user_id="-"), (), Context(), title, count, name, known.__getitem__, None)
        messages = pack.render("rank", subject.data(dict(zip(LABELS, listed, strict=False)), 0), sampling.language)
        taken = tuple(place for place, item in enumerate(listed) if item.title == title)
        found.append(Example(Prompt(messages, count), "-", {}, None, (0.0,) * count, taken, sought=len(taken)))
    return found


def learn_to_read(
    folder: Path, scorer: Scorer, lists: Sequence[Example], plan: Plan, *, status: Status, wandb: bool = False
) -> Standing:
    """Train on `readings`. A run that was killed goes on. `folder`: for what the run leaves, its own."""
    schedule = plan.schedule.model_copy(update={"epochs": 1, "batch": _BATCH, "look": _LOOK, "looked": _WATCHED})
    shown = Examples(training=lists[_WATCHED:], validation=lists[:_WATCHED], gate=())
    aim = Choosing(scorer, shown, (), schedule, status)
    own = plan.model_copy(update={"schedule": schedule})
    return train(folder, scorer.network, aim, own, status=status, wandb=wandb)
