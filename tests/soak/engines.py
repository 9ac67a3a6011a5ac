"""Three engines over one log in PostgreSQL, paused, killed and stopped amid intents: nothing twice, nothing lost.

`python -m tests.soak.engines --seconds 60 [--seed SEED] [--intents 10000]` ends when that many intents are acknowledged
or the time is over, then waits for the end of all and holds log, books and chain against each other.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sep_native.sign import Keystore, Transaction1559

from sep_core.adapters.sim_venue import DEMO_ROUTER
from sep_core.runtime.clock import SystemClock
from sep_core.runtime.settings import load_settings
from sep_core.runtime.start import running_kernel

from ..contract.test_store_postgres import make_database
from ..harness.bench import CHAIN_ID, ENVIRON, GWEI, KEY, TOKENS, UNLIMITED, Wish, acquire, dispose
from ..harness.fleet import Fleet, chain_of_its_own, configured
from ..harness.json_rpc import SocketChain
from ..harness.servers import PostgresServer
from ..harness.signer import SignerProcess, router_rules
from ..harness.verdict import check_books, check_effects, own_transactions

NAMES = "abc"
MOST_OPEN = 24
AUTHORS = 3
QUIET_SECONDS = (1.0, 10.0)
PAUSE_SECONDS = (0.0, 4.0)
END_SECONDS = 180.0
HOUR_MS = 3_600_000


def allow(chain: SocketChain) -> None:
    """Unlimited allowances for the router, so that each intent is one transaction."""
    folder = Path(tempfile.mkdtemp())
    keystore = Keystore.import_key(folder / "key.json", KEY, b"pw", scrypt_log_n=2)
    spender = bytes.fromhex(DEMO_ROUTER[2:]).rjust(32, b"\0")
    data = bytes.fromhex("095ea7b3") + spender + UNLIMITED.to_bytes(32)
    for nonce, symbol in enumerate(("WETH", "USDC")):
        token = TOKENS[symbol]["address"]
        signed = keystore.sign_transaction(
            Transaction1559(CHAIN_ID, nonce, token, 0, data, 100_000, 10 * GWEI, GWEI)
        )
        chain("eth_sendRawTransaction", "0x" + signed.raw.hex())
    chain("sim_mine")


def wish(seed: int, number: int) -> Wish:
    """Now bought, now sold, each time another amount, so that the market stays where it is."""
    make = dispose if number % 2 else acquire
    return make(f"engines {seed} {number}", 10**15 + number, window_ms=HOUR_MS)


class Authors:
    """Threads that send intents to whoever leads, each again until it is acknowledged, and not too many at a time."""

    def __init__(self, fleet: Fleet, seed: int, intents: int) -> None:
        self.acknowledged: dict[int, str] = {}
        self.repeated = 0
        self.over = threading.Event()
        self._fleet, self._seed, self._intents = fleet, seed, intents
        self._numbers = iter(range(intents))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._author) for _ in range(AUTHORS)]
        for one in self._threads:
            one.start()

    @property
    def done(self) -> bool:
        """Whether all that were to be sent are acknowledged."""
        return len(self.acknowledged) >= self._intents

    def join(self) -> None:
        """Ends them."""
        self.over.set()
        for one in self._threads:
            one.join()

    def _author(self) -> None:
        while not self.over.is_set():
            with self._lock:
                number = next(self._numbers, None)
            if number is None or not self._sent(number):
                return
            while not self.over.is_set() and self._open() > MOST_OPEN:
                self.over.wait(0.05)

    def _open(self) -> int:
        answer = self._fleet.call("GET", "/health")
        return 0 if answer is None else int(answer[1].get("open_intents", 0))

    def _sent(self, number: int) -> bool:
        body = wish(self._seed, number).body
        while not self.over.is_set():
            answer = self._fleet.call("POST", "/v1/intents", body)
            if answer is not None and answer[0] in (200, 201, 202):
                self.acknowledged[number] = answer[1]["intent_id"]
                return True
            self.repeated += 1
            self.over.wait(0.1)
        return False


KINDS = (
    "leader killed",
    "leader killed",
    "leader paused",
    "leader stopped",
    "standby killed",
    "signer killed",
    "PostgreSQL killed",
)


def disturb(
    fleet: Fleet,
    signer: SignerProcess,
    postgres: PostgresServer,
    chance: random.Random,
    done: Counter[str],
) -> None:
    """One disturbance: of the leader, of one that waits, of the signer or the database that all of them ask."""
    leader, kind = fleet.leader(), chance.choice(KINDS)
    if leader is None:
        return
    match kind:
        case "leader killed":
            fleet.engines[leader].kill()
        case "signer killed":
            signer.kill()
            signer.start()
        case "PostgreSQL killed":
            postgres.kill()
            postgres.start()
        case "leader stopped":
            fleet.engines[leader].process.terminate()
        case "leader paused" if not fleet.paused:
            fleet.pause(leader)
        case "standby killed":
            fleet.engines[chance.choice([one for one in NAMES if one != leader])].kill()
        case _:
            return
    done[kind] += 1


def live(
    fleet: Fleet,
    signer: SignerProcess,
    postgres: PostgresServer,
    authors: Authors,
    chance: random.Random,
    seconds: float,
) -> Counter[str]:
    """Until all is acknowledged or the time is over; what was done to the engines and how they ended."""
    done: Counter[str] = Counter()
    began, wakes_at, disturbs_at = time.monotonic(), 0.0, time.monotonic() + 5.0
    told = began
    while not authors.done and time.monotonic() - began < seconds:
        now = time.monotonic()
        for code in fleet.revive():
            done[f"exit {code}"] += 1
        # A paused leader wakes up some time after another has taken over from it, and finds itself displaced.
        if fleet.paused and fleet.leader() is not None:
            wakes_at = wakes_at or now + chance.uniform(*PAUSE_SECONDS)
            if now >= wakes_at:
                for name in sorted(fleet.paused):
                    fleet.wake(name)
                wakes_at = 0.0
        if now >= disturbs_at:
            disturb(fleet, signer, postgres, chance, done)
            disturbs_at = now + chance.uniform(*QUIET_SECONDS)
        if now >= told + 10:
            print(
                f"engines: {now - began:.0f} s, {len(authors.acknowledged)} acknowledged, {dict(done)}",
                flush=True,
            )
            told = now
        authors.over.wait(0.05)
    return done


async def verdict(
    config: Path, chain: SocketChain, foreign: Sequence[str], expected: Authors
) -> Counter[str]:
    """Waits for the end of everything, then holds it against the chain. Raises `Broken`."""
    settings = load_settings(config, {**os.environ, **ENVIRON})
    async with running_kernel(settings, {**os.environ, **ENVIRON}, SystemClock()) as kernel:
        for state in list(kernel.world.open_intents()):
            await kernel.wait_until_ended(state.id, END_SECONDS)
        known = {str(one) for one in kernel.world.intents}
        lost = [one for one in expected.acknowledged.values() if one not in known]
        if lost:
            raise AssertionError(f"acknowledged and not in the log: {lost[:5]}")
        ended = await check_effects(kernel, own_transactions(partial(_call, chain)), foreign)
        await check_books(kernel)
        return ended


def _call(chain: SocketChain, method: str, *params: object) -> object:
    return chain(method, *params)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--intents", type=int, default=10**6)
    said = parser.parse_args()
    chance, began = random.Random(said.seed), time.monotonic()
    print(f"engines: seed {said.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="sep-engines-") as place:
        folder = Path(place)
        with (
            PostgresServer() as postgres,
            chain_of_its_own(folder / "chain.sock") as chain,
            SignerProcess(folder / "signer", router_rules("main")) as signer,
        ):
            allow(chain)
            foreign = list(own_transactions(partial(_call, chain)))
            dsn = postgres.url(asyncio.run(make_database(postgres)))
            configs = {
                name: configured(folder, name, folder / "chain.sock", dsn, signer.socket) for name in NAMES
            }
            fleet = Fleet(configs, {**os.environ, **ENVIRON})
            try:
                authors = Authors(fleet, said.seed, said.intents)
                done = live(fleet, signer, postgres, authors, chance, said.seconds)
                authors.join()
            finally:
                fleet.end()
            ended = asyncio.run(verdict(configs["a"], chain, foreign, authors))
    result = {
        "seed": said.seed,
        "intents": len(authors.acknowledged),
        "repeated": authors.repeated,
        "ended": dict(ended),
        "done": dict(done),
        "starts": fleet.starts,
        "seconds": round(time.monotonic() - began, 1),
    }
    print(
        f"engines: seed {said.seed}: {result['intents']} intents {dict(ended)}, {dict(done)}, {fleet.starts} starts,"
        f" 0 lost, 0 doubled, books balance, {result['seconds']} s"
    )
    print(json.dumps(result))
    sys.exit(0)


if __name__ == "__main__":
    main()
