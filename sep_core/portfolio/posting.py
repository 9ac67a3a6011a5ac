"""Posting rules: which entries each fact becomes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal
from uuid import UUID, uuid5

from sep_hooks.types import (
    Amount,
    AssetId,
    Fill,
    IntentId,
    Plan,
    PriceBook,
    Quantity,
    chain_id_of,
    native_asset,
)

from sep_core.events.decided import Decided
from sep_core.events.facts import (
    AccountClass,
    AccountOpened,
    AccountReleased,
    AssetsAdopted,
    JournalPosted,
    Posting,
    TransactionIncluded,
    Transfer,
)
from sep_core.events.streams import ledger_stream
from sep_core.portfolio.ledger import Ledger, reversed_postings
from sep_core.portfolio.owner import Owner

type Status = Literal["provisional", "final"]

LEDGER_NAMESPACE = UUID("b6f0c1de-93a4-5f5e-8a0b-6c1d2e3f4a5b")
_GAS = "gas"


def entry_key(owner: Owner, evidence: str, ordinal: int | str) -> UUID:
    """The key of what one fact books: the transaction (or other evidence) and the place inside it.

    The place inside the transaction stays when it is included again in another block, so the key does too.
    """
    return uuid5(LEDGER_NAMESPACE, f"{owner.chain}|{owner.address}|{evidence}|{ordinal}")


def post_opening(
    fact: AccountOpened | AssetsAdopted, owner: Owner, prices: PriceBook | None = None
) -> Decided:
    """What the account held when it, or some of its assets, joined the log: from outside, costed at `prices`."""
    first = isinstance(fact, AccountOpened)
    key = entry_key(owner, f"{'opened' if first else 'adopted'}:{fact.block.hash}", 0)
    postings = tuple(
        line
        for asset, amount in fact.balances
        if amount
        for line in _pair(owner, asset, amount, "external", _worth(prices, asset, amount))
    )
    reason = f"{'opened' if first else 'adopted'} at block {fact.block.number}"
    return _entry(owner, key, "final", reason, None, postings, "", prices)


def post_release(
    ledger: Ledger, fact: AccountReleased, owner: Owner, prices: PriceBook | None = None
) -> tuple[Decided, ...]:
    """What came and went while the account was used outside: what the chain has more or less than the books, from
    outside, costed at `prices`. Nothing where they agree.
    """
    booked: dict[AssetId, int] = {}
    for one in ledger.holdings():
        if one.account == owner.account:
            booked[one.asset] = booked.get(one.asset, 0) + one.final
    changes = [(asset, amount - booked.get(asset, 0)) for asset, amount in fact.balances]
    postings = tuple(
        line
        for asset, change in changes
        if change
        for line in _pair(owner, asset, change, "external", _worth(prices, asset, change))
    )
    if not postings:
        return ()
    key = entry_key(owner, f"released:{fact.block.hash}", 0)
    reason = f"released at block {fact.block.number}"
    return (_entry(owner, key, "final", reason, None, postings, "", prices),)


def post_included(
    owner: Owner,
    fact: TransactionIncluded,
    intent_id: IntentId | None,
    plan: Plan | None = None,
    prices: PriceBook | None = None,
) -> tuple[Decided, ...]:
    """Provisional entries of one of our transactions: each transfer that touches us, and gas, on revert too.

    Assets of the plan's path stand against `trade`; what comes in besides is foreign and from outside. Gas is
    an entry even where it cost nothing: whatever was included stands in the books.
    """
    path = _path_assets(plan)
    moved = [one for one in fact.transfers if _touches(one, owner)] if fact.ok else []
    values = _values(moved, owner, path, prices)
    entries = []
    for transfer, value in zip(moved, values, strict=True):
        against: AccountClass = "trade" if transfer.asset in path else "external"
        postings = _pair(owner, transfer.asset, _change(transfer, owner), against, value)
        key = entry_key(owner, fact.hash, transfer.ordinal)
        reason = f"transfer {transfer.ordinal} of nonce {fact.nonce}"
        entries.append(_entry(owner, key, "provisional", reason, intent_id, postings, fact.hash, prices))
    gas = fact.gas_used * fact.effective_gas_price
    entries.append(_gas_entry(owner, fact.hash, gas, "provisional", intent_id, prices))
    return tuple(entries)


def post_reorged(ledger: Ledger, owner: Owner, transaction_hash: str) -> tuple[Decided, ...]:
    """Voids all that was booked of a transaction whose block left the chain; nothing where nothing was."""
    return tuple(
        _restated(owner, replace(entry, status="void", postings=reversed_postings(entry.postings)))
        for entry in ledger.pending(owner.account, transaction_hash)
    )


def post_final(ledger: Ledger, owner: Owner, transaction_hash: str) -> tuple[Decided, ...]:
    """Final entries in place of the provisional ones; nothing where nothing was booked.

    That a transaction was included before it is final is the lane's business: it refuses the contrary.
    """
    return tuple(
        _restated(owner, replace(entry, status="final"))
        for entry in ledger.pending(owner.account, transaction_hash)
    )


def post_paper(owner: Owner, fill: Fill, prices: PriceBook | None = None) -> tuple[Decided, ...]:
    """A fill at the simulation's own amounts, final at once, with the gas that it would have cost."""
    evidence = f"paper:{fill.intent_id}:{fill.step_id}"
    both: Amount | None = None
    if not fill.others:
        both = _trade_value(prices, fill.asset_in, fill.amount_in, fill.asset_out, fill.amount_out)
    postings = tuple(
        line
        for asset, change in fill.moved
        for line in _pair(
            owner, asset, change, "trade", _worth(prices, asset, change) if fill.others else both
        )
    )
    key = entry_key(owner, evidence, 0)
    reason = f"simulated fill of step {fill.step_id}"
    entries = [_entry(owner, key, "final", reason, fill.intent_id, postings, "", prices)]
    if fill.gas_cost:
        gas_key = entry_key(owner, evidence, _GAS)
        gas = _gas_postings(owner, fill.gas_cost, prices)
        entries.append(_entry(owner, gas_key, "final", "simulated gas", fill.intent_id, gas, "", prices))
    return tuple(entries)


def post_foreign(
    owner: Owner,
    transfers: Sequence[Transfer],
    transaction_hash: str,
    prices: PriceBook | None = None,
    status: Status = "final",
) -> tuple[Decided, ...]:
    """Transfers in or out of the account in a transaction that is not ours: against `external`."""
    return tuple(
        _entry(
            owner,
            entry_key(owner, transaction_hash, one.ordinal),
            status,
            f"foreign transfer {one.ordinal}",
            None,
            _pair(owner, one.asset, _change(one, owner), "external", _worth(prices, one.asset, one.amount)),
            transaction_hash,
            prices,
        )
        for one in transfers
        if _touches(one, owner)
    )


def _touches(transfer: Transfer, owner: Owner) -> bool:
    # One to ourselves moves nothing.
    return transfer.amount > 0 and (transfer.sender == owner.address) != (transfer.recipient == owner.address)


def _change(transfer: Transfer, owner: Owner) -> int:
    return int(transfer.amount) if transfer.recipient == owner.address else -transfer.amount


def _path_assets(plan: Plan | None) -> frozenset[AssetId]:
    if plan is None:
        return frozenset()
    legs = {asset for leg in plan.legs for asset in (leg.asset_in, leg.asset_out)}
    return frozenset(legs | {flow.asset for flow in (*plan.spends, *plan.receives)})


def _values(
    moved: Sequence[Transfer], owner: Owner, path: frozenset[AssetId], prices: PriceBook | None
) -> Iterator[Amount | None]:
    """The worth of each transfer, so that what was given and what was got are worth the same."""
    net: dict[AssetId, int] = {}
    for one in moved:
        if one.asset in path:
            net[one.asset] = net.get(one.asset, 0) + _change(one, owner)
    given = [(asset, -amount) for asset, amount in net.items() if amount < 0]
    got = [(asset, amount) for asset, amount in net.items() if amount > 0]
    both: Amount | None = None
    if len(given) == 1 and len(got) == 1:
        both = _trade_value(prices, *given[0], *got[0])
    running: dict[AssetId, int] = {}
    for one in moved:
        whole = net.get(one.asset, 0)
        if both is None or not whole:
            yield _worth(prices, one.asset, one.amount)
            continue
        # Running sums, so that the parts add up to the whole; a refund counts against what was given.
        before = running.get(one.asset, 0)
        after = before + _change(one, owner)
        running[one.asset] = after
        yield Amount(abs(both * after // whole - both * before // whole))


def _trade_value(
    prices: PriceBook | None, given: AssetId, amount_given: int, got: AssetId, amount_got: int
) -> Amount | None:
    if prices is None:
        return None
    if got == prices.numeraire:
        return Amount(amount_got)
    value = prices.value(given, amount_given)
    return value if value is not None else prices.value(got, amount_got)


def _worth(prices: PriceBook | None, asset: AssetId, amount: int) -> Amount | None:
    return None if prices is None else prices.value(asset, abs(amount))


def _pair(
    owner: Owner, asset: AssetId, change: int, against: AccountClass, value: Amount | None
) -> tuple[Posting, Posting]:
    return (
        Posting("wallet", asset, owner.strategy, Quantity(change), value),
        Posting(against, asset, owner.strategy, Quantity(-change), value),
    )


def _gas_postings(owner: Owner, gas: int, prices: PriceBook | None) -> tuple[Posting, ...]:
    native = native_asset(chain_id_of(owner.chain))
    return _pair(owner, native, -gas, "gas", _worth(prices, native, gas))


def _gas_entry(
    owner: Owner,
    transaction_hash: str,
    gas: int,
    status: Status,
    intent_id: IntentId | None,
    prices: PriceBook | None,
) -> Decided:
    key = entry_key(owner, transaction_hash, _GAS)
    postings = _gas_postings(owner, gas, prices)
    return _entry(owner, key, status, "gas", intent_id, postings, transaction_hash, prices)


def _entry(
    owner: Owner,
    key: UUID,
    status: Status,
    reason: str,
    intent_id: IntentId | None,
    postings: tuple[Posting, ...],
    transaction_hash: str,
    prices: PriceBook | None,
) -> Decided:
    numeraire = None if prices is None else prices.numeraire
    entry = JournalPosted(
        key, owner.account, status, reason, intent_id, postings, transaction_hash, numeraire
    )
    return _restated(owner, entry)


def _restated(owner: Owner, entry: JournalPosted) -> Decided:
    return Decided(ledger_stream(owner.account), entry)
