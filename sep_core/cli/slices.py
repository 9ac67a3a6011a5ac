"""The tree of an intent in slices, as a table."""

from typing import TYPE_CHECKING

import click

from sep_core.cli.output import emit_table, emit_wrapped

if TYPE_CHECKING:
    from sep_core.runtime.views import SlicesView

_ID_DIGITS = 8


def tell_slices(view: "SlicesView") -> None:
    """What is done, what is in flight, what is to come, and each slice with its child."""
    emit_wrapped(
        f"{view.style}: {view.done.text} of {view.total.text} done, {view.in_flight.text} in flight,"
        f" {view.rest.text} to come; schedule {view.revision}: {view.reason}",
        first="  ",
        rest="    ",
    )
    if view.closed is not None:
        emit_wrapped(f"no further slice: {view.closed}", first="  ", rest="    ")
    if not view.items:
        return
    click.echo()
    emit_table(
        ["SLICE", "INTENT", "AT", "AMOUNT", "STATUS", "REASON"],
        [
            [
                str(one.ordinal),
                "" if one.id is None else str(one.id)[:_ID_DIGITS],
                "" if one.at is None else f"{one.at:%H:%M:%S}",
                one.amount.text,
                one.status,
                one.reason or "",
            ]
            for one in view.items
        ],
    )
