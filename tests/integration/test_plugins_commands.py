"""Verbs of plugins, and what starting costs: nothing that was not typed is imported."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from sep_executor import contract
from sep_hooks.errors import PluginError
from sep_hooks.testing.dists import manifest_text, write_dist
from sep_hooks.types import address

from sep_core.plugins.verbs import declared_verbs, executor_serves, load_verb, run_verb

HOOKS = """
    from sep_hooks import hookimpl

    @hookimpl
    def sep_register_commands(registry):
        registry.command("VERB", "says hello", lambda arguments: 40 + len(arguments))
"""

YES = """
    from sep_hooks import hookimpl

    @hookimpl
    def sep_executor_serves(owner, code):
        return True
"""


def hooks_dist(site: Path, dist: str, verb: str, code: str = HOOKS) -> str:
    package = dist.replace("-", "_")
    write_dist(
        site,
        dist,
        entry_points={"sep_core.hooks": {dist: f"{package}.hooks"}},
        files={
            f"{package}/__init__.py": "",
            f"{package}/hooks.py": code.replace("VERB", verb),
            f"{package}/sep-plugin.toml": manifest_text("hooks", dist, more=f'verbs = ["{verb}"]'),
        },
    )
    importlib.invalidate_caches()
    return package


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_typed_verb_imports_its_plugin_and_no_other(site: Path) -> None:
    hooks_dist(site, "verbs-first", "first")
    other = hooks_dist(site, "verbs-second", "second", "raise SystemExit('imported')")
    assert {"first", "second"} <= set(declared_verbs())
    verb = load_verb("first")
    assert (verb.name, verb.help, verb.run(["a", "b"])) == ("first", "says hello", 42)
    assert run_verb("first", []) == 40
    assert other not in sys.modules


def test_a_verb_that_two_plugins_declare_belongs_to_neither(site: Path) -> None:
    hooks_dist(site, "clash-one", "clash")
    hooks_dist(site, "clash-two", "clash")
    assert "clash" not in declared_verbs()
    with pytest.raises(PluginError, match="clash-one and clash-two"):
        load_verb("clash")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("silent", "x = 1", "implements no hook"),
        ("exits", "raise SystemExit(1)", "SystemExit"),
        ("other", HOOKS.replace("VERB", "another"), "does not register it"),
        ("raises", HOOKS.replace("registry.command", "registry.commando"), "AttributeError"),
    ],
)
def test_a_plugin_that_fails_at_its_verb_is_named(site: Path, name: str, code: str, said: str) -> None:
    hooks_dist(site, f"verb-{name}", name, code)
    with pytest.raises(PluginError, match=said) as caught:
        load_verb(name)
    assert f"verb-{name}" in str(caught.value)


def test_the_package_of_the_verb_executor_tells_whose_contract_it_is(site: Path) -> None:
    """`sep_executor_serves` knows the installed contract and its owner, and nobody speaks beside it."""
    owner, other = address("0x" + "ab" * 20), address("0x" + "cd" * 20)
    code = contract().runtime_code + bytes.fromhex(owner[2:]).rjust(32, b"\0")
    assert executor_serves(owner, code)
    for stranger, found in ((other, code), (owner, code[:-1]), (owner, b"")):
        assert not executor_serves(stranger, found)
    hooks_dist(site, "says-yes", "executor", YES)
    with pytest.raises(PluginError, match="says-yes"):
        executor_serves(owner, b"")


MEASURE = """
import json, sys, time
import click, importlib.metadata, pydantic, tomllib
import sep_hooks.manifest
started = time.process_time()
from sep_core.plugins.discovery import discover
from sep_core.plugins.policy import Policy
from sep_core.plugins.reports import list_plugins
imported = time.process_time() - started
started = time.process_time()
rows = list_plugins(discover(), Policy.of([])).rows
listed = time.process_time() - started
started = time.process_time()
len(importlib.metadata.entry_points())
raw = time.process_time() - started
print(json.dumps([len(rows), imported, listed, raw, sorted(sys.modules)]))
"""


def measured(site: Path) -> tuple[int, float, float, float, set[str]]:
    """Rows, CPU seconds of importing, of listing and of a bare look at entry points; the least of three runs."""
    environ: Mapping[str, str] = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    best: tuple[int, float, float, float, set[str]] | None = None
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", MEASURE],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        rows, imported, listed, raw, modules = json.loads(done.stdout)
        if best is None or listed < best[2]:
            best = (rows, imported, listed, raw, set(modules))
    assert best is not None
    return best


def test_twenty_plugins_are_listed_without_importing_any(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    site = tmp_path / "site"
    for index in range(20):
        hooks_dist(site, f"dummy-{index}", f"verb-{index}", "raise SystemExit('imported')")
    few, _, alone, raw, _ = measured(empty)
    many, _, crowded, _, modules = measured(site)
    assert many == few + 20
    assert not {name for name in modules if name.startswith("dummy_")}
    assert not {"stevedore", "litestar", "web3", "apsw", "aiohttp", "pytest"} & modules
    # Thirty milliseconds on a machine where a bare look at the entry points of this environment takes fifteen.
    assert crowded - alone <= max(2 * raw, 0.03), (alone, crowded, raw)


REPLAY = """
import sys
import sep_core.events.facts.plugin
from sep_core.events.registry import decode_fact, encode_fact
from sep_core.events.codec import encode
from sep_core.plugins.quarantine import Quarantine, evolve
body = {"kind": "venue", "name": "acme", "instance": "uni", "dist": "acme", "version": "1", "config_digest": "d",
        "consequence": "quarantined", "reason": "held the loop"}
state = evolve(Quarantine(), decode_fact("PluginQuarantined", 1, encode(body)))
assert state.kept_out
print([name for name in sys.modules if name.startswith(("sep_venue", "sep_risk", "sep_strategy", "sep_chain",
    "sep_testnet", "stevedore", "acme")) or name == "sep_core.plugins.dispatch"])
"""


def test_replaying_facts_imports_no_plugin_and_calls_no_hook() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPLAY], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
