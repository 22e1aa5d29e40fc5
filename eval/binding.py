"""How many examples it takes until a small model finds what it is asked for by its title, by where letters stand.

A causal model reads a letter in front of an item before the item; one behind it after the item, the person and their
words, so that what it makes of the letter can say whether this one fits. What is asked for is drawn anew for each
prompt, so nothing but finding it can be learned.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.method import Status
from genrec.learn.choosing import Choosing
from genrec.learn.examples import Example, Examples, Prompt, Sampling
from genrec.learn.loading import Model
from genrec.learn.plan import Plan, Schedule
from genrec.learn.scorer import Scorer
from genrec.learn.shape import Shape
from genrec.learn.train import train
from genrec.prompting import Pack, Subject, load_pack, pack_folder
from genrec.ranking import LABELS
from retrieval import Context, Item, User

PLACES = {
    "behind": '{% include "_item.j2" %} [{{ item.label }}]\n',
    "in front": '{{ item.label }}. {% include "_item.j2" %}\n\n',
}
_CANDIDATES = 10
_WATCHED = 40


def measure(
    model: Model, items: Sequence[Item], shape: Shape, schedule: Schedule, count: int, folder: Path, status: Status
) -> list[dict[str, Any]]:
    """One row for each look: loss and NDCG@10 over 40 prompts that are not learned from, letters behind and in front.

    `folder`: for what frozen layers make of prompts, and for runs, which go on after a kill.
    """
    curves = {}
    for place in PLACES:
        status(f"letters {place}")
        examples = _examples(_pack(place, folder), items, count, schedule.seed)
        scorer = Scorer(model.folder, shape, folder / "frozen", schedule.seed)
        aim = Choosing(scorer, examples, (), schedule, status)
        plan = Plan(
            model=model.base.name,
            base=model.base.sha256,
            prompts=(),
            examples=place,
            threads=1,
            sampling=Sampling(candidates=_CANDIDATES, most=count),
            shape=shape,
            schedule=schedule,
        )
        curves[place] = train(plan.begin(folder / "runs"), scorer.network, aim, plan, status=status).curve
    return [
        {"examples": int(points[0]["step"]) * schedule.batch}
        | {
            f"{place}: {name.removeprefix('validation ')}": round(value, 4)
            for place, point in zip(PLACES, points, strict=True)
            for name, value in point.items()
            if name != "step"
        }
        for points in zip(*curves.values(), strict=True)
    ]


def _pack(place: str, folder: Path) -> Pack:
    """The prompts for films, with letters in this place."""
    there = folder / place
    there.mkdir(parents=True, exist_ok=True)
    for path in (pack_folder() / "movies").glob("*.j2"):
        text = path.read_text(encoding="utf-8").replace(PLACES["behind"], PLACES[place])
        (there / path.name).write_text(text, encoding="utf-8")
    return load_pack(str(there))


def _examples(pack: Pack, items: Sequence[Item], count: int, seed: int) -> Examples:
    draw = random.Random(seed)
    known = {item.item_id: item for item in items}
    made = []
    for _ in range(count + _WATCHED):
        listed = draw.sample(list(items), _CANDIDATES)
        place = draw.randrange(_CANDIDATES)
        words = listed[place].title
        subject = Subject(User(user_id="?"), (), Context(), words, _CANDIDATES, "English", known.__getitem__, None)
        messages = pack.render("rank", subject.data(dict(zip(LABELS, listed, strict=False)), 0), "en")
        prompt = Prompt(messages, _CANDIDATES)
        made.append(Example(prompt, "?", {}, None, (0.0,) * _CANDIDATES, taken=(place,), sought=1))
    return Examples(training=made[_WATCHED:], validation=made[:_WATCHED], gate=())
