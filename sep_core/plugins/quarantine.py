"""Which plugins are kept out, folded from facts, and what a start finds out about the last run's end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sep_core.events.facts.plugin import (
    PluginActivated,
    PluginFaulted,
    PluginQuarantined,
    PluginRejected,
    PluginReleased,
)
from sep_core.plugins.facts import PluginFact, faulted, quarantined
from sep_core.plugins.failure import LASTING, STRIKES
from sep_core.plugins.holding import Death
from sep_core.plugins.notes import read_notes
from sep_core.plugins.reference import PluginRef

type PluginKey = tuple[str, str, str]
"""Kind, name, instance."""


@dataclass(frozen=True, slots=True)
class KeptOut:
    """Why an instance is not asked, and the code and configuration that were at fault."""

    version: str
    config_digest: str
    reason: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The state; a pure fold of facts about plugins."""

    kept_out: Mapping[PluginKey, KeptOut] = field(default_factory=dict)
    deaths: Mapping[PluginKey, int] = field(default_factory=dict)
    """Ends of the process in a row that fell into a call of the instance."""
    fresh: frozenset[PluginKey] = frozenset()
    """Instances whose last fact is such an end."""

    def reason(self, plugin: PluginRef) -> str:
        """Why an instance is kept out; empty where it is not. Another version or configuration starts afresh."""
        found = self.kept_out.get(_key(plugin))
        if found is None or (found.version, found.config_digest) != (plugin.version, plugin.config_digest):
            return ""
        return found.reason


@dataclass(frozen=True, slots=True)
class StartFindings:
    """What a start has to record before it activates anything; `notes` are removed once that is durable."""

    facts: tuple[tuple[PluginRef, PluginFact], ...]
    notes: tuple[Path, ...]


def evolve(state: Quarantine, fact: object) -> Quarantine:
    """The state after a fact; facts about anything else change nothing."""
    if not isinstance(
        fact, PluginActivated | PluginRejected | PluginFaulted | PluginQuarantined | PluginReleased
    ):
        return state
    key = (fact.kind, fact.name, fact.instance)
    match fact:
        case PluginQuarantined() if fact.consequence in LASTING:
            kept = KeptOut(fact.version, fact.config_digest, fact.reason)
            return replace(state, kept_out={**state.kept_out, key: kept})
        case PluginReleased():
            return Quarantine(_without(state.kept_out, key), _without(state.deaths, key), state.fresh - {key})
        case PluginFaulted() if fact.fault == "ended_the_process":
            return replace(state, deaths={**state.deaths, key: fact.strike}, fresh=state.fresh | {key})
        case PluginActivated():
            deaths = state.deaths if key in state.fresh else _without(state.deaths, key)
            return Quarantine(_without(state.kept_out, key), deaths, state.fresh - {key})
        case _:
            return state


def start_findings(state: Quarantine, death: Death | None, folder: Path) -> StartFindings:
    """What the last run's end means: a plugin that stopped it, by whichever way, is named and kept out.

    A process that ended while a plugin held its thread, nobody knows how, counts as a strike: the plugin may have
    crashed it, or a kill from outside fell into the call by chance.
    """
    facts: list[tuple[PluginRef, PluginFact]] = []
    notes = read_notes(folder)
    seen = set()
    for _, note in notes:
        seen.add(_key(note.plugin))
        reason = f"{note.reason} in {note.call}"
        facts.append((note.plugin, faulted(note.plugin, note.call, "held_the_loop", note.reason, 1)))
        facts.append((note.plugin, quarantined(note.plugin, "quarantined", reason)))
    if death is not None and _key(death.plugin) not in seen:
        plugin, call = death.plugin, death.call
        strike = state.deaths.get(_key(plugin), 0) + 1
        how = f"ended the process by {death.how}" if death.how else "held the thread when the process ended"
        facts.append((plugin, faulted(plugin, call, "ended_the_process", how, strike)))
        if death.how:
            facts.append((plugin, quarantined(plugin, "quarantined", f"{how} in {call}")))
        elif strike >= STRIKES:
            reason = f"{how} in {call}, {strike} times in a row"
            facts.append((plugin, quarantined(plugin, "quarantined", reason)))
    return StartFindings(tuple(facts), tuple(path for path, _ in notes))


def describe(findings: StartFindings) -> Sequence[str]:
    """The findings in words, for people."""
    return [
        f"{ref.label}: {fact.reason}" for ref, fact in findings.facts if isinstance(fact, PluginQuarantined)
    ]


def _key(plugin: PluginRef) -> PluginKey:
    return plugin.kind.value, plugin.name, plugin.instance


def _without[V](mapping: Mapping[PluginKey, V], key: PluginKey) -> Mapping[PluginKey, V]:
    return {one: value for one, value in mapping.items() if one != key}
