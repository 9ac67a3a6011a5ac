"""The settings of one engine: what `sep.toml` and the environment say, checked and frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final
from uuid import UUID, uuid5

from sep_hooks.types import Address, Asset, ChainRef, IntentType, erc20, evm_chain

from sep_core.runtime.settings_file import Toml

EXTERNAL: Final = "external"
"""What `use` says for a strategy that lives outside the process and speaks HTTP."""

_STRATEGIES: Final = UUID("6f1d0c0e-2b0a-5c53-9a52-0d6c1f0a7a11")

type Section = Mapping[str, Toml]
"""Keys that belong to a plugin, as they stand in the file; validated when its class is known."""


class Mode(StrEnum):
    """How real the money is."""

    PAPER = "paper"
    TESTNET = "testnet"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """`[store]`: where events are kept; `path` is the data folder."""

    use: str
    path: Path
    rest: Section


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """`[chains.<name>]`. `rpc_quorum` endpoints must agree before anything is concluded from what they do not have."""

    name: str
    use: str
    rest: Section
    rpc_quorum: int


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """`[venues.<instance>]`."""

    instance: str
    use: str
    chain: str
    rest: Section


@dataclass(frozen=True, slots=True)
class SignerSettings:
    """`[accounts.<name>.signer]`."""

    use: str
    rest: Section


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """`[accounts.<name>]`: who signs, which assets (by symbol) may be spent, and the account's own executor contract,
    where it has one.
    """

    name: str
    chain: str
    address: Address
    funding: tuple[str, ...]
    signer: SignerSettings | None
    executor: Address | None = None


@dataclass(frozen=True, slots=True)
class OrderVenueSettings:
    """`[order_venues.<instance>]`. `assets` are symbols by the venue's own codes, where those differ."""

    instance: str
    use: str
    chain: str
    assets: Mapping[str, str]
    rest: Section


@dataclass(frozen=True, slots=True)
class OrderAccountSettings:
    """`[accounts.<name>]` at an order venue: what may be spent, and whether orders rest until the deadline."""

    name: str
    venue: str
    funding: tuple[str, ...]
    resting: bool


@dataclass(frozen=True, slots=True)
class RiskSettings:
    """`[risk.<instance>]`."""

    instance: str
    use: str
    rest: Section


@dataclass(frozen=True, slots=True)
class AssetSettings:
    """`[assets.<SYMBOL>]`: what a symbol in this file means; nothing else resolves symbols."""

    symbol: str
    chain: str
    address: Address
    decimals: int


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """`[strategies.<instance>]`. `id` is configured, or derived from the instance's name."""

    instance: str
    use: str
    id: UUID
    account: str
    rest: Section

    @property
    def external(self) -> bool:
        """Whether it lives outside the process."""
        return self.use == EXTERNAL


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an intent's constraints must lie between, ends included, and the table that says so."""

    max_slippage: tuple[Decimal, Decimal]
    time_window_ms: tuple[int, int]
    source: str


@dataclass(frozen=True, slots=True)
class IntentSettings:
    """`[intents]`. `max_attempts` bounds the plans of an intent and the slices that are scheduled again."""

    bounds: Mapping[IntentType, Bounds]
    max_attempts: int


@dataclass(frozen=True, slots=True)
class MirrorSettings:
    """`[buses.<instance>]` or `[caches.<instance>]`; `rest` belongs to the plugin."""

    instance: str
    use: str
    rest: Section


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """`[relays.<instance>]`: the way past the public pool of a chain; `rest` belongs to the plugin."""

    instance: str
    use: str
    chain: str
    rest: Section


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """`[api]`."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured. `source` names the file, `folder` is what its relative paths start from."""

    source: str
    folder: Path
    mode: Mode
    store: StoreSettings
    plugins_enabled: tuple[str, ...]
    chains: Mapping[str, ChainSettings]
    venues: Mapping[str, VenueSettings]
    accounts: Mapping[str, AccountSettings]
    risk: Mapping[str, RiskSettings]
    assets: Mapping[str, AssetSettings]
    strategies: Mapping[str, StrategySettings]
    intents: IntentSettings
    api: ApiSettings
    order_venues: Mapping[str, OrderVenueSettings] = MappingProxyType({})
    order_accounts: Mapping[str, OrderAccountSettings] = MappingProxyType({})
    buses: Mapping[str, MirrorSettings] = MappingProxyType({})
    caches: Mapping[str, MirrorSettings] = MappingProxyType({})
    relays: Mapping[str, RelaySettings] = MappingProxyType({})

    def strategy_by_id(self, id: UUID) -> StrategySettings | None:
        """The strategy that calls itself by this id, or None."""
        return next((one for one in self.strategies.values() if one.id == id), None)


def frozen[K, V](values: Mapping[K, V]) -> Mapping[K, V]:
    """A read-only view of a mapping that nobody else holds."""
    return MappingProxyType(dict(values))


def strategy_id(instance: str) -> UUID:
    """The id of a strategy that configures none; the same for the same name, for ever."""
    return uuid5(_STRATEGIES, instance)


def resolve_assets(settings: Settings, chain_ids: Mapping[str, int]) -> Mapping[str, Asset]:
    """The configured assets by symbol, once the chains have told their numeric ids.

    An asset whose chain is not among `chain_ids` is absent.
    """
    return frozen(
        {
            one.symbol: Asset(erc20(chain_ids[one.chain], one.address), one.symbol, one.decimals)
            for one in settings.assets.values()
            if one.chain in chain_ids
        }
    )


def chain_refs(chain_ids: Mapping[str, int]) -> Mapping[str, ChainRef]:
    """The CAIP-2 texts of configured chains by name."""
    return frozen({name: evm_chain(number) for name, number in chain_ids.items()})
