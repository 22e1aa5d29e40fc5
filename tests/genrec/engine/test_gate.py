"""The line in front of a model: who waits, who is refused, who gives a place back."""

from __future__ import annotations

import asyncio

import pytest

from genrec import EngineBusy
from genrec.engine.gate import Gate


async def _hold(gate: Gate, go_on: asyncio.Event) -> None:
    async with gate.place():
        await go_on.wait()


def test_a_full_line_refuses_at_once() -> None:
    async def crowd() -> None:
        gate, go_on = Gate(running=1, waiting=2), asyncio.Event()
        held = [asyncio.create_task(_hold(gate, go_on)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy, match="2 calls wait for the model already: ask again later"):
            await _hold(gate, go_on)
        go_on.set()
        await asyncio.gather(*held)
        await _hold(gate, go_on)

    asyncio.run(crowd())


@pytest.mark.parametrize("cancelled", [0, 1])
def test_a_cancelled_call_gives_its_place_back(cancelled: int) -> None:
    async def leave() -> None:
        gate, go_on = Gate(running=1, waiting=1), asyncio.Event()
        held = [asyncio.create_task(_hold(gate, go_on)) for _ in range(2)]
        await asyncio.sleep(0)
        held[cancelled].cancel()
        await asyncio.gather(held[cancelled], return_exceptions=True)
        newcomer = asyncio.create_task(_hold(gate, go_on))
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait_for(newcomer, timeout=5)

    asyncio.run(leave())
