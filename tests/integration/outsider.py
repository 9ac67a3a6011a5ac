"""A third party's venue, as its author has it: a project that knows the published contract and nothing else."""

from pathlib import Path
from textwrap import dedent
from typing import Final

DIST: Final = "acme-venue-quotes"
_PACKAGE: Final = "acme_venue_quotes"

_PROJECT: Final = f"""
    [project]
    name = "{DIST}"
    version = "1.0"
    description = "A pair contract of which nothing is known but its quotes."
    requires-python = ">=3.13"
    license = "Apache-2.0"
    dependencies = ["sep-hooks>=0.1,<1"]

    [project.entry-points."sep_core.venues"]
    acme-quotes = "{_PACKAGE}:Quotes"

    [build-system]
    requires = ["hatchling"]
    build-backend = "hatchling.build"

    [tool.hatch.build.targets.wheel]
    packages = ["{_PACKAGE}"]
"""

_MANIFEST: Final = """
    schema = 1

    [[plugin]]
    name = "acme-quotes"
    kind = "venue"
    api = ">=0.1,<1"
    summary = "A pair behind a router, by its quotes"

    [plugin.capabilities]
    quote_exact_in = "full"
    quote_exact_out = "full"
    on_chain_quote = "full"
    states_from_logs = "unsupported"
    pool_discovery = "unsupported"
    multi_hop = "unsupported"
    call_deadline = "full"
    call_recipient = "full"
    orderbook_stream = "unsupported"
    order_cancel = "unsupported"
    order_lookup = "unsupported"

    [plugin.permissions]
    net = ["rpc"]
    sign = ["swap", "approve"]
"""

_VENUE: Final = '''
    """A pair behind a router with `getAmountsOut`; whatever mathematics stands behind it."""

    from sep_hooks.config import PluginConfig
    from sep_hooks.errors import VenueError
    from sep_hooks.sampled_venue import SampledVenue
    from sep_hooks.types import Amount, Call, SwapFill, address, erc20, token_address


    class QuotesConfig(PluginConfig):
        """`pair` is the contract that holds `tokens`, `router` the one that is called."""

        router: str
        pair: str
        tokens: tuple[str, str]


    class Quotes(SampledVenue[QuotesConfig]):
        """One pair."""

        Config = QuotesConfig

        async def markets(self):
            chain = self.context.chain_id
            assets = [erc20(chain, address(token)) for token in self.config.tokens]
            return [self.market_of_pair("pair", assets, address=address(self.config.pair), gas=120_000)]

        def sizes(self, market, asset_in):
            del market, asset_in
            return sorted(Amount(part << power) for power in range(20, 75) for part in (4, 5, 6, 7))

        def spender(self, order):
            return address(self.config.router)

        def swap_call(self, order):
            leg = self._leg(order)
            name = "swapExactTokensForTokens" if order.exact_in else "swapTokensForExactTokens"
            amounts = (order.amount_in, order.amount_out) if order.exact_in else (order.amount_out, order.amount_in)
            return self._call(
                name + "(uint256,uint256,address[],address,uint256)",
                (*amounts, self._path(leg), order.recipient, order.deadline),
            )

        def quote_call(self, order):
            leg = self._leg(order)
            name, amount = ("getAmountsOut", order.amount_in) if order.exact_in else ("getAmountsIn", order.amount_out)
            return self._call(name + "(uint256,address[])", (amount, self._path(leg)))

        def quoted_amount(self, order, output):
            try:
                (amounts,) = self.context.abi.decode("(uint256[])", output)
            except Exception as error:
                raise VenueError(f"the router answered something else: {error}") from error
            return Amount(amounts[-1] if order.exact_in else amounts[0])

        def fills(self, order, logs):
            leg = self._leg(order)
            pair = address(self.config.pair)
            paid = self._moved(logs, leg.asset_in, "to", pair)
            got = self._moved(logs, leg.asset_out, "from", pair)
            if len(paid) != 1 or len(got) != 1:
                raise VenueError("the pair did not trade once")
            (into, _), (out, ordinal) = paid[0], got[0]
            return [SwapFill(leg.market, leg.asset_in, Amount(into), leg.asset_out, Amount(out), ordinal)]

        def _leg(self, order):
            tokens = {address(token) for token in self.config.tokens}
            if len(order.legs) != 1 or order.amount_in <= 0 or order.amount_out <= 0:
                raise VenueError("an order here has one leg and amounts above zero")
            (leg,) = order.legs
            known = leg.market == f"{self.context.instance}/pair"
            if not known or {token_address(leg.asset_in), token_address(leg.asset_out)} != tokens:
                raise VenueError(f"{leg.market} does not trade {leg.asset_in} for {leg.asset_out}")
            return leg

        def _moved(self, logs, asset, side, pair):
            return [
                (log.arguments["value"], log.log.ordinal)
                for log in logs
                if log.event == "Transfer"
                and log.log.address == token_address(asset)
                and log.arguments[side] == pair
            ]

        def _path(self, leg):
            return token_address(leg.asset_in), token_address(leg.asset_out)

        def _call(self, signature, arguments):
            return Call(address(self.config.router), self.context.abi.encode_call(signature, arguments))
'''

_SUITE: Final = f'''
    """The conformance kit, as its documentation says."""

    import pytest
    from {_PACKAGE} import Quotes, QuotesConfig
    from sep_hooks.context import VenueContext
    from sep_hooks.testing.abi import EthAbi
    from sep_hooks.testing.fakes import FakeClock, FakeLog
    from sep_hooks.testing.venue import VenueSuite
    from sep_testnet.node_reads import NodeReads

    pytest_plugins = ["sep_testnet.fixtures"]


    class TestQuotes(VenueSuite):
        @pytest.fixture
        async def venue(self, testnet):
            found = testnet.deployment
            (pair,) = found.v2_pairs
            tokens = (found.tokens["WETH"], found.tokens["USDC"])
            config = QuotesConfig(router=found.v2_router, pair=pair.address, tokens=tokens)
            context = VenueContext("acme", FakeClock(), FakeLog(), NodeReads(testnet), EthAbi(), found.chain_id)
            return Quotes(config, context)

        @pytest.fixture
        def head(self, testnet):
            return NodeReads(testnet).head()
'''


def write_project(folder: Path) -> Path:
    """Writes the project; answers its folder."""
    files = {
        "pyproject.toml": _PROJECT,
        f"{_PACKAGE}/__init__.py": _VENUE,
        f"{_PACKAGE}/sep-plugin.toml": _MANIFEST,
        "tests/test_conformance.py": _SUITE,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    return folder
