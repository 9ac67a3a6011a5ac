"""The texts of a box: configuration, example intent, key store and its password."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from .box import BoxChain, BoxFile
from .deployment import TOKEN_DECIMALS, Deployment

KEYSTORE_PATH = "keys/main.json"
PASSWORD_PATH = "secrets/main"  # noqa: S105 - a path
API_HOST = "127.0.0.1"
API_PORT = 8765
STRATEGY_ID = "c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d"
EXAMPLE_INTENT_ID = "a3a2e9a8-1b3c-4d5e-8f6a-7b8c9d0e1f2a"
MAX_NOTIONAL_USDC = 50_000 * 10**6
# Enough for a key that guards play money; real key stores keep the library's own, slower number.
_SCRYPT_ROUNDS = 4096
_PLUGINS = (
    "sep-chain-evm",
    "sep-venue-uniswap-v3",
    "sep-venue-uniswap-v2",
    "sep-venue-balancer",
    "sep-venue-curve",
    "sep-risk-limits",
)


@dataclass(frozen=True, slots=True)
class BoxKey:
    """A new account: its address, its encrypted key and the password, made for one box."""

    address: str
    keystore: str
    password: str


def new_key() -> BoxKey:
    """Make an account that exists nowhere else."""
    # eth_account costs half a second to import: only those who start a box pay it.
    from eth_account import Account

    password = secrets.token_urlsafe(24)
    account = Account.from_key(secrets.token_bytes(32))
    keystore = json.dumps(account.encrypt(password, iterations=_SCRYPT_ROUNDS), indent=2)
    return BoxKey(str(account.address), keystore + "\n", password)


def box_files(chains: Sequence[BoxChain], key: BoxKey) -> list[BoxFile]:
    """Give all files of a box; the first chain is the example's."""
    return [
        BoxFile("sep.toml", configuration(chains, key.address)),
        BoxFile("intent.json", example_intent(chains[0].deployment)),
        BoxFile(KEYSTORE_PATH, key.keystore, secret=True),
        BoxFile(PASSWORD_PATH, key.password, secret=True),
    ]


def example_intent(deployment: Deployment) -> str:
    """Give the body that asks for a tenth of an ether, as the first intent of the example strategy."""
    asset = {
        "symbol": "WETH",
        "address": deployment.weth,
        "decimals": TOKEN_DECIMALS["WETH"],
        "chain_id": deployment.chain_id,
    }
    intent = {
        "id": EXAMPLE_INTENT_ID,
        "strategy_id": STRATEGY_ID,
        "type": "ACQUIRE",
        "assets": [{"asset": asset, "amount": str(10**17), "percentage": 1.0}],
        "constraints": {"max_slippage": 0.005, "time_window_ms": 60000, "execution_style": "ADAPTIVE"},
    }
    return json.dumps(intent, indent=2) + "\n"


def configuration(chains: Sequence[BoxChain], address: str) -> str:
    """Give the text of `sep.toml`; tables of the second chain and later carry the chain's name."""
    tables = [
        "# Written by `sep testnet up` for the local chains of this folder. Everything on them is play money.",
        'mode = "testnet"',
        _table("store", path="sep-data"),
        _table("api", host=API_HOST, port=API_PORT),
        _table("plugins", enabled=list(_PLUGINS)),
    ]
    for position, chain in enumerate(chains):
        suffix = f"-{chain.name}" if position else ""
        tables += _chain_tables(chain, suffix)
        tables.append(
            _table(f"accounts.main{suffix}", chain=chain.name, address=address, funding=["USDC" + suffix])
            + f'\nsigner = {{ use = "keystore", path = "{KEYSTORE_PATH}",'
            + f' password = {{ file = "{PASSWORD_PATH}" }} }}'
        )
    tables += [
        _table("risk.limits", use="limits", numeraire="USDC", max_notional=str(MAX_NOTIONAL_USDC)),
        _table("strategies.quickstart", use="external", id=STRATEGY_ID, account="main"),
    ]
    return "\n\n".join(tables) + "\n"


def _chain_tables(chain: BoxChain, suffix: str) -> list[str]:
    found = chain.deployment
    tables = [
        _table(f"chains.{chain.name}", use=chain.name, rpc=[chain.rpc]),
        _table(
            f"venues.uniswap-v3{suffix}",
            use="uniswap-v3",
            chain=chain.name,
            factory=found.v3_factory,
            router=found.swap_router_02,
            quoter=found.quoter_v2,
            tick_lens=found.tick_lens,
            pools=[pool.address for pool in found.v3_pools],
        ),
        _table(
            f"venues.uniswap-v2{suffix}",
            use="uniswap-v2",
            chain=chain.name,
            factory=found.v2_factory,
            router=found.v2_router,
            pools=[pair.address for pair in found.v2_pairs],
        ),
        _table(
            f"venues.balancer{suffix}",
            use="balancer",
            chain=chain.name,
            vault=found.balancer_vault,
            queries=found.balancer_queries,
            pools=[pool.address for pool in found.balancer_pools],
        ),
        _table(
            f"venues.curve{suffix}",
            use="curve",
            chain=chain.name,
            pools=[pool.address for pool in found.stable_pools],
        ),
    ]
    for symbol, token in found.tokens.items():
        tables.append(
            _table(
                f"assets.{symbol}{suffix}", chain=chain.name, address=token, decimals=TOKEN_DECIMALS[symbol]
            )
        )
    return tables


def _table(name: str, **values: str | int | list[str]) -> str:
    # JSON's strings, integers and lists of strings are TOML's too.
    return "\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())])
