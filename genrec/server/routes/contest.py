"""Versions of prompts that compete for requests: begun, looked at and ended by those who run the tenant."""

from __future__ import annotations

import secrets

from fastapi import APIRouter
from pydantic import BaseModel
from scipy.special import betaincinv

from genrec.contest import Contest
from genrec.prompting.versions import Label
from genrec.server.access import Admin
from genrec.server.bodies import ContestBody
from genrec.server.contests import Standing
from genrec.server.desk import Desk
from genrec.server.routes.common import errors
from genrec.types import ArmCount

router = APIRouter(prefix="/v1/contest", tags=["prompts"])

_BOUNDS = (0.025, 0.975)
"""What lies below either end of an interval that holds 95%."""


class ArmStand(BaseModel):
    """One version: lists whose time is over, those of which something was taken, the rate and where it lies with 95%.

    `share` is the part of all users' lists that it gets now. `holdout`: users who never explore.
    """

    label: Label
    version: str
    holdout: bool
    lists: int
    taken: int
    rate: float | None
    low: float
    high: float
    share: float


class Contested(BaseModel):
    """`running` says that a contest was begun; `arms` are empty while there are not two versions to choose from."""

    running: bool
    settings: ContestBody | None
    arms: list[ArmStand]


@router.get("", responses=errors())
async def read_contest(desk: Admin) -> Contested:
    """How the versions stand."""
    return await desk.read(_read, desk)


@router.put("", responses=errors())
async def begin_contest(desk: Admin, asked: ContestBody) -> Contested:
    """Let production and candidate compete; what is running goes on with the same users held out."""

    def begin() -> Contested:
        running = desk.contests.contest()
        salt = running.salt if running else secrets.token_hex(8)
        desk.contests.begin(Contest(salt=salt, **asked.model_dump()))
        return _read(desk)

    return await desk.write(begin)


@router.delete("", status_code=204, responses=errors())
async def end_contest(desk: Admin) -> None:
    """Let production answer alone."""
    await desk.write(desk.contests.end)


def _read(desk: Desk) -> Contested:
    contest, standing = desk.contests.contest(), desk.contests.standing()
    settings = ContestBody(**contest.model_dump(exclude={"salt"})) if contest else None
    return Contested(running=contest is not None, settings=settings, arms=_arms(standing) if standing else [])


def _arms(standing: Standing) -> list[ArmStand]:
    exploring = 1 - standing.contest.holdout
    candidate = standing.contest.share(standing.counts)
    shares: dict[Label, float] = {"production": exploring * (1 - candidate), "candidate": exploring * candidate}
    return [
        *(_arm(standing, label, standing.counts[label], share) for label, share in shares.items()),
        _arm(standing, "production", standing.held_out, standing.contest.holdout, holdout=True),
    ]


def _arm(standing: Standing, label: Label, count: ArmCount, share: float, *, holdout: bool = False) -> ArmStand:
    low, high = betaincinv(1 + count.taken, 1 + count.lists - count.taken, _BOUNDS)
    return ArmStand(
        label=label,
        version=standing.versions[label],
        holdout=holdout,
        lists=count.lists,
        taken=count.taken,
        rate=count.taken / count.lists if count.lists else None,
        low=float(low),
        high=float(high),
        share=share,
    )
