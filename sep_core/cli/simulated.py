"""The demonstration's chain as tables of a configuration."""

import json
from typing import Any

from sep_native.sim import default_genesis as default_genesis_text

_ASSET = """\
[assets.{symbol}]
chain = "simulated"
address = "{address}"
decimals = {decimals}

"""


def genesis(seed: int) -> dict[str, Any]:
    """The genesis of the demonstration's chain."""
    document = json.loads(default_genesis_text(seed))
    assert isinstance(document, dict)
    return document


def assets_text(seed: int) -> str:
    """The chain's tokens as `[assets.*]`."""
    return "".join(_ASSET.format(**token) for token in genesis(seed)["tokens"])


def demo_owner(seed: int) -> str:
    """An account that owns something there."""
    return str(genesis(seed)["accounts"][0]["address"])
