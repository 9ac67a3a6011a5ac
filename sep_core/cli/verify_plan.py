"""`sep verify-plan`: is this route what it claims, on the markets that it names?"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sep_core.cli.failure import EXIT_NEGATIVE, EXIT_OK
from sep_core.cli.options import json_option
from sep_core.cli.output import Waiting, emit_json, emit_wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sep_hooks.types import Plan

    from sep_core.markets.snapshot_data import SnapshotData
    from sep_core.runtime.plan_check import CheckedPlan, Difference

_MOST_NAMED = 12


@click.command(name="verify-plan")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--snapshot",
    "snapshot_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The markets that it was made on, where FILE does not hold them.",
)
@click.option(
    "--account", metavar="ADDRESS", help="Of a plan of the log: the account's address, which it has to pay."
)
@json_option
def verify_plan(file: Path, snapshot_file: Path | None, account: str | None, as_json: bool) -> int:
    """Check a route (what `sep quote --json` prints) against its markets, offline, from the file alone.

    Or a plan of the log (what `sep events --at POSITION` prints of an IntentPlanned) against --snapshot. Replays every
    leg, computes the bound from the prices alone, compares every figure. Names each place that differs; exit code 1
    where one does.
    """
    from sep_core.markets.snapshot_reader import read_snapshot
    from sep_core.markets.strict_json import decode_strictly, read_file
    from sep_core.runtime.plan_check import check_answer
    from sep_core.runtime.stored_plan_check import is_stored_plan

    with Waiting("checking the route"):
        given = None if snapshot_file is None else read_snapshot(read_file(snapshot_file), str(snapshot_file))
        document = decode_strictly(read_file(file), str(file))
        if is_stored_plan(document):
            return _stored(document, file, given, account, as_json=as_json)
        if account is not None:
            raise click.UsageError("--account is for plans of the log; a route pays nobody")
        checked = check_answer(document, str(file), given)
    if as_json:
        emit_json(
            {
                "ok": not checked.differences,
                "snapshot_digest": checked.answer.snapshot_digest,
                "covered": checked.covered,
                "excluded": checked.answer.request.exclude,
                "not_checked": list(checked.unchecked),
                "differences": _differences(checked.differences),
            }
        )
    else:
        _show(checked)
    return EXIT_NEGATIVE if checked.differences else EXIT_OK


def _stored(
    document: object, file: Path, given: "SnapshotData | None", account: str | None, *, as_json: bool
) -> int:
    from sep_hooks.errors import SepError
    from sep_hooks.types import address

    from sep_core.markets.strict_json import FileRefused
    from sep_core.runtime.stored_plan_check import check_stored_plan

    if given is None:
        raise FileRefused(
            f"{file} is a plan of the log, which holds no snapshot",
            next_step="name the file of the markets that it was made on: --snapshot FILE",
        )
    try:
        payee = None if account is None else address(account)
    except SepError as error:
        raise click.UsageError(f"--account: {error.message}") from error
    checked = check_stored_plan(document, str(file), given, payee)
    if as_json:
        emit_json(
            {
                "ok": not checked.differences,
                "snapshot_digest": checked.plan.snapshot.digest,
                "covered": checked.covered,
                "notes": list(checked.notes),
                "not_checked": list(checked.unchecked),
                "differences": _differences(checked.differences),
            }
        )
        return EXIT_NEGATIVE if checked.differences else EXIT_OK
    if checked.differences:
        _show_differences(checked.differences)
        return EXIT_NEGATIVE
    click.echo(
        f"verified  plan {checked.plan.digest}: each amount holds on its snapshot, flows, limits and allowances agree"
    )
    _show_limits(checked.plan, given)
    if checked.covered is not None and checked.plan.certificate is not None:
        gap = float.fromhex(checked.plan.certificate.gap_before_gas) * 10_000
        click.echo(
            f"proven    at most {gap:.6g} bp below the best possible before gas, over {checked.covered} of"
            f" {len(given.markets)} markets"
        )
    for note in checked.notes:
        emit_wrapped(note, first="note      ")
    for one in checked.unchecked:
        emit_wrapped(one, first="unchecked ")
    return EXIT_OK


def _show_limits(plan: "Plan", data: "SnapshotData") -> None:
    """What the plan may spend at most and must bring at least, which no snapshot can judge."""
    from sep_core.runtime.quotes import Told

    told = Told(data)
    most = " and ".join(told.amount(one.asset, one.limit).text for one in plan.spends)
    least = " and ".join(
        f"{told.amount(one.asset, one.limit).text} of {told.amount(one.asset, one.expected).text}"
        for one in plan.receives
    )
    emit_wrapped(f"spends at most {most}, brings at least {least} expected", first="limits    ")


def _differences(found: "Sequence[Difference]") -> list[dict[str, str]]:
    return [{"pointer": one.pointer, "said": one.said, "found": one.found} for one in found]


def _show_differences(found: "Sequence[Difference]") -> None:
    for one in found:
        emit_wrapped(
            f"{one.pointer}: the file says {one.said}, the snapshot gives {one.found}", first="DIFFERS  "
        )
    click.echo("next  do not act on it; make the quote anew and compare")


def _show(checked: "CheckedPlan") -> None:
    answer = checked.answer
    if not checked.differences:
        paid = " and ".join(one.text for one in answer.spends)
        got = " and ".join(one.text for one in answer.receives)
        gap = float(answer.certificate.gap_before_gas) * 10_000
        click.echo(
            f"verified  {paid} for {got} through {len(answer.legs)} markets, each amount to the last unit"
        )
        click.echo(
            f"proven    at most {gap:.6g} bp below the best possible before gas, over {checked.covered} of"
            f" {answer.markets} markets"
        )
        excluded = answer.request.exclude
        if excluded:
            more = f" and {len(excluded) - _MOST_NAMED} more" if len(excluded) > _MOST_NAMED else ""
            emit_wrapped(
                f"{', '.join(excluded[:_MOST_NAMED])}{more}, which the question excludes", first="without   "
            )
        for one in checked.unchecked:
            emit_wrapped(one, first="unchecked ")
        click.echo(f"snapshot  {answer.snapshot_digest}")
        return
    _show_differences(checked.differences)
