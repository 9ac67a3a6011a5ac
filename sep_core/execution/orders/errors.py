"""What the lane of orders refuses; each refusal guards an invariant and leaves lane and venue as they were."""

from sep_core.execution.errors import LaneError


class OrderBound(LaneError):
    """The intent has an order that is not closed, or its step had one already."""

    code = "order_bound"


class ForeignReport(LaneError):
    """What the venue tells under the name of an order is not of that order."""

    code = "foreign_report"


class TradesContradict(LaneError):
    """What the venue tells of an order contradicts what it told before."""

    code = "trades_contradict"


class TooEarlyToTell(LaneError):
    """The venue may still take the request in: that it knows no such order is no evidence."""

    code = "too_early_to_tell"
