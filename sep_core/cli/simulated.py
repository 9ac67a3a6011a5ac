"""The demonstration's chain as tables of a configuration."""

import json
from typing import Any

from sep_core.runtime.native import default_genesis

_ASSET = """\
[assets.{symbol}]
chain = "simulated"
address = "{address}"
decimals = {decimals}

"""


def genesis(seed: int) -> dict[str, Any]:
    """The genesis of the demonstration's chain."""
    document = json.loads(default_genesis(seed))
    assert isinstance(document, dict)
    return document


def assets_text(seed: int) -> str:
    """The chain's tokens as `[assets.*]`."""
    return assets_of(genesis(seed))


def assets_of(document: dict[str, Any]) -> str:
    """The same for a genesis document."""
    return "".join(_ASSET.format(**token) for token in document["tokens"])


def demo_owners(seed: int) -> list[str]:
    """The accounts that own something there."""
    return [str(account["address"]) for account in genesis(seed)["accounts"]]
