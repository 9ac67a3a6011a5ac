"""What one look at all holdings costs: valued and marked, for each strategy and for all together.

The control multiplies the same quantities with the same prices and adds them up, strategy by strategy, nothing else.
`python tests/bench/bench_equity.py`
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from _report import show
from sep_hooks.types import AssetId, Quantity, erc20

from sep_core.events.facts import JournalPosted, Posting
from sep_core.portfolio import Ledger, evolve_equity, mark, owned_by

SIZES = (100, 1_000, 10_000)
ASSETS = 50
ROUNDS = 20
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TOKENS = [AssetId(erc20(1, f"0x{number:040x}")) for number in range(1, ASSETS + 1)]
PRICES = {asset: 1_000 + at for at, asset in enumerate(TOKENS)}


def books(size: int) -> Ledger:
    """A ledger of so many holdings, fifty in each account, each account of a strategy of its own."""
    ledger = Ledger()
    for account in range(size // ASSETS):
        lines = [
            Posting(kind, asset, f"s{account}", Quantity(sign * (10**18 + at)))
            for at, asset in enumerate(TOKENS)
            for kind, sign in (("wallet", 1), ("external", -1))
        ]
        key = UUID(int=account)
        ledger.apply(JournalPosted(key, f"a{account}", "final", "opened", None, tuple(lines)))  # type: ignore[arg-type]
    return ledger


def value_of(asset: AssetId, quantity: int) -> int | None:
    """A price that is known already."""
    return quantity * PRICES[asset] // 1_000


def look_again(ledger: Ledger) -> Callable[[], int]:
    """Every scope, marked after a first mark: what a running engine does each second."""
    scopes = owned_by(ledger, PRICES.__contains__)
    states = {}
    for scope, owned in scopes.items():
        first = mark(None, scope, owned, value_of, TOKENS[0], NOW)
        assert first is not None
        states[scope] = evolve_equity(None, first)

    def again() -> int:
        found = 0
        for scope, owned in owned_by(ledger, PRICES.__contains__).items():
            one = mark(states[scope], scope, owned, value_of, TOKENS[0], NOW)
            assert one is not None
            found += one.value
        return found

    return again


def control(ledger: Ledger) -> Callable[[], int]:
    """The same worth of the same quantities, which lie in lists already."""
    wallets: dict[str, list[tuple[int, int]]] = {}
    for (strategy, asset), held in ledger.totals("wallet").items():
        wallets.setdefault(strategy, []).append((held, PRICES[asset]))

    def add_up() -> int:
        each = {
            strategy: sum(held * price // 1_000 for held, price in wallet)
            for strategy, wallet in wallets.items()
        }
        return 2 * sum(each.values())

    return add_up


def best(call: Callable[[], int]) -> float:
    """CPU seconds of the fastest of some rounds."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        call()
        found.append(time.process_time() - begun)
    return min(found)


def main() -> None:
    """One line for each size."""
    for size in SIZES:
        ledger = books(size)
        again, bare = look_again(ledger), control(ledger)
        seconds, probe = best(again), best(bare)
        show(
            "equity_look",
            seconds * 1e3,
            "ms of CPU",
            ratio=seconds / probe,
            control="multiplying and adding up the same quantities",
            holdings=size,
            scopes=size // ASSETS + 1,
            microseconds_per_holding=seconds / size * 1e6,
        )


if __name__ == "__main__":
    main()
