"""How many examples it takes until a small model finds what it is asked for by its title, by where letters stand.

A causal model reads a letter in front of an item before the item; one behind it after the item, the person and their
words, so that what it makes of the letter can say whether this one fits. What is asked for is drawn anew for each
prompt, so nothing but finding it can be learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from eval.method import Status
from genrec.learn.examples import Sampling
from genrec.learn.loading import Model
from genrec.learn.plan import Plan, Schedule
from genrec.learn.reading import learn_to_read, readings
from genrec.learn.scorer import Scorer
from genrec.learn.shape import Shape
from genrec.prompting import Pack, load_pack, pack_folder
from retrieval import Item

PLACES = {
    "behind": '{% include "_item.j2" %} [{{ item.label }}]\n',
    "in front": '{{ item.label }}. {% include "_item.j2" %}\n\n',
}


def measure(
    model: Model,
    items: Sequence[Item],
    sampling: Sampling,
    shape: Shape,
    schedule: Schedule,
    folder: Path,
    status: Status,
) -> list[dict[str, Any]]:
    """One row for each look: loss and NDCG@10 over 40 prompts that are not learned from, letters behind and in front.

    `folder`: for what frozen layers make of prompts, and for runs, which go on after a kill.
    """
    curves = {}
    for place in PLACES:
        status(f"letters {place}")
        lists = readings(items, _pack(place, folder), sampling)
        plan = Plan(
            model=model.base.name,
            base=model.base.sha256,
            prompts=(),
            examples=place,
            threads=torch.get_num_threads(),
            sampling=sampling,
            shape=shape,
            schedule=schedule,
        )
        scorer = Scorer(model.folder, shape, folder / "frozen", schedule.seed)
        curves[place] = learn_to_read(plan.begin(folder / "runs"), scorer, lists, plan, status=status).curve
    return [
        {"step": int(points[0]["step"])}
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
