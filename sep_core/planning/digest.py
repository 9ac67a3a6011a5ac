"""A plan's name: the hash of all that it says."""

import hashlib
from dataclasses import replace

from sep_hooks.types import Plan

from sep_core.events.codec import encode
from sep_core.events.values import value_codec

_encode_plan, _ = value_codec(Plan)


def plan_digest(plan: Plan) -> str:
    """SHA-256 over the plan's canonical JSON, its own digest left empty."""
    return "0x" + hashlib.sha256(encode(_encode_plan(replace(plan, digest="")))).hexdigest()


def named(plan: Plan) -> Plan:
    """The plan under its digest."""
    return replace(plan, digest=plan_digest(plan))
