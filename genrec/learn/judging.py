"""An adapter against what ranks now: both are asked about people whom it never saw, and the gate decides."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from genrec.learn.adapter import Adapter, read_adapter
from genrec.learn.canary import canaries, failures
from genrec.learn.examples import Example, Examples, Prompt
from genrec.learn.gate import Verdict, Way, fit_share, judge
from genrec.learn.loading import Model
from genrec.learn.scorer import Scorer
from genrec.learn.sentences import Occasion
from genrec.learn.shelf import NOTHING, Shelf
from genrec.learn.told import tell
from genrec.learn.writing import write
from genrec.parts import Status
from genrec.prompting import Pack


def judge_adapter(
    shelf: Shelf, adapter: Adapter, model: Model, weight: float, pack: Pack, examples: Examples, status: Status
) -> Verdict:
    """Hold an adapter against what ranks now, and keep what the gate says of it.

    `weight`: of the base model without an adapter in the fused score.
    """
    language, now = adapter.manifest.sampling.language, _production(shelf, model)
    told = adapter.manifest.writes or (now is not None and now.manifest.writes)
    most = pack.front("explain", language).sampling.max_tokens if told else 0
    status("asking the adapter about people whom it never saw")
    scorer = _loaded(shelf, adapter, model)
    tried = canaries(pack, language)
    found = failures(scorer.scores(tried))
    fit = fit_share(examples.validation, scorer.scores(_prompts(examples.validation)))
    ours = Way(adapter.version, adapter.manifest.weight, scorer.scores(_prompts(examples.gate)))
    our_texts = _written(scorer, adapter, examples.held_back, most, status)
    status("asking what ranks now about the same people")
    if now:
        scorer = _loaded(shelf, now, model)
    else:
        scorer.network.clear()
    name, share = (now.version, now.manifest.weight) if now else (NOTHING, weight)
    theirs = Way(name, share, scorer.scores(_prompts(examples.gate)))
    their_texts = _written(scorer, now, examples.held_back, most, status)
    reasons = tell(examples.held_back, their_texts, our_texts) if told else None
    verdict = judge(examples.gate, theirs, ours, fit, len(tried), found, reasons)
    shelf.judged(adapter.version, verdict)
    return verdict


def _written(
    scorer: Scorer, adapter: Adapter | None, occasions: Sequence[Occasion], most: int, status: Status
) -> list[str]:
    """Reasons as they are served with an adapter in the network: the base model's where it was not trained on any."""
    if adapter is None or not adapter.manifest.writes:
        scorer.network.clear()
    return write(scorer, [occasion.messages for occasion in occasions], most, status) if most else []


def _production(shelf: Shelf, model: Model) -> Adapter | None:
    """What ranks now; None where that is the base model."""
    version = shelf.production
    return None if version == NOTHING else read_adapter(shelf.place(version), model.base, model.folder)[0]


def _loaded(shelf: Shelf, adapter: Adapter, model: Model) -> Scorer:
    """The base model with an adapter in it."""
    checked, tensors = read_adapter(adapter.folder, model.base, model.folder)
    scorer = Scorer(model.folder, checked.manifest.shape, shelf.frozen(model.base.sha256))
    scorer.network.load({name: torch.tensor(numbers) for name, numbers in tensors.items()})
    return scorer


def _prompts(examples: Sequence[Example]) -> list[Prompt]:
    return [example.prompt for example in examples]
