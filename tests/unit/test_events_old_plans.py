"""Plans that earlier releases wrote stay readable, under the same meaning."""

import copy
import json
from typing import Any, cast

from sep_hooks.testing.risk import BASE, QUOTE, swap_plan

from sep_core.events.codec import encode
from sep_core.events.facts import IntentPlanned
from sep_core.events.registry import decode_fact, encode_fact, fact_type


def as_first_release(body: Any) -> Any:
    """What the first release wrote of the same plan."""
    old = copy.deepcopy(body)
    plan = old["plan"]
    for side, flows in (("in", plan.pop("spends")), ("out", plan.pop("receives"))):
        plan |= {f"{figure}_{side}": flows[0][figure] for figure in ("asset", "expected", "limit", "quoted")}
    for added in ("mode", "mode_reason", "later", "certificate", "sandwich", "whole"):
        del plan[added]
    for step in plan["steps"]:
        del step["bundle"]
    return old


def test_plans_of_the_first_release_are_read_as_they_were_meant() -> None:
    for exact_in in (True, False):
        fact = IntentPlanned(swap_plan(exact_in=exact_in), None, 1)
        assert fact_type(fact) == ("IntentPlanned", 2)
        old = as_first_release(json.loads(json.dumps(encode_fact(fact))))
        read = cast(IntentPlanned, decode_fact("IntentPlanned", 1, encode(old)))
        assert read == fact
        assert (read.plan.asset_in, read.plan.asset_out) == (QUOTE, BASE)
