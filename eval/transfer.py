"""Does what an adapter learned of one domain help in another: as it is, and with a few hundred examples of that one?"""

from __future__ import annotations

from typing import Any

import torch

from eval.method import Status
from eval.setting import Setting
from genrec.learn.adapter import Tensors
from genrec.learn.choosing import Choosing
from genrec.learn.examples import Examples
from genrec.learn.gate import Way, fit_share, judge
from genrec.learn.plan import fingerprint
from genrec.learn.reading import learn_to_read
from genrec.learn.scorer import Scorer
from genrec.learn.train import train


def measure(
    setting: Setting, version: str, learned: Tensors, examples: Examples, status: Status
) -> list[dict[str, Any]]:
    """One row for each way: NDCG@10 over users whom none of them saw, alone, and what it adds to the retriever.

    `version`, `learned`: an adapter of the other domain, and its tensors. `examples`: of this one. Each way is fused by
    the weight that it earns on validation.
    """
    scorer = setting.scorer(0)
    fresh = {name: tensor.detach().clone() for name, tensor in scorer.network.adapter.items()}
    rows = [_row("base model", scorer, examples, status)]
    elsewhere = {name: torch.tensor(numbers) for name, numbers in learned.items()}
    scorer.network.load(elsewhere)
    rows.append(_row("learned elsewhere", scorer, examples, status))
    plan, runs = setting.begin(fingerprint(examples, ()), 0)
    for name, start, run in (
        ("learned here", fresh, runs / "here"),
        ("learned elsewhere, then here", elsewhere, runs / version),
    ):
        scorer.network.load(start)
        if start is fresh:
            learn_to_read(run / "reading", scorer, setting.readings(examples.items), plan, status=status)
            rows.append(_row("reading learned here", scorer, examples, status))
        aim = Choosing(scorer, examples, (), plan.schedule, status)
        standing = train(run / "choosing", scorer.network, aim, plan, status=status)
        rows.append(_row(f"{name}, to step {standing.at}", scorer, examples, status))
    return rows


def _row(way: str, scorer: Scorer, examples: Examples, status: Status) -> dict[str, Any]:
    status(f"asking {way}")
    fit = fit_share(examples.validation, scorer.scores([example.prompt for example in examples.validation]))
    weight = fit.weight if fit else 0.0
    scores = scorer.scores([example.prompt for example in examples.gate])
    found = judge(examples.gate, Way("retriever", 0.0, scores), Way(way, weight, scores), fit, 0, ())
    return {
        "way": way,
        "NDCG@10 alone": f"{found.candidate.alone:.4f}",
        "weight": f"{weight:g}" if fit else "0, too few lists",
        "fused": f"{found.candidate.ndcg:.4f}",
        "adds to the retriever": f"{found.difference:+.4f} ({found.interval[0]:+.4f} to {found.interval[1]:+.4f})",
    }
