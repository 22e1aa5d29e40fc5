"""Clients that ask a service for lists, by locust, in a process of their own.

`python -m eval.service.crowd ORDERS` is that process, ORDERS being JSON. It prints a line for each answer.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

_PATIENCE_S = 60
_PAUSE_S = 1.0
_BEGIN_S = 5.0
_SEED = 20261125


@dataclass(frozen=True)
class Orders:
    """`each_s`: the mean of the times, drawn exponentially, from an answer to the next request; 0 is up to a second.

    Each client begins at a moment of its own in the first five seconds: together they would stay together.
    """

    address: str
    headers: dict[str, str]
    users: Sequence[str]
    clients: int
    seconds: float
    each_s: float = 0.0


@dataclass(frozen=True)
class Answer:
    """When it was asked for, in seconds since the first was, how long that took, and the status: 0 is none."""

    sent_s: float
    took_s: float
    status: int


def ask(orders: Orders, core: int) -> list[Answer]:
    """What the clients saw, in the order of asking. They run on one core.

    Raises:
        CalledProcessError: locust failed.
    """
    pinned = ["taskset", "--cpu-list", str(core), sys.executable, "-m", "eval.service.crowd"]
    done = subprocess.run(  # noqa: S603
        [*pinned, json.dumps(asdict(orders))], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    answers = sorted((Answer(*json.loads(line)) for line in done.stdout.splitlines()), key=lambda one: one.sent_s)
    return [Answer(one.sent_s - answers[0].sent_s, one.took_s, one.status) for one in answers]


def _crowd(orders: Orders) -> None:
    # It changes the standard library: only in this process.
    from locust import FastHttpUser, task
    from locust.env import Environment

    numbers, chance = itertools.count(), random.Random(_SEED)

    class Client(FastHttpUser):
        """Asks with a new instruction each time, so that no answer is one that was kept."""

        connection_timeout = network_timeout = _PATIENCE_S

        def on_start(self) -> None:
            time.sleep(chance.uniform(0, _BEGIN_S))

        def wait_time(self) -> float:
            return chance.expovariate(1 / orders.each_s) if orders.each_s else chance.uniform(0, _PAUSE_S)

        @task
        def ask(self) -> None:
            number = next(numbers)
            user_id, said = orders.users[number % len(orders.users)], f"for evening {number}"
            self.client.post(
                "/v1/recommend", json={"user_id": user_id, "n": 3, "instruction": said}, headers=orders.headers
            )

    def note(start_time: float, response_time: float, response: object, **_: object) -> None:
        print(json.dumps([start_time, response_time / 1000, getattr(response, "status_code", 0)]))  # noqa: T201

    crowd = Environment(user_classes=[Client], host=orders.address)
    crowd.events.request.add_listener(note)  # type: ignore[no-untyped-call]
    runner = crowd.create_local_runner()
    runner.start(orders.clients, spawn_rate=orders.clients)
    runner.greenlet.join(timeout=orders.seconds)
    runner.quit()


if __name__ == "__main__":
    _crowd(Orders(**json.loads(sys.argv[1])))
