"""Plans as earlier releases wrote them: one asset spent, one received, each figure in a field of its own."""

from collections.abc import Mapping
from typing import cast

from sep_hooks.types import Json


def plan_with_flows(body: Mapping[str, Json]) -> Mapping[str, Json]:
    """The body of `IntentPlanned` v1 as v2 says it."""
    plan = cast(Mapping[str, Json], body["plan"])
    return {**body, "plan": {**plan, "spends": [_flow(plan, "in")], "receives": [_flow(plan, "out")]}}


def _flow(plan: Mapping[str, Json], side: str) -> Json:
    figures = ("asset", "expected", "limit", "quoted")
    return {figure: plan[f"{figure}_{side}"] for figure in figures}
