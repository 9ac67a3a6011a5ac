"""`sep quote`: a priced route without an intent."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sep_core.cli.failure import EXIT_OK
from sep_core.cli.options import config_option, json_option, settings_of
from sep_core.cli.output import Waiting, emit_model, emit_wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sep_hooks.types import Amount, Asset

    from sep_core.markets.snapshot_data import SnapshotData
    from sep_core.runtime.quote_view import QuoteView
    from sep_core.runtime.settings import Settings

    type _Side = tuple[Asset, Amount | None]

MOST_LEFT_OUT_SHOWN = 12


@click.command()
@click.option("--sell", required=True, metavar="ASSET", help="What is spent: a symbol or an id.")
@click.option("--amount", metavar="NUMBER", help="How much is spent, in units of the asset, like 0.25.")
@click.option("--buy", required=True, metavar="ASSET", help="What is wanted: a symbol or an id.")
@click.option(
    "--buy-amount", metavar="NUMBER", help="Instead of --amount: exactly so much of what is wanted."
)
@click.option(
    "--max-legs",
    metavar="N",
    type=click.IntRange(1, 64),
    default=16,
    show_default=True,
    help="The most markets that are used.",
)
@click.option("--max-hops", metavar="N", type=click.IntRange(1, 8), help="The most markets in a row.")
@click.option(
    "--time-ms",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=1_000,
    show_default=True,
    help="The longest search.",
)
@click.option("--venue", "venues", metavar="NAME", multiple=True, help="Only this venue; may be given again.")
@click.option(
    "--exclude", metavar="MARKET", multiple=True, help="Not through this market; may be given again."
)
@click.option("--arbitrage", is_flag=True, help="Keep loops; the route then needs one atomic bundle.")
@click.option(
    "--snapshot",
    "snapshot_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Quote on this file, offline, instead of reading the chains of a configuration.",
)
@config_option
@json_option
@click.option("--bare", is_flag=True, help="JSON without the snapshot that the answer rests on.")
def quote(
    sell: str,
    amount: str | None,
    buy: str,
    buy_amount: str | None,
    max_legs: int,
    max_hops: int | None,
    time_ms: int,
    venues: tuple[str, ...],
    exclude: tuple[str, ...],
    arbitrage: bool,
    snapshot_file: Path | None,
    config: Path | None,
    as_json: bool,
    bare: bool,
) -> int:
    """Find the best route and say how far from the best possible it can be at most. Records and sends nothing.

    Asks the engine that works on a configuration; where none does, reads its chains once; with --snapshot, offline, on
    a file of `sep snapshot`. `sep verify-plan` checks what --json prints. Exit code 1 where there is no route.
    """
    if (amount is None) is (buy_amount is None):
        raise click.UsageError("give --amount for what is spent, or --buy-amount for what is wanted")
    if snapshot_file is not None and config is not None:
        raise click.UsageError("give --snapshot or --config, not both")
    asked = _Asked(sell, amount, buy, buy_amount, as_json and not bare)
    limits = {
        "max_legs": max_legs,
        "max_hops": max_hops,
        "time_ms": time_ms,
        "venues": venues,
        "exclude": exclude,
        "arbitrage": arbitrage,
    }
    if snapshot_file is not None:
        answer = _on(_from_file(snapshot_file), asked, limits)
    else:
        settings = settings_of(config)
        found = _by_engine(settings, asked, limits)
        answer = found or _on(_from_chains(settings), asked, limits)
    if as_json:
        emit_model(answer)
    else:
        show(answer)
    return EXIT_OK


@dataclass(frozen=True, slots=True)
class _Asked:
    """The words of the command line, and whether the answer shall hold its snapshot."""

    sell: str
    amount: str | None
    buy: str
    buy_amount: str | None
    with_snapshot: bool

    def meant(self, assets: "Sequence[Asset]") -> "tuple[_Side, _Side]":
        """What is sold and bought, each with its exact amount or none."""
        from sep_core.runtime.quote_wish import amount_in_units, named_asset

        sides: list[_Side] = []
        for word, text in ((self.sell, self.amount), (self.buy, self.buy_amount)):
            asset = named_asset(assets, word)
            sides.append((asset, None if text is None else amount_in_units(text, asset)))
        return sides[0], sides[1]


def _on(data: "SnapshotData", asked: _Asked, limits: "Mapping[str, Any]") -> "QuoteView":
    from sep_core.runtime.quote_wish import Wish
    from sep_core.runtime.quotes import quote as ask

    (sold, given), (bought, wanted) = asked.meant(data.assets)
    with Waiting("looking for the best route"):
        wish = Wish(spends=((sold.id, given),), want=bought.id, amount=wanted, **limits)
        return ask(data, wish, with_snapshot=asked.with_snapshot)


def _by_engine(settings: "Settings", asked: _Asked, limits: "Mapping[str, Any]") -> "QuoteView | None":
    from sep_core.cli.engine_quote import engine_assets, engine_of, engine_quote

    with Waiting("asking the engine"):
        engine = engine_of(settings)
        if engine is None:
            return None
        sold, bought = asked.meant(engine_assets(engine, settings))
        return engine_quote(engine, sold, bought, limits, with_snapshot=asked.with_snapshot)


def _from_file(path: Path) -> "SnapshotData":
    from sep_core.markets.snapshot_reader import read_snapshot
    from sep_core.markets.strict_json import read_file

    with Waiting("reading the snapshot"):
        return read_snapshot(read_file(path), str(path))


def _from_chains(settings: "Settings") -> "SnapshotData":
    from sep_core.runtime.clock import SystemClock
    from sep_core.runtime.snapshots import snapshot_of_settings

    with Waiting("reading the chains"):
        return asyncio.run(snapshot_of_settings(settings, os.environ, SystemClock()))


def show(answer: "QuoteView") -> None:
    """The answer for people."""
    blocks = ", ".join(f"{one.chain} block {one.block_number}" for one in answer.chains)
    click.echo(f"on    {answer.markets} markets at {blocks}")
    click.echo("pay   " + " and ".join(one.text for one in answer.spends))
    click.echo("get   " + " and ".join(one.text for one in answer.receives))
    for number, leg in enumerate(answer.legs, start=1):
        click.echo(f"  {number:>2}  {leg.market}  {leg.text}")
    proof = answer.certificate
    gas = f"gas {answer.gas}" + ("" if answer.gas_priced else ", which has no price here")
    click.echo(
        f"gap   at most {_points(proof.gap_before_gas)} before gas, {_points(proof.net_gap)} after ({gas})"
    )
    if answer.single_path is None:
        click.echo("path  no route that is not split")
    else:
        path = answer.single_path
        click.echo(f"path  {_compared(answer)} along {len(path.legs)} markets unsplit")
    late = ", stopped by the clock" if answer.timed_out else ""
    click.echo(
        f"took  {answer.elapsed_microseconds / 1000:.3f} ms, {answer.iterations} steps, {answer.method}{late}"
    )
    for left in answer.left_out[:MOST_LEFT_OUT_SHOWN]:
        emit_wrapped(f"{left.name}: {left.reason}", first="left out  ")
    if len(answer.left_out) > MOST_LEFT_OUT_SHOWN:
        click.echo(f"left out  {len(answer.left_out) - MOST_LEFT_OUT_SHOWN} more; --json lists all")


def _points(gap: str) -> str:
    return f"{float(gap) * 10_000:.6g} bp"


def _compared(answer: "QuoteView") -> str:
    """The unsplit route against this one, before gas."""
    assert answer.single_path is not None
    exact_in = answer.request.kind == "exact_in"
    if exact_in:
        mine = sum(int(one.amount) for one in answer.receives if one.asset.id == answer.request.want)
        other = int(answer.single_path.amount_out)
    else:
        mine = sum(int(one.amount) for one in answer.spends)
        other = int(answer.single_path.amount_in)
    worse = (mine - other if exact_in else other - mine) * 10_000 / max(1, mine)
    return f"{worse:.4g} bp worse"
