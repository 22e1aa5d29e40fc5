"""How many examples it takes until a small model finds what it is asked for by its title, by where letters stand.

A causal model reads a letter in front of an item before the item; one behind it after the item, the person and their
words, so that what it makes of the letter can say whether this one fits. What is asked for is drawn anew for each
prompt, so nothing but finding it can be learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.method import Status
from eval.setting import Setting
from genrec.learn.reading import learn_to_read, readings
from genrec.prompting import Pack, load_pack
from retrieval import Item

PLACES = {
    "behind": '{% include "_item.j2" %} [{{ item.label }}]\n',
    "in front": '{{ item.label }}. {% include "_item.j2" %}\n\n',
}


def measure(setting: Setting, items: Sequence[Item], status: Status) -> list[dict[str, Any]]:
    """One row for each look: loss and NDCG@10 over 40 prompts not learned from, letters behind and in front."""
    curves = {}
    for place in PLACES:
        status(f"letters {place}")
        lists = readings(items, placed(setting.pack, place, setting.folder), setting.sampling)
        plan, run = setting.begin(place, setting.schedule.seed)
        scorer = setting.scorer(setting.schedule.seed)
        curves[place] = learn_to_read(run, scorer, lists, plan, status=status).curve
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


def placed(pack: Pack, place: str, folder: Path) -> Pack:
    """The same prompts in a folder of their own, with letters in this place."""
    there = folder / place
    there.mkdir(parents=True, exist_ok=True)
    for path in pack.folder.glob("*.j2"):
        text = path.read_text(encoding="utf-8").replace(PLACES["behind"], PLACES[place])
        (there / path.name).write_text(text, encoding="utf-8")
    return load_pack(str(there))
