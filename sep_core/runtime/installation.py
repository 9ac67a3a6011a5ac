"""From settings to living parts: every plugin that the configuration names, vetted, constructed, in its place."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from sep_hooks.capabilities import Capability, Support
from sep_hooks.chain import ChainAdapter, ChainPreset
from sep_hooks.context import Clock, PluginContext, SignerContext, VenueContext
from sep_hooks.errors import ConfigurationError, PluginError, SepError
from sep_hooks.order_venue import OrderVenue
from sep_hooks.relay import PrivateRelay
from sep_hooks.risk import RiskRule
from sep_hooks.signer import Signer
from sep_hooks.strategy import Strategy
from sep_hooks.types import Address, Asset, ChainRef, evm_chain
from sep_hooks.venue import VenueAdapter

from sep_core.chains.access import ChainAccess
from sep_core.chains.native import VenueLogs
from sep_core.intents import Bounds, IntentRules, KnownAccount, Roster
from sep_core.plugins.activation import activate
from sep_core.plugins.discovery import discover
from sep_core.plugins.dispatch import hook_names
from sep_core.plugins.facts import PluginFact, activated, rejected, rejected_at_load
from sep_core.plugins.failure import PluginFault
from sep_core.plugins.guard import Guard
from sep_core.plugins.holding import Holding
from sep_core.plugins.policy import Policy
from sep_core.plugins.quarantine import Quarantine
from sep_core.plugins.reference import PluginRef, Stage
from sep_core.plugins.registry import Loaded, LoadedHooks, Registry
from sep_core.runtime.settings import Mode, Section, Settings, resolve_assets
from sep_core.runtime.settings_secrets import PluginSection, Secrets, load_section
from sep_core.telemetry.log import NamedLog


@dataclass(frozen=True, slots=True)
class ChainPart:
    """A configured chain: what is known of it and the way to it."""

    name: str
    plugin: PluginRef
    preset: ChainPreset
    access: ChainAccess

    @property
    def ref(self) -> ChainRef:
        """Its CAIP-2 text."""
        return evm_chain(self.preset.chain_id)


@dataclass(frozen=True, slots=True)
class VenuePart:
    """A configured venue with the decoder of its events. `single_hop`: one call leads through one market only;
    `undated`: its calls hold no deadline.
    """

    instance: str
    use: str
    plugin: PluginRef
    chain: str
    adapter: VenueAdapter[Any]
    decoder: VenueLogs
    single_hop: bool = False
    undated: bool = False


@dataclass(frozen=True, slots=True)
class OrderVenuePart:
    """A configured order venue; `chain` is the table whose assets its codes mean."""

    instance: str
    use: str
    plugin: PluginRef
    chain: str
    adapter: OrderVenue[Any]


@dataclass(frozen=True, slots=True)
class RelayPart:
    """A configured relay, connected. `most_blocks` is how far ahead it takes transactions."""

    instance: str
    plugin: PluginRef
    adapter: PrivateRelay[Any]
    most_blocks: int


@dataclass(frozen=True, slots=True)
class StrategyPart:
    """A strategy in process: its class and configuration; the host makes and feeds the instance."""

    instance: str
    plugin: PluginRef
    cls: type[Strategy[Any, Any]]
    section: PluginSection[Any]


@dataclass(slots=True)
class Installation:
    """All parts of one engine, and the facts that say which code they are."""

    settings: Settings
    secrets: Secrets
    guard: Guard
    registry: Registry
    hooks: tuple[LoadedHooks, ...] = ()
    chains: dict[str, ChainPart] = field(default_factory=dict)
    venues: dict[str, VenuePart] = field(default_factory=dict)
    order_venues: dict[str, OrderVenuePart] = field(default_factory=dict)
    relays: dict[str, RelayPart] = field(default_factory=dict)
    """By the name of the chain; only where something is sent."""
    rules: dict[str, RiskRule[Any]] = field(default_factory=dict)
    rule_refs: dict[str, PluginRef] = field(default_factory=dict)
    signers: dict[str, Signer[Any]] = field(default_factory=dict)
    strategies: dict[str, StrategyPart] = field(default_factory=dict)
    assets: Mapping[str, Asset] = field(default_factory=dict)
    refs: dict[str, PluginRef] = field(default_factory=dict)
    left_out: dict[PluginRef, str] = field(default_factory=dict)

    def part_of(self, ref: ChainRef) -> ChainPart | None:
        """The part that stands for a chain; None where the configuration has none."""
        return next((part for part in self.chains.values() if part.ref == ref), None)

    def chain_of(self, ref: ChainRef) -> ChainPart:
        """The part that stands for a chain. Raises `ConfigurationError`."""
        part = self.part_of(ref)
        if part is None:
            raise ConfigurationError(
                f"[chains] lacks {ref}, which the log tells of",
                pointer="chains",
                next_step=f"add the table of {ref} again",
            )
        return part

    def known_asset(self, asset_id: str) -> Asset | None:
        """The configured asset of an id."""
        return next((asset for asset in self.assets.values() if asset.id == asset_id), None)

    @property
    def roster(self) -> Roster:
        """Who may ask, and for which account."""
        accounts = {
            one.name: KnownAccount(
                one.name,
                self.chains[one.chain].ref,
                one.address,
                tuple(self.assets[symbol].id for symbol in one.funding),
                one.executor,
            )
            for one in self.settings.accounts.values()
        }
        for at in self.settings.order_accounts.values():
            # Its assets are those of a chain; it has no address there.
            chain = self.chains[self.settings.order_venues[at.venue].chain].ref
            funding = tuple(self.assets[symbol].id for symbol in at.funding)
            accounts[at.name] = KnownAccount(at.name, chain, Address(""), funding)
        users = {one.instance: one.account for one in self.settings.strategies.values()}
        return Roster(users, accounts)

    @property
    def rules_of_intents(self) -> IntentRules:
        """The bounds in force."""
        return IntentRules(
            by_type={
                kind: Bounds(*bounds.max_slippage, *bounds.time_window_ms, source=bounds.source)
                for kind, bounds in self.settings.intents.bounds.items()
            },
            most_attempts=self.settings.intents.max_attempts,
        )


class Installer:
    """Builds an `Installation`. Anything that the configuration names and that cannot be had stops the start."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        guard: Guard,
        quarantine: Quarantine,
        clock: Clock,
        holding: Holding,
        report: Callable[[PluginRef, PluginFact], None],
    ) -> None:
        registry = Registry(discover(), Policy.of(settings.plugins_enabled), holding=holding)
        registry.require()
        self._settings = settings
        self._quarantine = quarantine
        self._clock = clock
        self._report = report
        self._made = Installation(settings, secrets, guard, registry)

    async def install(self, stack: AsyncExitStack) -> Installation:
        """All parts; connections live as long as the stack. Raises `ConfigurationError` or `PluginError`."""
        made = self._made
        for name in self._settings.chains:
            made.chains[name] = await self._chain(name, stack)
        self._check_chains_differ()
        self._check_mode()
        chain_ids = {name: part.preset.chain_id for name, part in made.chains.items()}
        made.assets = resolve_assets(self._settings, chain_ids)
        for instance in self._settings.venues:
            await self._venue(instance)
        for instance in self._settings.order_venues:
            await self._order_venue(instance, stack)
        for instance, said in self._settings.risk.items():
            rule, plugin = await self._plain(RiskRule, said.use, instance, f"risk.{instance}", said.rest)
            self._check_numeraire(rule, plugin, instance)
            made.rules[instance], made.rule_refs[instance] = rule, plugin
        if self._settings.mode is Mode.TESTNET:
            for name in self._settings.accounts:
                await self._signer(name, stack)
        for instance in self._settings.relays:
            await self._relay(instance, stack)
        for instance, strategy in self._settings.strategies.items():
            if not strategy.external:
                self._strategy(instance)
        self._hooks()
        return made

    def _check_numeraire(self, rule: RiskRule[Any], plugin: PluginRef, instance: str) -> None:
        """Asks once under the guard: a rule may raise anything, or end the program."""
        try:
            self._made.guard.call_sync(plugin, "numeraire", rule.numeraire, returns=str | None)
        except PluginFault as fault:
            raise ConfigurationError(
                f"risk rule {instance} cannot say in what it wants prices: {fault.error}",
                pointer=f"risk.{instance}",
            ) from fault

    async def _chain(self, name: str, stack: AsyncExitStack) -> ChainPart:
        said = self._settings.chains[name]
        adapter: ChainAdapter[Any]
        adapter, plugin = await self._plain(ChainAdapter, said.use, name, f"chains.{name}", said.rest)
        guard = self._made.guard
        preset = guard.call_sync(plugin, "preset", adapter.preset, returns=ChainPreset, answers=(SepError,))
        rpc = guard.call_sync(plugin, "transport", adapter.transport, answers=(SepError,))
        if rpc is None:
            endpoints = guard.call_sync(plugin, "endpoints", adapter.endpoints, answers=(SepError,))
            if not endpoints:
                raise ConfigurationError(
                    f"chains.{name}: no endpoint is named",
                    pointer=f"chains.{name}.rpc",
                    next_step='add rpc = ["http://…"] to the table and run `sep check`',
                )
            from sep_core.chains.rpc import (
                open_http_rpc,  # with all of aiohttp, which a simulated chain needs not
            )

            rpc = await stack.enter_async_context(open_http_rpc(endpoints, chain_id=preset.chain_id))
        return ChainPart(name, plugin, preset, ChainAccess(preset, rpc))

    async def _venue(self, instance: str) -> None:
        """Adds a venue; one that is kept out or cannot be made leaves the others to work."""
        said = self._settings.venues[instance]
        chain = self._made.chains[said.chain]
        loaded = self._made.registry.load(VenueAdapter, said.use)
        section = self._section(f"venues.{instance}", said.rest, loaded)
        plugin = loaded.ref(instance, section.digest)
        access = chain.access
        context = VenueContext(
            instance, self._clock, self._log(instance), access.rpc, access.abi, chain.preset.chain_id
        )
        try:
            adapter = await self._activate(loaded, plugin, lambda cls: cls(section.config, context))
            decoder = self._made.guard.call_sync(
                plugin, "event_signatures", lambda: VenueLogs(adapter.event_signatures)
            )
        except (PluginError, PluginFault) as error:
            self._leave_out(plugin, error)
            return
        lacks = {
            one
            for one, how in loaded.manifest.capabilities.items()
            if how in (Support.TODO, Support.UNSUPPORTED)
        }
        self._made.venues[instance] = VenuePart(
            instance,
            said.use,
            plugin,
            said.chain,
            adapter,
            decoder,
            single_hop=Capability.MULTI_HOP in lacks,
            undated=Capability.CALL_DEADLINE in lacks,
        )

    async def _order_venue(self, instance: str, stack: AsyncExitStack) -> None:
        """Adds an order venue; one that is kept out or cannot be made leaves the others to work."""
        said = self._settings.order_venues[instance]
        pointer = f"order_venues.{instance}"
        try:
            adapter: OrderVenue[Any]
            adapter, plugin = await self._plain(OrderVenue, said.use, instance, pointer, said.rest)
        except PluginError as error:
            refs = [ref for ref in self._made.refs.values() if ref.instance == instance]
            if not refs:
                raise
            self._leave_out(refs[-1], error)
            return
        stack.push_async_callback(self._close, adapter, plugin)
        test = self._made.guard.call_sync(plugin, "test", lambda: adapter.test, returns=bool)
        if self._settings.mode is Mode.TESTNET and not test:
            raise ConfigurationError(
                f'{pointer} trades what is worth something, and mode "testnet" sends orders',
                pointer=pointer,
                next_step='use mode "paper", or the venue\'s own test environment',
            )
        self._made.order_venues[instance] = OrderVenuePart(instance, said.use, plugin, said.chain, adapter)

    async def _close(self, adapter: OrderVenue[Any] | PrivateRelay[Any], plugin: PluginRef) -> None:
        with suppress(PluginFault):
            await self._made.guard.call(plugin, "close", adapter.close, timeout_seconds=5.0)

    async def _signer(self, account: str, stack: AsyncExitStack) -> None:
        said = self._settings.accounts[account]
        if said.signer is None:
            return
        pointer = f"accounts.{account}.signer"
        loaded: Loaded[Any] = self._made.registry.load(Signer, said.signer.use)
        section = self._section(pointer, said.signer.rest, loaded)
        plugin = loaded.ref(account, section.digest)
        chain_id = self._made.chains[said.chain].preset.chain_id
        context = SignerContext(account, self._clock, self._log(account), chain_id)
        signer: Signer[Any] = await self._activate(loaded, plugin, lambda cls: cls(section.config, context))
        try:
            address = await self._made.guard.call(
                plugin, "open", signer.open, timeout_seconds=60.0, returns=str, answers=(SepError,)
            )
        except PluginFault as fault:
            raise ConfigurationError(f"{pointer}: {fault}", pointer=pointer) from fault
        stack.push_async_callback(signer.close)
        if address.lower() != said.address:
            raise ConfigurationError(
                f"accounts.{account}.address is {said.address}, but the signer's key is for {address}",
                pointer=f"accounts.{account}.address",
                next_step="correct the address or the path of the key store",
            )
        self._made.signers[account] = signer

    async def _relay(self, instance: str, stack: AsyncExitStack) -> None:
        """Adds a relay, connected where something is sent. One that cannot be had stops the start: what needs it could
        only wait.
        """
        said, guard = self._settings.relays[instance], self._made.guard
        pointer = f"relays.{instance}"
        adapter: PrivateRelay[Any]
        adapter, plugin = await self._plain(PrivateRelay, said.use, instance, pointer, said.rest)
        if self._settings.mode is not Mode.TESTNET:
            return
        stack.push_async_callback(self._close, adapter, plugin)
        try:
            await guard.call(plugin, "open", adapter.open, timeout_seconds=20.0, answers=(SepError,))
            most = guard.call_sync(plugin, "most_blocks", lambda: adapter.most_blocks, returns=int)
        except PluginFault as fault:
            raise ConfigurationError(f"{pointer}: {fault}", pointer=pointer) from fault
        if most < 1:
            raise ConfigurationError(f"{pointer} takes transactions for {most} blocks", pointer=pointer)
        self._made.relays[said.chain] = RelayPart(instance, plugin, adapter, most)

    def _strategy(self, instance: str) -> None:
        """Adds a strategy; one that is kept out leaves the others to work."""
        said = self._settings.strategies[instance]
        loaded: Loaded[Any] = self._made.registry.load(Strategy, said.use)
        section = self._section(f"strategies.{instance}", said.rest, loaded)
        plugin = loaded.ref(instance, section.digest)
        self._made.refs[plugin.label] = plugin
        if self._kept_out(plugin):
            return
        self._report(plugin, activated(plugin, loaded.dist, loaded.manifest))
        self._made.strategies[instance] = StrategyPart(instance, plugin, loaded.cls, section)

    def _kept_out(self, plugin: PluginRef) -> bool:
        """Whether a plugin is in quarantine; it is then reported and left out."""
        kept_out = self._quarantine.reason(plugin)
        if kept_out:
            reason = f"in quarantine since it {kept_out}"
            self._report(plugin, rejected(plugin, Stage.ALLOWED.label, reason))
            self._leave_out(plugin, PluginError(reason, plugin=plugin.name, stage=Stage.ALLOWED.label))
        return bool(kept_out)

    def _leave_out(self, plugin: PluginRef, error: SepError) -> None:
        self._made.left_out[plugin] = error.message
        self._log("engine").warning("plugin.left_out", plugin=plugin.label, reason=error.message)

    def _hooks(self) -> None:
        self._made.hooks = tuple(self._made.registry.load_hooks())
        for module in self._made.hooks:
            for hook in hook_names():
                observer = replace(module.ref, instance=hook)
                if self._kept_out(observer):
                    self._made.guard.refuse(observer, "quarantined", self._made.left_out[observer])
        for found, rejection in self._made.registry.rejected:
            self._report(*rejected_at_load(found, rejection))

    async def _plain(
        self, kind: Callable[..., Any], use: str, instance: str, pointer: str, rest: Section
    ) -> tuple[Any, PluginRef]:
        """A plugin that is made of its configuration and the plain context."""
        loaded = self._made.registry.load(kind, use)
        section = self._section(pointer, rest, loaded)
        plugin = loaded.ref(instance, section.digest)
        context = PluginContext(instance, self._clock, self._log(instance))
        return await self._activate(loaded, plugin, lambda cls: cls(section.config, context)), plugin

    async def _activate(self, loaded: Loaded[Any], plugin: PluginRef, build: Callable[[Any], Any]) -> Any:
        self._made.refs[plugin.label] = plugin
        return await activate(
            loaded, plugin, build, guard=self._made.guard, quarantine=self._quarantine, report=self._report
        )

    def _section(self, pointer: str, rest: Section, loaded: Loaded[Any]) -> PluginSection[Any]:
        settings = self._settings
        return load_section(
            pointer,
            rest,
            loaded.config_class,
            self._made.secrets,
            source=settings.source,
            folder=settings.folder,
        )

    def _log(self, instance: str) -> NamedLog:
        return NamedLog(instance, self._made.secrets.redact)

    def _check_chains_differ(self) -> None:
        seen: dict[int, str] = {}
        for name, part in self._made.chains.items():
            number = part.preset.chain_id
            if number in seen:
                raise ConfigurationError(
                    f"chains.{name} and chains.{seen[number]} are both chain {number}",
                    pointer=f"chains.{name}",
                )
            seen[number] = name

    def _check_mode(self) -> None:
        if self._settings.mode is not Mode.TESTNET:
            return
        for name, part in self._made.chains.items():
            if not part.preset.test:
                raise ConfigurationError(
                    f'chains.{name} is no test chain, and mode "testnet" signs and sends',
                    pointer="mode",
                    next_step='use mode "paper", or a node on loopback or a known test chain',
                )


@asynccontextmanager
async def installed_apart(
    settings: Settings, environ: Mapping[str, str], clock: Clock
) -> AsyncIterator[Installation]:
    """The parts of a configuration without an engine: no key store is opened, nothing is recorded or sent."""
    async with AsyncExitStack() as stack:
        secrets, holding = Secrets(environ, settings.folder), Holding()
        guard = Guard(lambda *_: None, holding=holding, redact=secrets.redact)
        bare = replace(settings, mode=Mode.PAPER)
        installer = Installer(bare, secrets, guard, Quarantine(), clock, holding, lambda *_: None)
        yield await installer.install(stack)
