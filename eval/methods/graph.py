"""The graph of who took what: neighbours in common, and random walks that start over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from eval.method import Catalogue, Params, Scores
from eval.methods.tuning import Baseline
from retrieval.fit import Case

_Values = npt.NDArray[np.float64]
_RARITY: Mapping[str, Callable[[_Values], _Values]] = {
    "adamic-adar": lambda degrees: 1 / np.log(np.maximum(degrees, 2)),
    "resource allocation": lambda degrees: 1 / np.maximum(degrees, 1),
}
"""What a neighbour in common counts for by how many it has itself: one who knows everybody says little."""


class Graph:
    """Items and users as nodes, joined where one took the other, whoever did it.

    Items come first, in the order of the catalogue. Where items are people, an item and a user with the same id are one
    node.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._nodes = dict(catalogue.row) if catalogue.people else {}
        own = [user_id for user_id in catalogue.users if user_id not in self._nodes]
        self._nodes |= {user_id: len(catalogue.items) + place for place, user_id in enumerate(own)}
        taken = catalogue.matrix().tocoo()
        users = np.array([self._nodes[user_id] for user_id in catalogue.users], np.int64)[taken.row]
        size = len(catalogue.items) + len(own)
        joined = sparse.csr_matrix((np.ones(len(users), np.float32), (users, taken.col)), (size, size))
        self.joined: sparse.csr_matrix = joined.maximum(joined.T).tocsr()
        """1 where two nodes are joined, in both directions."""
        self.degrees: _Values = np.asarray(self.joined.sum(axis=1), np.float64).ravel()

    def askers(self, cases: Sequence[Case]) -> sparse.csr_matrix:
        """1 at the node of who asks, nowhere for one of whom nothing is known; shape (cases, nodes)."""
        nodes = [self._nodes.get(case.query.user.user_id) for case in cases]
        places = [(place, node) for place, node in enumerate(nodes) if node is not None]
        rows, columns = zip(*places, strict=True) if places else ((), ())
        shape = (len(cases), len(self.degrees))
        return sparse.csr_matrix((np.ones(len(places), np.float32), (rows, columns)), shape)


class CommonNeighbours:
    """Neighbours in common with an item, each by how few others it has.

    Adamic and Adar, Friends and Neighbors on the Web, Social Networks 2003; as resource allocation, Zhou, Lü and Zhang,
    Predicting Missing Links via Local Information, EPJ B 2009. Between people these are friends of friends. A user and
    an item have none: what counts there are the users in common of the item and each item that the user took.
    """

    def __init__(self, catalogue: Catalogue, settings: Params) -> None:
        self._graph, self._items, self._people = Graph(catalogue), len(catalogue.items), catalogue.people
        joined = self._graph.joined
        self._to_items = (sparse.diags(_RARITY[settings["rarity"]](self._graph.degrees)) @ joined)[:, : self._items]

    def scores(self, cases: Sequence[Case]) -> Scores:
        near = self._graph.askers(cases) @ self._graph.joined
        if not self._people:
            near = near @ self._graph.joined
        return np.asarray((near @ self._to_items).toarray(), np.float32)


class Walk:
    """Where a walk from the user's node is found that goes along any edge, or with a chance starts over.

    Personalised PageRank (Page et al., 1999; Haveliwala, WWW 2002; Tong, Faloutsos and Pan, ICDM 2006) after so many
    steps, divided by a power of an item's degree so that popular items do not come first for everybody (Christoffel et
    al., Blockbusters and Wallflowers, RecSys 2015).
    """

    def __init__(self, catalogue: Catalogue, settings: Params) -> None:
        graph, self._items = Graph(catalogue), len(catalogue.items)
        self._graph, self._steps, self._restart = graph, settings["steps"], np.float32(settings["restart"])
        degrees = np.maximum(graph.degrees, 1)
        self._onward = (sparse.diags(1 / degrees) @ graph.joined).T.astype(np.float32).tocsr()
        self._damping = (degrees[: self._items] ** -settings["damping"]).astype(np.float32)

    def scores(self, cases: Sequence[Case]) -> Scores:
        start = self._graph.askers(cases).toarray().T
        found = start
        for _ in range(self._steps):
            found = (1 - self._restart) * (self._onward @ found) + self._restart * start
        return np.asarray(found[: self._items].T * self._damping, np.float32)


ADAMIC_ADAR = Baseline("adamic-adar", CommonNeighbours, {"rarity": tuple(_RARITY)})
WALK = Baseline("walk", Walk, {"restart": (0.1, 0.3, 0.6), "steps": (3, 5, 10), "damping": (0.0, 0.2, 0.4, 0.6, 0.8)})
