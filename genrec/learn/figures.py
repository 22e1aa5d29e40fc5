"""How high what was taken stands."""

from __future__ import annotations

import math

from genrec.statistics import Values

_CUTOFF = 10


def ndcg(scores: Values, taken: int) -> float:
    """NDCG@10 of one relevant item: 1 / log2(1 + rank), 0 behind rank 10 (Järvelin and Kekäläinen, 2002).

    Ties count against it.
    """
    rank = int((scores >= scores[taken]).sum())
    return 1 / math.log2(1 + rank) if rank <= _CUTOFF else 0.0
