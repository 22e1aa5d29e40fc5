"""SASRec: what comes next in a sequence, by a causal transformer over items.

Kang and McAuley, Self-Attentive Sequential Recommendation, ICDM 2018, in the form whose numbers on Amazon Beauty are
cited most (Zhou et al., S3-Rec, CIKM 2020): 64 dimensions, 2 layers, 2 heads, the last 50 items, dropout 0.5, Adam at
0.001, batches of 256 users, early stopping on validation NDCG@10.

Two losses: `bce`, one drawn negative a position as published; `ce`, cross-entropy over the whole catalogue, which is
stronger (Klenitskiy and Vasilev, Turning Dross Into Gold Loss, RecSys 2023), and then trained again with the validation
items for as many epochs, so that it knows as much as the other methods.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from eval.method import SEED, ByScore, Catalogue, Params, Ranker, Rows, Scores, Status
from eval.metrics import per_user
from eval.protocols import Training
from retrieval.fit import Case

_LONGEST = 50
_DIMENSIONS, _LAYERS, _HEADS, _DROPOUT = 64, 2, 2, 0.5
_RATE, _BATCH = 0.001, 256
_MOST_EPOCHS, _PATIENCE = 200, 20
_SPREAD = 0.02
_BUCKET = 20
"""Batches whose users are sorted by length together, so that short sequences are not padded to the longest."""

Loss = Literal["bce", "ce"]


class Network(nn.Module):  # type: ignore[misc]  # torch is not looked into
    """Item and place embeddings, causal self-attention, and the item embeddings again as the output layer.

    Item 0 is padding, behind the end of a sequence. Places are counted from the end: the last item stands at 49.
    """

    def __init__(self, items: int) -> None:
        super().__init__()
        self.items = nn.Embedding(items + 1, _DIMENSIONS, padding_idx=0)
        self.places = nn.Embedding(_LONGEST, _DIMENSIONS)
        self.norm, self.dropout = nn.LayerNorm(_DIMENSIONS), nn.Dropout(_DROPOUT)
        layer = nn.TransformerEncoderLayer(
            _DIMENSIONS, _HEADS, 4 * _DIMENSIONS, _DROPOUT, activation="gelu", batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        self.apply(_small)

    def forward(self, sequences: Tensor) -> Tensor:
        """What the model expects behind each item: (users, length) ids to (users, length, dimensions)."""
        lengths = (sequences > 0).sum(dim=1, keepdim=True)
        places = (torch.arange(sequences.shape[1]) + _LONGEST - lengths).clamp(0, _LONGEST - 1)
        seen = self.dropout(self.norm(self.items(sequences) + self.places(places)))
        causal = nn.Transformer.generate_square_subsequent_mask(sequences.shape[1])
        found: Tensor = self.layers(seen, mask=causal, is_causal=True)
        return found


@dataclass(frozen=True)
class SasRec:
    """The method: `bce` as published, or `ce`, trained again with what was hidden for validation."""

    name: str
    loss: Loss

    def prepare(self, training: Training, status: Status) -> tuple[Ranker, Params]:
        known = Catalogue(training, training.events)
        network, epochs, reached = _train(known, self.loss, status, training)
        everything = Catalogue(training, training.everything)
        if self.loss == "ce":
            network, _, _ = _train(everything, self.loss, status, epochs=epochs)
        chosen = {"loss": self.loss, "epochs": epochs, "validation ndcg@10": round(reached, 5)}
        return ByScore(everything, _Scorer(everything, network)), chosen


class _Scorer:
    """Scores by what the network expects behind the last item of a history."""

    def __init__(self, catalogue: Catalogue, network: Network) -> None:
        self._catalogue, self._network = catalogue, network

    def scores(self, cases: Sequence[Case]) -> Scores:
        self._network.eval()
        histories = [self._catalogue.met(case)[-_LONGEST:] + 1 for case in cases]
        with torch.inference_mode():
            found = self._network(_padded(histories))
            last = found[torch.arange(len(cases)), torch.tensor([len(rows) - 1 for rows in histories])]
            scores: Scores = (last @ self._network.items.weight[1:].T).numpy()
        return scores


def _train(
    catalogue: Catalogue, loss: Loss, status: Status, training: Training | None = None, epochs: int = _MOST_EPOCHS
) -> tuple[Network, int, float]:
    """Train until validation no longer betters, or without `training` for exactly so many epochs.

    Returns the best network, its epoch, and the NDCG@10 that it reached.
    """
    torch.manual_seed(SEED)
    draw = random.Random(SEED)
    network = Network(len(catalogue.items))
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
    cases = training.validation if training else ()
    best, kept, at = -1.0, network.state_dict(), epochs
    for epoch in range(1, epochs + 1):
        network.train()
        for batch in _batches(catalogue.sequences, draw):
            optimizer.zero_grad()
            value = _loss(network, batch, loss)
            value.backward()
            optimizer.step()
        if not cases:
            status(f"sasrec, {loss}: epoch {epoch} of {epochs}, with the validation items")
            continue
        answers = ByScore(catalogue, _Scorer(catalogue, network)).rank(cases, None, 10, lambda _: None)
        reached = float(per_user(answers.ranked, [{case.target} for case in cases])["ndcg@10"].mean())
        status(f"sasrec, {loss}: epoch {epoch}, validation NDCG@10 {reached:.4f}, best {max(best, reached):.4f}")
        if reached > best:
            best, at = reached, epoch
            kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        elif epoch - at >= _PATIENCE:
            break
    if cases:
        network.load_state_dict(kept)
    return network, at, best


def _batches(sequences: Sequence[Rows], draw: random.Random) -> Iterator[Tensor]:
    """Users in a new order each time, those of similar length together."""
    users = [user for user, rows in enumerate(sequences) if len(rows) > 1]
    draw.shuffle(users)
    batches: list[list[int]] = []
    for start in range(0, len(users), _BUCKET * _BATCH):
        bucket = sorted(users[start : start + _BUCKET * _BATCH], key=lambda user: len(sequences[user]))
        batches += [bucket[place : place + _BATCH] for place in range(0, len(bucket), _BATCH)]
    draw.shuffle(batches)
    for batch in batches:
        yield _padded([sequences[user][-_LONGEST - 1 :] + 1 for user in batch])


def _padded(sequences: Sequence[Rows]) -> Tensor:
    return nn.utils.rnn.pad_sequence([torch.from_numpy(np.asarray(rows)) for rows in sequences], batch_first=True)


def _loss(network: Network, batch: Tensor, loss: Loss) -> Tensor:
    """Of predicting each item from those before it."""
    before, after = batch[:, :-1], batch[:, 1:]
    real = after > 0
    # Where a sequence ends, its last item has no item after it and must not count as one before: it is padding too.
    found = network(before * real)[real]
    wanted = after[real]
    if loss == "ce":
        return functional.cross_entropy(found @ network.items.weight[1:].T, wanted - 1)
    drawn = torch.randint(1, network.items.num_embeddings, wanted.shape)
    met = (drawn.unsqueeze(1) == batch[real.nonzero()[:, 0]]).any(dim=1)
    right = (found * network.items(wanted)).sum(dim=-1)
    wrong = (found * network.items(drawn)).sum(dim=-1)[~met]
    return functional.softplus(-right).mean() + functional.softplus(wrong).mean()


def _small(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=_SPREAD)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


SASREC = SasRec("sasrec", "bce")
SASREC_CE = SasRec("sasrec-ce", "ce")
