"""One command in, all its facts out."""

from sep_core.events.decided import Decided
from sep_core.execution.commands import (
    AdoptAssets,
    AdoptSigned,
    OpenAccount,
    RecordBroadcast,
    RecordChainReorg,
    RecordDoubt,
    RecordFinal,
    RecordLeak,
    RecordNonceConsumed,
    RecordPaperFill,
    RecordPublished,
    RecordReceipt,
    RecordRefused,
    RecordReorg,
    RecordReplaced,
    RecordSigned,
    ReleaseAccount,
)
from sep_core.execution.orders import (
    OpenOrderAccount,
    RecordOrder,
    RecordOrderAbsent,
    RecordOrderCancel,
    RecordOrderDoubt,
    ReserveOrder,
)
from sep_core.runtime.commands import (
    CancelIntent,
    ExpireIntent,
    KernelCommand,
    RecordFacts,
    RecordPlan,
    RecordPlanFailure,
    RecordSlicing,
    ReleaseSlices,
    StopStrategy,
    SubmitIntent,
    WithdrawPlan,
)
from sep_core.runtime.flow import effects, family, life, orders, slices, strategy
from sep_core.runtime.flow.composition import Composition
from sep_core.runtime.world import World
from sep_core.strategies import Advance

type Facts = tuple[Decided, ...]


def decide(world: World, command: KernelCommand, composition: Composition) -> Facts:
    """What follows from a command, in every room and for parents and children; nothing where it says nothing new."""
    return family.followed(world, _decided(world, command, composition), composition)


def _decided(world: World, command: KernelCommand, composition: Composition) -> Facts:
    match command:
        case SubmitIntent():
            return life.submit(world, command, composition)
        case RecordPlan():
            return life.planned(world, command, composition)
        case RecordPlanFailure():
            return life.plan_failed(world, command)
        case WithdrawPlan():
            return life.withdrawn(world, command, composition)
        case CancelIntent():
            return life.cancelled(world, command, composition)
        case ExpireIntent():
            return life.expired(world, command, composition)
        case ReleaseSlices():
            return slices.due(world, command, composition)
        case RecordSlicing():
            return slices.counted(world, command, composition)
        case Advance():
            return strategy.advanced(world, command, composition)
        case StopStrategy():
            return strategy.stopped(world, command, composition)
        case RecordFacts():
            return tuple(Decided(stream, fact) for stream, fact in command.facts)
        case RecordPaperFill():
            return effects.filled_on_paper(world, command, composition)
        case RecordSigned():
            return effects.signed(world, command, composition)
        case (
            RecordReceipt()
            | RecordReorg()
            | RecordBroadcast()
            | RecordDoubt()
            | RecordLeak()
            | RecordPublished()
            | AdoptSigned()
            | RecordReplaced()
            | RecordRefused()
        ):
            return effects.observed(world, command, composition)
        case RecordFinal() | RecordNonceConsumed():
            return effects.finished(world, command, composition)
        case OpenAccount() | AdoptAssets():
            return effects.opened(world, command, composition)
        case ReleaseAccount():
            return effects.released(world, command, composition)
        case RecordChainReorg():
            return effects.chain_reorganised(command)
        case OpenOrderAccount():
            return orders.opened(world, command, composition)
        case ReserveOrder():
            return orders.reserved(world, command)
        case RecordOrder() | RecordOrderAbsent() | RecordOrderCancel() | RecordOrderDoubt():
            return orders.observed(world, command, composition)
