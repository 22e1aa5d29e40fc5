"""What each part of training adds for people whom it never saw: labels, preferences, and the mean of several seeds.

The mean of adapters is exact: of products B A it is one product, of all B beside each other, each divided by their
number, and all A above each other, so its rank is the sum of theirs (what is averaged is as in Wortsman et al., Model
soups, ICML 2022). No list of the data was served, so for preferences every candidate of an example counts as left.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eval.method import Status
from eval.setting import Setting
from genrec.learn.choosing import Choosing
from genrec.learn.examples import Example, Examples
from genrec.learn.plan import fingerprint
from genrec.learn.preferring import Preferring
from genrec.learn.reading import learn_to_read
from genrec.learn.scorer import Scorer
from genrec.learn.train import train
from genrec.statistics import Values, mean_of, paired
from genrec.weighing import ndcg


def measure(setting: Setting, examples: Examples, seeds: int, status: Status) -> list[dict[str, Any]]:
    """One row for each way: NDCG@10 over the users of the gate, and what it adds to the base model and to seed 0."""
    rows: dict[str, Values] = {}
    base = setting.scorer(0)
    rows["base model"] = _by_user(base, examples.gate)
    chosen = []
    for seed in range(seeds):
        status(f"training with seed {seed}")
        scorer, (plan, run) = setting.scorer(seed), setting.begin(fingerprint(examples, ()), seed)
        learn_to_read(run / "reading", scorer, setting.readings(examples.items), plan, status=status)
        rows[f"reading, seed {seed}"] = _by_user(scorer, examples.gate)
        aim = Choosing(scorer, examples, (), plan.schedule, status)
        train(run / "choosing", scorer.network, aim, plan, status=status)
        rows[f"labels, seed {seed}"] = _by_user(scorer, examples.gate)
        chosen.append({name: tensor.detach().clone() for name, tensor in scorer.network.adapter.items()})
        if seed == 0:
            preferring = Preferring(scorer, over_the_rest(examples.training), examples.validation, plan.schedule)
            standing = train(run / "preferring", scorer.network, preferring, plan, status=status)
            rows[f"seed 0, then preferences to step {standing.at}"] = _by_user(scorer, examples.gate)
    if seeds > 1:
        shape = setting.shape.model_copy(
            update={"rank": setting.shape.rank * seeds, "alpha": setting.shape.alpha * seeds}
        )
        together = replace(setting, shape=shape).scorer(0)
        together.network.load(mean(chosen))
        rows[f"mean of {seeds} seeds"] = _by_user(together, examples.gate)
    return [_row(way, found, rows["base model"], rows["labels, seed 0"]) for way, found in rows.items()]


def over_the_rest(examples: Sequence[Example]) -> list[Example]:
    """With all that was not taken as left; without those of which everything was taken."""
    rest = [tuple(set(range(example.prompt.labels)) - set(example.taken)) for example in examples]
    return [replace(example, left=left) for example, left in zip(examples, rest, strict=True) if left]


def mean(adapters: Sequence[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    """The adapter that adds the mean of what some add; their scale has to be the same."""
    return {
        name: torch.cat([adapter[name] for adapter in adapters], dim=0)
        if ".lora_A." in name
        else torch.cat([adapter[name] / len(adapters) for adapter in adapters], dim=1)
        for name in adapters[0]
    }


def _by_user(scorer: Scorer, examples: Sequence[Example]) -> Values:
    """The mean NDCG@10 of each user's lists, by the model alone."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for example, row in zip(examples, scorer.scores([example.prompt for example in examples]), strict=True):
        found[example.user_id].append(ndcg(row, example.taken, example.sought))
    return np.array([np.mean(gains) for gains in found.values()])


def _row(way: str, found: Values, base: Values, single: Values) -> dict[str, Any]:
    return {
        "way": way,
        "NDCG@10": mean_of(found).text(),
        "adds to the base model": _added(found, base),
        "adds to seed 0": _added(found, single),
    }


def _added(found: Values, other: Values) -> str:
    pair = paired(found, other)
    return f"{pair.difference:+.4f} ({pair.low:+.4f} to {pair.high:+.4f}, p {pair.p:.3f})"
