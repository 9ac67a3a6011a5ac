"""`sep status`: where intents and money are."""

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import click

from sep_core.cli.options import as_of_option, config_option, json_option, settings_of
from sep_core.cli.output import emit_json, emit_model, emit_table

if TYPE_CHECKING:
    from sep_core.runtime.queries import Queries
    from sep_core.runtime.views import BalanceView, IntentPage, IntentView, PortfolioView
    from sep_core.runtime.world import World


@click.command()
@click.argument("intent", type=click.UUID, required=False)
@config_option
@json_option
@as_of_option
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="How many intents.")
def status(intent: UUID | None, config: Path | None, as_json: bool, as_of: str | None, limit: int) -> int:
    """Show the latest intents and all balances, or one INTENT. Reads the log; needs no engine."""
    from sep_core.cli.reading import read

    settings = settings_of(config)
    if intent is not None:
        return _one(read(settings, lambda queries, _: _intent(queries, intent), as_of=as_of), as_json=as_json)
    page, portfolio = read(settings, lambda queries, world: _all(queries, world, limit), as_of=as_of)
    if as_json:
        emit_json({"intents": page.model_dump(mode="json"), "portfolio": portfolio.model_dump(mode="json")})
        return 0
    rows = [
        [str(one.id), one.type, _about(one), one.status, one.strategy, one.reason or ""] for one in page.items
    ]
    emit_table(["INTENT", "TYPE", "ABOUT", "STATUS", "STRATEGY", "REASON"], rows)
    click.echo()
    emit_table(
        ["ACCOUNT", "STRATEGY", "TOTAL", "FREE", "HELD", "NOT FINAL"],
        [_row(one) for one in portfolio.balances],
    )
    return 0


async def _intent(queries: "Queries", intent: UUID) -> "IntentView":
    return queries.intent(intent)


async def _all(queries: "Queries", world: "World", limit: int) -> "tuple[IntentPage, PortfolioView]":
    page = queries.intents(status=None, strategy=None, cursor=None, limit=limit)
    return page, queries.portfolio()


def _one(view: "IntentView", *, as_json: bool) -> int:
    if as_json:
        emit_model(view)
    else:
        click.echo(f"{view.id}  {view.type} {_about(view)}  {view.status}")
        if view.reason:
            click.echo(f"  {view.code}: {view.reason}")
        for fill in view.fills:
            click.echo(f"  {fill.spent.text} for {fill.received.text} in block {fill.block_number}")
        click.echo(f"next  sep explain {view.id}")
    return 0


def _row(one: "BalanceView") -> list[str]:
    from sep_core.runtime.asset_book import decimal_text

    rest = [decimal_text(int(amount), one.asset.decimals) for amount in (one.free, one.held, one.provisional)]
    return [one.account, one.strategy, one.text, *rest]


def _about(view: "IntentView") -> str:
    from sep_core.runtime.asset_book import decimal_text

    part = view.assets[0]
    if part.amount is None:
        return f"{part.percentage} of {part.asset.symbol}"
    return f"{decimal_text(int(part.amount), part.asset.decimals)} {part.asset.symbol}"
