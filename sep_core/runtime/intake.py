"""From a submission to an intent: who asks, for which account, about which assets."""

from collections.abc import Iterator
from datetime import datetime

from sep_hooks.errors import InvalidAsset
from sep_hooks.types import (
    Asset,
    AssetId,
    ChainRef,
    Constraints,
    ExecutionStyle,
    Intent,
    IntentAsset,
    IntentType,
    Slicing,
    address,
    asset_id,
    erc20,
)

from sep_core.intents import IntentConflict, IntentRules, Roster, intent_id, is_duplicate, validate
from sep_core.runtime.draining import Drain
from sep_core.runtime.installation import Installation
from sep_core.runtime.native import is_checksum_valid
from sep_core.runtime.settings import StrategySettings
from sep_core.runtime.submission import (
    MOST_NAMED,
    RequestProblem,
    RequestRefused,
    Submission,
    SubmittedAsset,
    SubmittedLeg,
    SubmittedSlicing,
    checked_address,
)
from sep_core.runtime.world import World


class Intake:
    """Turns what was asked into what the kernel knows, or says what is wrong with it, all of it together."""

    def __init__(self, installation: Installation, rules: IntentRules, roster: Roster, drain: Drain) -> None:
        self._installation = installation
        self._drain = drain
        self._rules = rules
        self._roster = roster

    def intent(self, submission: Submission, world: World, now: datetime) -> Intent:
        """The intent, checked. One that the log holds already is not measured again.

        Raises `RequestRefused`, `Draining`.
        """
        problems: list[RequestProblem] = []
        strategy = self._strategy(submission, problems)
        assets = [self._leg(leg, index, problems) for index, leg in enumerate(submission.assets)]
        constraints = self._constraints(submission, problems)
        if problems or strategy is None or constraints is None:
            raise RequestRefused(tuple(problems))
        intent = Intent(
            id=intent_id(strategy.id, submission.id, self._rules.namespace),
            client_id=submission.id,
            strategy=strategy.instance,
            account=strategy.account,
            type=IntentType(submission.type),
            assets=tuple(one for one in assets if one is not None),
            constraints=constraints,
            deadline=submission.deadline,
        )
        self.check(intent, world, now)
        return intent

    def check(self, intent: Intent, world: World, now: datetime) -> None:
        """Raises `RequestRefused` where an intent is out of bounds, or its client id names another one; `Draining`
        where it is new to an engine that ends.
        """
        try:
            if is_duplicate(world.intents.get(intent.id), intent):
                return
        except IntentConflict as error:
            problem = RequestProblem("/id", error.code, error.message)
            raise RequestRefused((problem,), kind="conflict") from None
        self._drain.check()
        self._check_allocation(intent)
        unknown = tuple(self._unknown(intent))
        if unknown:
            raise RequestRefused(unknown)
        found = validate(intent, self._rules, now, self._roster)
        if found:
            raise RequestRefused(tuple(RequestProblem(one.pointer, one.code, one.message) for one in found))

    def _unknown(self, intent: Intent) -> Iterator[RequestProblem]:
        """What an intent names and the configuration does not know so; strategies in process may name anything."""
        bounds = intent.constraints
        for place, listed in (
            ("/assets", intent.assets),
            ("/constraints/venues", bounds.venues),
            ("/constraints/chains", bounds.chains),
            ("/constraints/assets", bounds.assets),
        ):
            if len(listed) > MOST_NAMED:
                message = f"{len(listed)} are named, {MOST_NAMED} are allowed"
                yield RequestProblem(place, "too_many", message)
                return
        for index, part in enumerate(intent.assets):
            known = self._installation.known_asset(part.asset.id)
            pointer = f"/assets/{index}/asset"
            if known is None:
                yield self._unknown_asset(part.asset.id, pointer)
            elif known != part.asset:
                message = f"{known.id} is {known.symbol} with {known.decimals} decimals in sep.toml: use that"
                yield RequestProblem(pointer, "asset_differs", message)
        problems: list[RequestProblem] = []
        for index, venue in enumerate(bounds.venues):
            self._venue(venue, index, problems)
        for index, chain in enumerate(bounds.chains):
            ref = self._chain(chain, index, problems)
            if ref != chain:
                message = f"{chain!r} is what the configuration calls {ref}: write the latter"
                problems.append(RequestProblem(f"/constraints/chains/{index}", "unknown_chain", message))
        for index, asset in enumerate(bounds.assets):
            if _canonical(asset) != asset:
                message = f"{asset[:100]!r} is no CAIP-19 asset in its canonical form"
                problems.append(RequestProblem(f"/constraints/assets/{index}", "unknown_asset", message))
        yield from problems

    def _check_allocation(self, intent: Intent) -> None:
        """An account's only strategy owns it whole; of a shared one nobody owns anything until it is allocated."""
        users = [name for name, account in self._roster.strategies.items() if account == intent.account]
        if len(users) > 1:
            message = (
                f"account {intent.account} is shared by {', '.join(users)}, and allocations come in a later release:"
                " give each strategy an account of its own"
            )
            raise RequestRefused((RequestProblem("/strategy_id", "insufficient_allocation", message),))

    def _strategy(self, submission: Submission, problems: list[RequestProblem]) -> StrategySettings | None:
        strategy = self._installation.settings.strategy_by_id(submission.strategy_id)
        if strategy is None:
            problems.append(
                RequestProblem(
                    "/strategy_id",
                    "unknown_strategy",
                    f"no strategy has the id {submission.strategy_id}; external ones are tables of sep.toml, like"
                    f' [strategies.NAME] with use = "external" and id = "{submission.strategy_id}"',
                )
            )
        return strategy

    def _leg(self, leg: SubmittedLeg, index: int, problems: list[RequestProblem]) -> IntentAsset | None:
        pointer = f"/assets/{index}/asset"
        asset = self._asset(leg.asset, pointer, problems)
        return None if asset is None else IntentAsset(asset, leg.amount, leg.percentage)

    def _asset(self, said: SubmittedAsset, pointer: str, problems: list[RequestProblem]) -> Asset | None:
        try:
            text = checked_address(said.address, is_checksum_valid)
        except InvalidAsset as error:
            problems.append(RequestProblem(f"{pointer}/address", "wrong_checksum", error.message))
            return None
        id_ = erc20(said.chain_id, address(text))
        asset = self._installation.known_asset(id_)
        if asset is None:
            problems.append(self._unknown_asset(id_, pointer))
            return None
        if said.decimals is not None and said.decimals != asset.decimals:
            message = (
                f"{asset.symbol} has {asset.decimals} decimals in sep.toml, the request says {said.decimals}"
            )
            problems.append(RequestProblem(f"{pointer}/decimals", "decimals_differ", message))
            return None
        return asset

    def _unknown_asset(self, id_: AssetId, pointer: str) -> RequestProblem:
        known = ", ".join(
            f"{one.symbol} {one.id}"
            for one in sorted(self._installation.assets.values(), key=lambda a: a.symbol)
        )
        message = f"{id_[:200]} is not configured; [assets] of sep.toml has {known or 'nothing'}"
        return RequestProblem(pointer, "unknown_asset", message)

    def _constraints(self, submission: Submission, problems: list[RequestProblem]) -> Constraints | None:
        said = submission.constraints
        found = len(problems)
        venues = tuple(self._venue(name, index, problems) for index, name in enumerate(said.venues))
        chains = tuple(self._chain(name, index, problems) for index, name in enumerate(said.chains))
        assets = tuple(self._allowed(text, index, problems) for index, text in enumerate(said.assets))
        if len(problems) > found:
            return None
        return Constraints(
            said.max_slippage,
            said.time_window_ms,
            ExecutionStyle(said.execution_style),
            venues,
            chains,
            assets,
            said.max_fee,
            _slicing(said.slicing),
            said.public_fallback,
        )

    def _venue(self, name: str, index: int, problems: list[RequestProblem]) -> str:
        # A venue that is kept out of this run is known all the same: what was accepted for it stays what it is.
        settings = self._installation.settings
        if name not in settings.venues and name not in settings.order_venues:
            known = ", ".join([*settings.venues, *settings.order_venues]) or "none"
            message = f"no venue is called {name[:64]!r}; configured are {known}"
            problems.append(RequestProblem(f"/constraints/venues/{index}", "unknown_venue", message))
        return name

    def _chain(self, name: str, index: int, problems: list[RequestProblem]) -> ChainRef:
        for part in self._installation.chains.values():
            if name in (part.name, part.ref):
                return part.ref
        known = (
            ", ".join(f"{part.name} ({part.ref})" for part in self._installation.chains.values()) or "none"
        )
        message = f"no chain is called {name[:64]!r}; configured are {known}"
        problems.append(RequestProblem(f"/constraints/chains/{index}", "unknown_chain", message))
        return ChainRef(name)

    def _allowed(self, text: str, index: int, problems: list[RequestProblem]) -> AssetId:
        named = self._installation.assets.get(text)
        if named is not None:
            return named.id
        try:
            return asset_id(text)
        except InvalidAsset as error:
            pointer = f"/constraints/assets/{index}"
            problems.append(RequestProblem(pointer, "unknown_asset", error.message))
            return AssetId(text)


def _slicing(said: SubmittedSlicing | None) -> Slicing | None:
    if said is None:
        return None
    return Slicing(said.slices, tuple(said.profile), said.time_jitter, said.size_jitter)


def _canonical(text: str) -> str:
    try:
        return asset_id(text)
    except InvalidAsset:
        return ""
