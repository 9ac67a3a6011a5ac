"""The paths that the enumerator walks: which intents, on which chain, disturbed by what."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from sep_native.sim import SimChain

from .bench import GENESIS, Wish, acquire, dispose, early_slices, rebalance, wish

START = datetime(2026, 1, 1, tzinfo=UTC)


class StandingClock:
    """Time does not pass: no deadline comes, nothing is retried by the clock."""

    def now(self) -> datetime:
        """Always the same moment."""
        return START


class FastClock:
    """A hundred times as fast as the machine's, so that what waits for seconds waits for hundredths."""

    def __init__(self) -> None:
        self._began = monotonic()

    def now(self) -> datetime:
        """The moment."""
        return START + timedelta(seconds=100 * (monotonic() - self._began))


@dataclass(frozen=True, slots=True)
class Scenario:
    """One path. `miner_seconds`: how often a block is made; None where a transaction makes its own.

    `ends` are the states in which its intents may end.
    """

    name: str
    wishes: tuple[Wish, ...]
    finality_depth: int = 0
    miner_seconds: float | None = None
    rules: tuple[Mapping[str, Any], ...] = ()
    disturb: Callable[[str, SimChain], None] = lambda point, chain: None
    clock: Callable[[], StandingClock | FastClock] = StandingClock
    tables: Mapping[str, Any] = field(default_factory=dict)
    paper: bool = False
    cancels: bool = False
    ends: frozenset[str] = frozenset({"SETTLED"})

    def prepare(self, chain: SimChain) -> None:
        """Sets the chain up."""
        ask(chain, "sim_setAutomine", self.miner_seconds is None)
        ask(chain, "sim_setFinality", self.finality_depth)
        if self.rules:
            ask(chain, "sim_setFaults", {"seed": 1, "rules": list(self.rules)})


def ask(chain: SimChain, method: str, *params: object) -> Any:
    """One call of the chain's own."""
    return json.loads(chain.rpc(method, json.dumps(params)))


def lose_the_first_inclusion(point: str, chain: SimChain) -> None:
    """The block of the first receipt leaves the chain as soon as the receipt is recorded, once."""
    if point == "desk.RecordReceipt.after" and not ask(chain, "sim_counters")["branches"]:
        ask(chain, "sim_reorg", 1, {"hold": 1})


def move_the_market_once(point: str, chain: SimChain) -> None:
    """Somebody trades between the first plan and its signature."""
    if point == "desk.RecordPlan.after" and json.loads(chain.rpc("eth_blockNumber")) == "0x1":
        for pool in GENESIS["pools"]:
            ask(chain, "sim_nudge", {"pool": pool["address"], "bps": 30, "up": True})


def set_price(chain: SimChain, dollars: int) -> None:
    """WETH costs so much from the next block on, in every pool with a stable token: nobody has traded."""
    token = {one["symbol"]: one["address"] for one in GENESIS["tokens"]}
    worth = {token["WETH"]: 10**18, token["USDC"]: dollars * 10**6, token["DAI"]: dollars * 10**18}
    for pool in GENESIS["pools"]:
        pair = pool["token0"], pool["token1"]
        if worth.keys() >= set(pair) and token["WETH"] in pair:
            amounts = {"amount0": str(worth[pair[0]]), "amount1": str(worth[pair[1]])}
            ask(chain, "sim_setPrice", {"pool": pool["address"], **amounts})
    ask(chain, "sim_mine")


def crash_the_market_once(point: str, chain: SimChain) -> None:
    """What the account holds loses a third of its worth between a plan and its signature."""
    if point == "desk.RecordPlan.after" and json.loads(chain.rpc("eth_blockNumber")) == "0x1":
        set_price(chain, 1_500)


def raise_the_price(point: str, chain: SimChain) -> None:
    """From the first signature on blocks ask six times what they asked before."""
    if point == "desk.RecordSigned.after":
        ask(chain, "sim_setLeastBaseFee", hex(6 * int(GENESIS["base_fee"])))


PLAIN = Scenario("plain", (acquire("with approval"), dispose("without approval")))

REORGANISED = Scenario(
    "reorganised",
    (acquire("with approval"),),
    finality_depth=3,
    miner_seconds=0.01,
    disturb=lose_the_first_inclusion,
)

DOUBTED = Scenario(
    "doubted",
    (acquire("with approval"), dispose("without approval")),
    finality_depth=1,
    miner_seconds=0.02,
    rules=(
        {"method": "eth_sendRawTransaction", "kind": "drop", "taken": True, "at": [1, 5]},
        {"method": "eth_sendRawTransaction", "kind": "drop", "taken": False, "at": [2, 4]},
    ),
    clock=FastClock,
)

PAPER = Scenario(
    "paper",
    (acquire("with approval"), dispose("without approval")),
    tables={"mode": "paper"},
    paper=True,
)

MOVED = Scenario("moved", (acquire("with approval"),), disturb=move_the_market_once)

REVERTED = Scenario(
    "reverted",
    (acquire("with approval"), dispose("without approval")),
    rules=({"method": "eth_sendRawTransaction", "kind": "revert", "bps": 3000, "at": [2]},),
    ends=frozenset({"SETTLED", "FAILED"}),
)

EXPIRED = Scenario(
    "expired",
    (acquire("with approval", window_ms=60_000),),
    miner_seconds=0.01,
    rules=({"method": "eth_sendRawTransaction", "kind": "delay", "blocks": 90, "at": [2]},),
    clock=FastClock,
    ends=frozenset({"SETTLED", "FAILED", "EXPIRED", "REJECTED"}),
)

CANCELLED = Scenario(
    "cancelled",
    (acquire("with approval"), dispose("without approval")),
    cancels=True,
    ends=frozenset({"SETTLED", "CANCELLED", "EXPIRED"}),
)

STUCK = Scenario(
    "stuck",
    (acquire("with approval", window_ms=3_600_000), dispose("without approval", window_ms=3_600_000)),
    miner_seconds=0.02,
    disturb=raise_the_price,
    clock=FastClock,
)

HALTED = Scenario(
    "halted",
    (acquire("with approval"), dispose("without approval")),
    disturb=crash_the_market_once,
    tables={
        "plugins": {"enabled": ["sep-risk-drawdown", "sep-risk-limits"]},
        "risk": {
            "limits": {"use": "limits", "numeraire": "USDC", "max_notional": "1000000000000"},
            "drawdown": {"use": "drawdown", "numeraire": "USDC"},
        },
    },
    ends=frozenset({"SETTLED", "REJECTED", "CANCELLED"}),
)

SEVERAL = Scenario("several", (dispose("in several transactions", 40 * 10**18),))

SLICED = Scenario("sliced", (early_slices("in slices", 2),), clock=FastClock)

SLICED_CANCELLED = Scenario(
    "sliced-cancelled",
    (early_slices("in slices", 2), early_slices("as well", 3), acquire("with approval")),
    clock=FastClock,
    cancels=True,
    ends=frozenset({"SETTLED", "CANCELLED", "EXPIRED"}),
)

ADAPTED = Scenario(
    "adapted",
    (wish("by depth", "DISPOSE", "WETH", 15 * 10**17, 200_000, "0.05", style="ADAPTIVE"),),
    clock=FastClock,
    ends=frozenset({"SETTLED", "EXPIRED", "REJECTED"}),
)

REBALANCED = Scenario(
    "rebalanced",
    (rebalance("three assets", {"WETH": "0.2", "DAI": "0.3", "WBTC": "0.5"}),),
)

SCENARIOS = {
    one.name: one
    for one in (
        PLAIN,
        REORGANISED,
        DOUBTED,
        PAPER,
        MOVED,
        REVERTED,
        EXPIRED,
        CANCELLED,
        STUCK,
        HALTED,
        SEVERAL,
        SLICED,
        SLICED_CANCELLED,
        ADAPTED,
        REBALANCED,
    )
}
