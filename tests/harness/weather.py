"""What goes wrong in a simulated world: drawn from one seed, at every operation that leaves the engine.

Each seed has a weather of its own: which kinds of faults it has at all, and how often. An operation is one call of the
chain's node, of a plugin or of a signer, one block, or one commit: whatever a fault may hit. All are counted.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import anyio
import apsw
from sep_hooks.context import RpcFailed, RpcOk, RpcOutcome, RpcRequest
from sep_hooks.errors import SepError
from sep_native.sim import SimChain

from sep_core.adapters import sim_chain
from sep_core.adapters.sim_rpc import SimRpc, classified, sends, unanswered
from sep_core.plugins.guard import Guard

from .bench import GENESIS
from .scenario import ask
from .virtual_time import VirtualClock

BLOCK_SECONDS = 2.0
CALM_BLOCK_SECONDS = 0.6  # where nothing goes wrong, little is learnt from waiting
NULLABLE = frozenset(
    {"eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getBlockByHash", "eth_getBlockByNumber"}
)
GARBAGE = (b"{}", b"[]", b'"0xzz"', b"null", b"7", b'{"number":"0x1"}', b'""')

KINDS = {
    "rpc": (
        "slow",
        "asked is lost",
        "answer is lost",
        "hangs",
        "limited",
        "null",
        "lags",
        "garbage",
        "doubled",
    ),
    "plugin": ("raises", "raises after", "hangs", "wrong answer"),
    "block": (
        "reorganised",
        "evicted",
        "skipped",
        "burst",
        "price jumps",
        "market moves",
        "network gone",
        "clock set",
    ),
    "commit": ("cannot write", "disk full"),
    "send": ("delayed", "reverted"),
}
MOST = {"rpc": 0.06, "plugin": 0.04, "block": 0.12, "commit": 0.03, "send": 0.15}
"""The most that one kind of fault may come to, as a share of its operations."""


class Weather:
    """The faults of one seed. `severity` is their share of what the seed has, up to 1; `calm` ends them: what is then
    left must heal.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.calm = False
        self.dead = False
        self.operations: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self.severity = 1.0
        self.left: Callable[[str], None] = lambda transaction_hash: None
        self.network_back_at = 0.0
        self.broken_commit: type[apsw.Error] | None = None
        whole = chance.random()
        self._rates = {
            place: {kind: MOST[place] * whole * chance.random() for kind in kinds if chance.random() < 0.5}
            for place, kinds in KINDS.items()
        }

    def draw(self, place: str, allowed: Sequence[str] | None = None) -> str:
        """Counts an operation, and says what goes wrong with it; empty where nothing does."""
        if self.calm:
            return ""
        self.operations[place] += 1
        left = self.chance.random() / self.severity
        for kind, rate in self._rates[place].items():
            left -= rate
            if left < 0:
                if allowed is not None and kind not in allowed:
                    return ""
                self.fired[f"{place}: {kind}"] += 1
                return kind
        return ""

    def leave_out(self, place: str, kind: str) -> None:
        """This kind of fault does not happen."""
        self._rates[place].pop(kind, None)

    def rules(self, method: str) -> dict[str, Any]:
        """What the chain itself does to the transactions that it is sent, as `sim_setFaults` takes it."""
        rates = self._rates["send"]
        rules = [
            {"kind": "delay", "blocks": self.chance.randrange(1, 8), "share": rates.get("delayed", 0.0)},
            {"kind": "revert", "bps": 3_000, "share": rates.get("reverted", 0.0)},
        ]
        return {
            "seed": self.chance.getrandbits(63),
            "rules": [
                {"method": method, "probability_ppm": math.floor(rule.pop("share") * 1_000_000), **rule}
                for rule in rules
            ],
        }

    def disk_changes(self) -> None:
        """Before a write or a sync of the log."""
        if self.broken_commit is not None:
            error, self.broken_commit = self.broken_commit, None
            raise error("the disk failed")


class WeatheredRpc(SimRpc):
    """A node that is asked over a network; both fail as the weather wants."""

    weather: Weather
    past: list[SimChain]

    async def call(self, request: RpcRequest, *, timeout_seconds: float = 10.0) -> bytes:
        """See `Rpc.call`."""
        weather, method = self.weather, request.method
        if weather.dead:
            raise unanswered(method, "whoever asks is dead")
        if not weather.calm and weather.network_back_at > anyio.current_time():
            weather.operations["rpc"] += 1
            await anyio.sleep(min(timeout_seconds, 0.5))
            raise unanswered(method, "the network is gone")
        kind = weather.draw("rpc")
        performed = b""
        match kind:
            case "slow":
                await anyio.sleep(weather.chance.random() * timeout_seconds / 2)
            case "asked is lost":
                raise unanswered(method, "the question was lost")
            case "hangs":
                if weather.chance.random() < 0.5:
                    await self._perform(request)
                await anyio.sleep(timeout_seconds)
                raise unanswered(method, f"no answer within {timeout_seconds} s")
            case "limited":
                raise classified(method, 429, "too many requests", None)
            case "lags" if self.past and not sends(method):
                return await SimRpc(weather.chance.choice(self.past)).call(request)
            case "null" if method in NULLABLE:
                return b"null"
            case "doubled" if sends(method):
                await self._perform(request)
        performed = await self._perform(request)
        if kind == "answer is lost":
            raise unanswered(method, "the answer was lost")
        return weather.chance.choice(GARBAGE) if kind == "garbage" else performed

    async def calls(
        self, requests: Sequence[RpcRequest], *, timeout_seconds: float = 10.0
    ) -> Sequence[RpcOutcome]:
        """See `Rpc.calls`; each member has a fate of its own."""
        outcomes: list[RpcOutcome] = []
        for request in requests:
            try:
                outcomes.append(RpcOk(await self.call(request, timeout_seconds=timeout_seconds)))
            except SepError as error:
                outcomes.append(RpcFailed(error))
        return outcomes

    async def _perform(self, request: RpcRequest) -> bytes:
        answer = await super().call(request)
        if sends(request.method):
            self.weather.left(json.loads(answer))
        return answer


def exchange_faults(chance: random.Random) -> Iterator[dict[str, Any]]:
    """What an exchange does to the calls that it is asked, as its `faults` have it."""
    kinds: tuple[dict[str, Any], ...] = (
        {"method": "submit", "kind": "lost", "taken": True},
        {"method": "submit", "kind": "lost", "taken": False},
        {"method": "submit", "kind": "late", "by_ms": chance.choice((3_000, 6_000, 60_000))},
        {"method": "submit", "kind": "refused"},
        {"method": "trades", "kind": "doubled"},
        {"method": "trades", "kind": "hidden"},
        {"method": "lookup", "kind": "hidden"},
    )
    for one in kinds:
        if chance.random() < 0.5:
            yield {**one, "at": sorted(chance.sample(range(1, 9), chance.randrange(1, 4)))}


async def make_blocks(weather: Weather, chain: SimChain, past: list[SimChain], clock: VirtualClock) -> None:
    """A block every now and then, and what else the chain, the network and the clock do by themselves."""
    while True:
        seconds = CALM_BLOCK_SECONDS if weather.calm else BLOCK_SECONDS
        await anyio.sleep(seconds * (0.5 + weather.chance.random()))
        kind, chance = weather.draw("block"), weather.chance
        if kind and chance.random() < 0.5:
            past[:] = [*past[-2:], chain.copy()]
        match kind:
            case "reorganised":
                found = ask(chain, "sim_counters")
                depth = min(chance.randrange(1, 4), found["blocks"] - found["finalized"])
                if depth > 0:
                    blocks = depth + chance.randrange(2)
                    ask(chain, "sim_reorg", depth, {"hold": chance.randrange(3), "blocks": blocks})
            case "evicted":
                waiting = ask(chain, "sim_pendingTransactions")
                if waiting:
                    ask(chain, "sim_dropTransaction", chance.choice(waiting))
            case "skipped":
                continue
            case "burst":
                ask(chain, "sim_mine", chance.randrange(2, 6))
            case "price jumps":
                times = chance.choice((0, 0, 2, 4, 8))
                ask(chain, "sim_setLeastBaseFee", hex(times * int(GENESIS["base_fee"])))
            case "market moves":
                pool = chance.choice(GENESIS["pools"])["address"]
                ask(
                    chain,
                    "sim_nudge",
                    {"pool": pool, "bps": chance.randrange(1, 60), "up": chance.random() < 0.5},
                )
            case "network gone":
                weather.network_back_at = anyio.current_time() + chance.random() * 20
            case "clock set":
                clock.ahead += timedelta(seconds=chance.uniform(-20, 20))
        ask(chain, "sim_mine")


@contextmanager
def weathered(weather: Weather, past: list[SimChain]) -> Iterator[None]:
    """Engines that are started meanwhile reach their chain and their plugins through the weather."""
    guarded = Guard.call

    class Rpc(WeatheredRpc):
        pass

    Rpc.weather, Rpc.past = weather, past

    async def call(
        self: Guard, plugin: Any, name: str, make: Callable[[], Awaitable[Any]], **named: Any
    ) -> Any:
        seconds = named["timeout_seconds"]
        allowed = None if seconds is not None else ("raises", "raises after", "wrong answer")
        kind = "raises" if weather.dead else weather.draw("plugin", allowed)

        async def failing() -> Any:
            if kind == "hangs":
                await anyio.sleep(seconds + 1)
            if kind in ("raises after", "wrong answer"):
                await make()
            if kind == "wrong answer":
                return object()
            raise RuntimeError("the plugin broke")

        return await guarded(self, plugin, name, failing if kind else make, **named)

    with patch.object(sim_chain, "SimRpc", Rpc), patch.object(Guard, "call", call):
        yield
