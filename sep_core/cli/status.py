"""`sep status`: where intents and money are."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.options import IntentName, as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import emit_json, emit_model, emit_table, emit_wrapped
from sep_core.cli.slices import tell_slices

if TYPE_CHECKING:
    from sep_core.runtime.asset_book import AssetBook
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.views import BalanceView, IntentPage, IntentView, PortfolioView

_SHORTEST_ID = 8


@click.command()
@click.argument("intent", type=IntentName(), required=False)
@config_option
@json_option
@as_of_option
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1, 500),
    default=20,
    show_default=True,
    help="How many intents.",
)
def status(intent: str | None, config: Path | None, as_json: bool, as_of: str | None, limit: int) -> int:
    """Show the latest intents and all balances, or one INTENT. Reads the log; needs no engine.

    INTENT is an id, the beginning of one, or the id that the intent's author gave it.
    """
    from sep_core.cli.reading import read

    settings = settings_of(config)
    if intent is not None:

        async def one(queries: "Queries", _: object) -> "tuple[IntentView, AssetBook]":
            return await queries.intent(queries.named(intent)), queries.assets

        return _one(*read(settings, one, as_of=as_of), as_json=as_json)

    async def latest(queries: "Queries", _: object) -> "tuple[IntentPage, PortfolioView]":
        page = await queries.intents(status=None, strategy=None, cursor=None, limit=limit)
        return page, await queries.portfolio()

    page, portfolio = read(settings, latest, as_of=as_of)
    if as_json:
        emit_json({"intents": page.model_dump(mode="json"), "portfolio": portfolio.model_dump(mode="json")})
        return 0
    if page.items:
        length = _length([str(one.id) for one in page.items])
        rows = [
            [str(one.id)[:length], one.type, _about(one), one.status, one.strategy, one.code or ""]
            for one in page.items
        ]
        emit_table(["INTENT", "TYPE", "ABOUT", "STATUS", "STRATEGY", "REASON"], rows)
    else:
        click.echo("no intents yet")
    if page.next_cursor is not None:
        click.echo(f"older ones follow: --limit {min(500, limit * 2)}")
    click.echo()
    emit_table(
        ["ACCOUNT", "STRATEGY", "TOTAL", "FREE", "HELD", "NOT FINAL"],
        [_row(one) for one in portfolio.balances],
    )
    return 0


def _one(view: "IntentView", assets: "AssetBook", *, as_json: bool) -> int:
    if as_json:
        emit_model(view)
        return 0
    click.echo(f"{view.id}  {view.type} {_about(view)}  {view.status}")
    if view.reason:
        emit_wrapped(f"{view.code}: {assets.words(view.reason)}", first="  ", rest="    ")
    for fill in view.fills:
        click.echo(f"  {fill.spent.text} for {fill.received.text} in block {fill.block_number}")
    if view.parent is not None:
        click.echo(f"  slice {view.parent.ordinal} of {view.parent.intent_id}")
    if view.slices is not None:
        tell_slices(view.slices)
    click.echo(f"next  sep explain {view.id}")
    return 0


def _length(ids: list[str]) -> int:
    """How many digits tell these ids from one another."""
    length = _SHORTEST_ID
    while length < 36 and len({one[:length] for one in ids}) < len(ids):
        length += 1
    return length


def _row(one: "BalanceView") -> list[str]:
    from sep_core.runtime.asset_book import decimal_text

    rest = [decimal_text(int(amount), one.asset.decimals) for amount in (one.free, one.held, one.provisional)]
    return [one.account, one.strategy, one.text, *rest]


def _about(view: "IntentView") -> str:
    from sep_core.runtime.asset_book import decimal_text

    part = view.assets[0]
    if view.type == "REBALANCE":
        return " ".join(f"{one.asset.symbol}:{one.percentage}" for one in view.assets)
    if part.amount is None:
        return f"{part.percentage} of {part.asset.symbol}"
    return f"{decimal_text(int(part.amount), part.asset.decimals)} {part.asset.symbol}"
