"""From `sep.toml` and the environment to `Settings`; every mistake is reported, all of them together."""

import ipaddress
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

from sep_hooks.types import IntentType

from sep_core.plugins.names import normalised
from sep_core.runtime.settings_file import Toml, overridden, read_tables
from sep_core.runtime.settings_mistakes import InvalidSettings, Mistake
from sep_core.runtime.settings_reader import SYMBOL, Checksum, Table
from sep_core.runtime.settings_values import (
    EXTERNAL,
    AccountSettings,
    ApiSettings,
    AssetSettings,
    Bounds,
    ChainSettings,
    IntentSettings,
    MirrorSettings,
    Mode,
    OrderAccountSettings,
    OrderVenueSettings,
    RelaySettings,
    RiskSettings,
    Section,
    Settings,
    SignerSettings,
    StoreSettings,
    StrategySettings,
    VenueSettings,
    frozen,
    resolve_assets,
    strategy_id,
)

__all__ = [
    "EXTERNAL",
    "AccountSettings",
    "ApiSettings",
    "AssetSettings",
    "Bounds",
    "ChainSettings",
    "IntentSettings",
    "InvalidSettings",
    "MirrorSettings",
    "Mistake",
    "Mode",
    "OrderAccountSettings",
    "OrderVenueSettings",
    "RelaySettings",
    "RiskSettings",
    "Section",
    "Settings",
    "SignerSettings",
    "StoreSettings",
    "StrategySettings",
    "VenueSettings",
    "load_settings",
    "resolve_assets",
    "settings_of",
    "strategy_id",
]

ORDERS: Final = ("immediate", "resting")
"""What an account's orders do with what is not taken at once: cancel it, or rest until the deadline."""

DEFAULT_STORE_PATH: Final = "sep-data"
DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8765
DEFAULT_SLIPPAGE: Final = (Decimal("0.001"), Decimal("0.1"))
DEFAULT_QUORUM: Final = 2
LEAST_QUORUM: Final = 2
"""What one endpoint does not have is never evidence: it may lag, or keep no index."""
MOST_QUORUM: Final = 16
DEFAULT_ATTEMPTS: Final = 5
MOST_ATTEMPTS: Final = 100
DEFAULT_WINDOW_MS: Final = (60_000, 3_600_000)

_USE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DIST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST_WINDOW_MS = 366 * 24 * 3_600_000
_LIVE_LACKS = (
    'is "live", which is not available yet: it lacks the lock of plugins (sep-plugins.lock), a signer outside the '
    "process and `sep live enable`"
)


def load_settings(
    path: Path | None, environ: Mapping[str, str], *, checksum: Checksum | None = None
) -> Settings:
    """The settings that a file and the environment say; without a file, the defaults and the environment.

    `checksum` gives an address in the mixed case whose capitals prove it; by default the native core does.
    Raises `ConfigurationError`.
    """
    tables = {} if path is None else read_tables(path)
    folder = (Path.cwd() if path is None else path.parent).resolve()
    source = "the environment" if path is None else str(path)
    checking = checksum or _native_checksum
    return settings_of(overridden(tables, environ), source=source, folder=folder, checksum=checking)


def settings_of(
    tables: Mapping[str, Toml], *, source: str, folder: Path, checksum: Checksum | None = None
) -> Settings:
    """The settings that tables say. Raises `InvalidSettings` with every mistake."""
    mistakes: list[Mistake] = []
    root = Table("", tables, mistakes)
    accounts = list(root.tables("accounts"))
    settings = Settings(
        source=source,
        folder=folder,
        mode=_mode(root),
        store=_store(root, folder),
        plugins_enabled=_enabled(root),
        chains=frozen({name: _chain(name, table) for name, table in root.tables("chains")}),
        venues=frozen({name: _venue(name, table) for name, table in root.tables("venues")}),
        accounts=frozen(
            {
                name: _account(name, table, checksum)
                for name, table in accounts
                if not table.has("order_venue")
            }
        ),
        risk=frozen({name: _risk(name, table) for name, table in root.tables("risk")}),
        assets=frozen({name: _asset(name, table, checksum) for name, table in root.tables("assets", SYMBOL)}),
        strategies=frozen({name: _strategy(name, table) for name, table in root.tables("strategies")}),
        intents=_intents(root),
        api=_api(root),
        order_venues=frozen({name: _order_venue(name, table) for name, table in root.tables("order_venues")}),
        order_accounts=frozen(
            {name: _order_account(name, table) for name, table in accounts if table.has("order_venue")}
        ),
        buses=frozen({name: _mirror(name, table) for name, table in root.tables("buses")}),
        caches=frozen({name: _mirror(name, table) for name, table in root.tables("caches")}),
        relays=frozen({name: _relay(name, table) for name, table in root.tables("relays")}),
    )
    root.close()
    _cross_check(root, settings)
    if mistakes:
        raise InvalidSettings(source, mistakes, next_step="mend it and run `sep check`")
    return settings


def _native_checksum(address: str) -> str:
    from sep_core.runtime.native import checksum_address

    return checksum_address(address)


def _mode(root: Table) -> Mode:
    if root.raw("mode") == "live":
        root.wrong("mode", _LIVE_LACKS + '; use "paper" or "testnet"')
        return Mode.PAPER
    return Mode(root.choice("mode", [mode.value for mode in Mode], Mode.PAPER))


def _store(root: Table, folder: Path) -> StoreSettings:
    table = root.table("store")
    if table is None:
        return StoreSettings("sqlite", folder / DEFAULT_STORE_PATH, frozen({}))
    use = table.text("use", "sqlite", pattern=_USE)
    path = folder / table.text("path", DEFAULT_STORE_PATH)
    return StoreSettings(use, path, frozen(table.rest()))


def _enabled(root: Table) -> tuple[str, ...]:
    table = root.table("plugins")
    if table is None:
        return ()
    enabled = table.texts("enabled")
    for name in enabled:
        if not _DIST.fullmatch(name):
            table.wrong("enabled", f"lists {name!r}, which is no name of a distribution")
    table.close()
    names = [normalised(name) for name in enabled]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        table.wrong("enabled", f"lists {', '.join(doubled)} in two spellings")
    return tuple(dict.fromkeys(names))


def _chain(name: str, table: Table) -> ChainSettings:
    use = table.text("use", pattern=_USE)
    quorum = table.integer("rpc_quorum", DEFAULT_QUORUM, least=LEAST_QUORUM, most=MOST_QUORUM)
    return ChainSettings(name, use, frozen(table.rest()), quorum)


def _venue(instance: str, table: Table) -> VenueSettings:
    return VenueSettings(instance, table.text("use", pattern=_USE), table.text("chain"), frozen(table.rest()))


def _account(name: str, table: Table, checksum: Checksum | None) -> AccountSettings:
    signer = table.table("signer")
    account = AccountSettings(
        name,
        table.text("chain"),
        table.address("address", checksum),
        table.texts("funding"),
        None if signer is None else SignerSettings(signer.text("use", pattern=_USE), frozen(signer.rest())),
        table.address("executor", checksum) if table.has("executor") else None,
    )
    if account.executor == account.address:
        table.wrong("executor", "is the account itself; it must be the contract that the account owns")
    table.close()
    return account


def _order_venue(instance: str, table: Table) -> OrderVenueSettings:
    use, chain = table.text("use", pattern=_USE), table.text("chain")
    codes = table.table("assets")
    assets = {} if codes is None else {code: codes.text(code) for code in codes.values}
    return OrderVenueSettings(instance, use, chain, frozen(assets), frozen(table.rest()))


def _order_account(name: str, table: Table) -> OrderAccountSettings:
    account = OrderAccountSettings(
        name,
        table.text("order_venue"),
        table.texts("funding"),
        table.choice("orders", ORDERS, ORDERS[0]) == ORDERS[1],
    )
    table.close()
    return account


def _mirror(instance: str, table: Table) -> MirrorSettings:
    return MirrorSettings(instance, table.text("use", pattern=_USE), frozen(table.rest()))


def _relay(instance: str, table: Table) -> RelaySettings:
    return RelaySettings(instance, table.text("use", pattern=_USE), table.text("chain"), frozen(table.rest()))


def _risk(instance: str, table: Table) -> RiskSettings:
    return RiskSettings(instance, table.text("use", pattern=_USE), frozen(table.rest()))


def _asset(symbol: str, table: Table, checksum: Checksum | None) -> AssetSettings:
    asset = AssetSettings(
        symbol,
        table.text("chain"),
        table.address("address", checksum),
        table.integer("decimals", least=0, most=255),
    )
    table.close()
    return asset


def _strategy(instance: str, table: Table) -> StrategySettings:
    use = table.text("use", pattern=_USE)
    id_ = table.uuid("id")
    if use == EXTERNAL and not table.has("id"):
        table.wrong("id", "is missing; an external strategy is known by its UUID")
    account = table.text("account")
    if use == EXTERNAL:
        table.close()
    return StrategySettings(instance, use, id_ or strategy_id(instance), account, frozen(table.rest()))


def _intents(root: Table) -> IntentSettings:
    default = Bounds(DEFAULT_SLIPPAGE, DEFAULT_WINDOW_MS, "default")
    bounds: dict[IntentType, Bounds] = {}
    attempts = DEFAULT_ATTEMPTS
    intents = root.table("intents")
    if intents is not None:
        table = intents.table("bounds")
        if table is not None:
            default = _bounds(table, "default", default)
            for key in table.values:
                if key.upper() in IntentType:
                    bounds[IntentType(key.upper())] = _bounds(table, key, default)
            known = ", ".join(["default", *IntentType])
            for key in table.values:
                if key != "default" and key.upper() not in IntentType:
                    table.wrong(key, f"is no type of intent; known are {known}")
        attempts = intents.integer("max_attempts", DEFAULT_ATTEMPTS, least=1, most=MOST_ATTEMPTS)
        intents.close()
    return IntentSettings(frozen({type_: bounds.get(type_, default) for type_ in IntentType}), attempts)


def _bounds(outer: Table, key: str, default: Bounds) -> Bounds:
    table = outer.table(key)
    if table is None:
        return default
    result = Bounds(
        table.ratios("max_slippage", default.max_slippage),
        table.integers("time_window_ms", default.time_window_ms, least=1, most=_LONGEST_WINDOW_MS),
        table.pointer,
    )
    table.close()
    return result


def _api(root: Table) -> ApiSettings:
    table = root.table("api")
    if table is None:
        return ApiSettings(DEFAULT_HOST, DEFAULT_PORT)
    api = ApiSettings(
        table.text("host", DEFAULT_HOST), table.integer("port", DEFAULT_PORT, least=0, most=65535)
    )
    table.close()
    if not _loopback(api.host):
        table.wrong(
            "host",
            f'is "{api.host}", which others can reach; authentication of people and agents is not available '
            f'yet, so it must be a loopback address like "{DEFAULT_HOST}"',
        )
    return api


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _cross_check(root: Table, settings: Settings) -> None:
    for venue in settings.venues.values():
        root.among(f"venues.{venue.instance}.chain", venue.chain, settings.chains, "chains")
    for account in settings.accounts.values():
        root.among(f"accounts.{account.name}.chain", account.chain, settings.chains, "chains")
        for symbol in account.funding:
            root.among(f"accounts.{account.name}.funding", symbol, settings.assets, "assets")
            asset = settings.assets.get(symbol)
            if asset is not None and asset.chain != account.chain:
                root.wrong(
                    f"accounts.{account.name}.funding",
                    f"lists {symbol}, which is on chain {asset.chain!r}; the account is on {account.chain!r}",
                )
    for asset in settings.assets.values():
        root.among(f"assets.{asset.symbol}.chain", asset.chain, settings.chains, "chains")
    for strategy in settings.strategies.values():
        accounts = {**settings.accounts, **settings.order_accounts}
        root.among(f"strategies.{strategy.instance}.account", strategy.account, accounts, "accounts")
        signer = settings.accounts.get(strategy.account)
        if settings.mode is Mode.TESTNET and signer is not None and signer.signer is None:
            root.wrong(
                f"accounts.{strategy.account}.signer",
                'is missing; mode "testnet" signs what the strategy wants',
            )
    _check_order_venues(root, settings)
    _check_relays(root, settings)
    _unique_addresses(root, settings)
    _unique_ids(root, settings)
    _unique_tokens(root, settings)


def _check_order_venues(root: Table, settings: Settings) -> None:
    for venue in settings.order_venues.values():
        root.among(f"order_venues.{venue.instance}.chain", venue.chain, settings.chains, "chains")
        if venue.instance in settings.venues:
            root.wrong(
                f"order_venues.{venue.instance}", "is also the name of a table in [venues]; names are unique"
            )
        for code, symbol in venue.assets.items():
            pointer = f"order_venues.{venue.instance}.assets.{code}"
            root.among(pointer, symbol, settings.assets, "assets")
            asset = settings.assets.get(symbol)
            if asset is not None and asset.chain != venue.chain:
                root.wrong(pointer, f"is {symbol}, which is on chain {asset.chain!r}, not on {venue.chain!r}")
    seen: dict[str, str] = {}
    for account in settings.order_accounts.values():
        pointer = f"accounts.{account.name}"
        root.among(f"{pointer}.order_venue", account.venue, settings.order_venues, "order_venues")
        if account.venue in seen:
            root.wrong(
                f"{pointer}.order_venue",
                f"is also that of {seen[account.venue]!r}; the keys of an order venue's table are one account's",
            )
        seen.setdefault(account.venue, account.name)
        at = settings.order_venues.get(account.venue)
        for symbol in account.funding:
            root.among(f"{pointer}.funding", symbol, settings.assets, "assets")
            asset = settings.assets.get(symbol)
            if asset is not None and at is not None and asset.chain != at.chain:
                root.wrong(
                    f"{pointer}.funding",
                    f"lists {symbol}, which is on chain {asset.chain!r}; {at.instance!r} trades those of {at.chain!r}",
                )


def _check_relays(root: Table, settings: Settings) -> None:
    seen: dict[str, str] = {}
    for relay in settings.relays.values():
        pointer = f"relays.{relay.instance}.chain"
        root.among(pointer, relay.chain, settings.chains, "chains")
        if relay.chain in seen:
            root.wrong(pointer, f"is also that of {seen[relay.chain]!r}; a chain has one relay")
        seen.setdefault(relay.chain, relay.instance)


def _unique_addresses(root: Table, settings: Settings) -> None:
    seen: dict[tuple[str, str], str] = {}
    for account in settings.accounts.values():
        key = (account.chain, account.address)
        if key in seen and account.address:
            root.wrong(
                f"accounts.{account.name}.address",
                f"is also the address of {seen[key]!r} on the chain; one address is one account",
            )
        seen.setdefault(key, account.name)


def _unique_ids(root: Table, settings: Settings) -> None:
    seen: dict[UUID, str] = {}
    for strategy in settings.strategies.values():
        if strategy.id in seen:
            root.wrong(f"strategies.{strategy.instance}.id", f"is also the id of {seen[strategy.id]!r}")
        seen[strategy.id] = strategy.instance


def _unique_tokens(root: Table, settings: Settings) -> None:
    seen: dict[tuple[str, str], str] = {}
    for asset in settings.assets.values():
        key = (asset.chain, asset.address)
        if key in seen and asset.address:
            root.wrong(f"assets.{asset.symbol}.address", f"is also the address of {seen[key]!r} on the chain")
        seen[key] = asset.symbol
