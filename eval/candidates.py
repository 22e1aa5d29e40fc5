"""Candidate files: who is asked about which items, frozen with a seed, so that everybody ranks the same lists.

`candidates.tsv`: `user_id`, tab, item ids parted by spaces. The target is the last item of the user's sequence; it may
be missing from the list, and then nothing can find it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from eval.protocols import Split, last_items
from genrec.errors import DataError, NotFound
from genrec.store import Store
from retrieval.fit import Case

HEADER = "user_id\titem_ids"

Draw = Literal["uniform", "popularity"]


def read(path: Path, store: Store) -> dict[str, list[str]]:
    """Lists by user, in the order of the file.

    Raises:
        DataError: the file cannot be read, or a line names an unknown user or item, or an item twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    pools: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == 1 and line.startswith("user_id")):
            continue
        user_id, _, listed = line.partition("\t")
        pool = listed.split()
        where = f"{path}, line {number}"
        if not user_id or not pool:
            raise DataError(f"{where}: expected a user id, a tab and item ids, found {line[:60]!r}")
        if user_id in pools or len(set(pool)) != len(pool):
            raise DataError(f"{where}: user {user_id!r}, or one of the items, is there twice")
        try:
            store.user(user_id), [store.item(item_id) for item_id in pool]
        except NotFound as error:
            raise DataError(f"{where}: {error}") from error
        pools[user_id] = pool
    if not pools:
        raise DataError(f"{path} holds no lists: write lines of a user id, a tab and item ids")
    return pools


def questions(path: Path, store: Store, limit: int | None) -> tuple[Split, list[Case], list[list[str]]]:
    """The split, cases and pools of a candidate file, or of its first `limit` lines.

    Raises:
        DataError: as `read`, and as `last_items`, or nothing may be known of a user.
    """
    pools = read(path, store)
    split = last_items(store, pools)
    by_user = {case.query.user.user_id: case for case in split.test}
    chosen = list(pools)[:limit]
    if unasked := [user_id for user_id in chosen if user_id not in by_user]:
        raise DataError(f"{path}: all that user {unasked[0]!r} did would give a hidden item away: take the line out")
    return split, [by_user[user_id] for user_id in chosen], [pools[user_id] for user_id in chosen]


def draw(split: Split, cases: Sequence[Case], size: int, by: Draw, *, seed: int) -> list[list[str]]:
    """The hidden item of each case and `size - 1` others that the user never met, in a drawn order.

    `popularity` draws the others by how many users took them, and so asks harder questions.

    Raises:
        DataError: fewer items are left for a user.
    """
    training = split.training
    ids = [item.item_id for item in training.items]
    taken = np.array([1.0] * len(ids))
    row = {item_id: place for place, item_id in enumerate(ids)}
    for event in training.everything if by == "popularity" else ():
        taken[row[event.item_id]] += 1
    rng, shuffle = np.random.default_rng(seed), random.Random(seed)
    pools = []
    for case in cases:
        weights = taken.copy()
        met = {case.target, *(event.item_id for event in case.query.history), *(row.keys() & case.query.filter.deny)}
        weights[[row[item_id] for item_id in met]] = 0
        if int((weights > 0).sum()) < size - 1:
            raise DataError(f"user {case.query.user.user_id!r} has not met fewer than {size - 1} items: list fewer")
        others = rng.choice(len(ids), size - 1, replace=False, p=weights / weights.sum())
        pools.append(shuffle.sample([case.target, *(ids[place] for place in others)], size))
    return pools


def write(path: Path, cases: Sequence[Case], pools: Sequence[Sequence[str]]) -> None:
    """Write lists, all or none. Raises DataError where the file is there already or an id holds a space."""
    if path.exists():
        raise DataError(f"{path} is there already: name a new file, frozen lists are not written over")
    lines = [HEADER]
    for case, pool in zip(cases, pools, strict=True):
        if any(item_id.split() != [item_id] for item_id in pool):
            raise DataError(f"an item id of user {case.query.user.user_id!r} holds a space, which parts ids here")
        lines.append(f"{case.query.user.user_id}\t{' '.join(pool)}")
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    draft.replace(path)
