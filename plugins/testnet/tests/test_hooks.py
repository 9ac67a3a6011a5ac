"""The program finds the verb through manifest, entry point and hook."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from importlib.resources import files

import pluggy
import pytest
from sep_hooks.manifest import parse_manifest
from sep_hooks.markers import PROJECT_NAME
from sep_hooks.specs import boot


class Registry:
    def __init__(self) -> None:
        self.verbs: dict[str, Callable[[Sequence[str]], int]] = {}

    def command(self, name: str, help: str, run: Callable[[Sequence[str]], int]) -> None:
        assert help
        self.verbs[name] = run


def test_the_hook_registers_the_verbs_of_the_manifest(capsys: pytest.CaptureFixture[str]) -> None:
    (entry,) = entry_points(group="sep_core.hooks", name="testnet")
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(boot)
    manager.register(entry.load())
    manager.check_pending()
    registry = Registry()
    manager.hook.sep_register_commands(registry=registry)
    text = files("sep_testnet").joinpath("sep-plugin.toml").read_text()
    (plugin,) = parse_manifest(text).plugin
    assert plugin.name == entry.name
    assert set(plugin.verbs) == set(registry.verbs)
    assert registry.verbs["testnet"](["--help"]) == 0
    assert "up" in capsys.readouterr().out


def test_importing_the_hook_imports_nothing_heavy() -> None:
    heavy = {"eth_abi", "eth_account", "web3", "aiohttp", "pytest", "sep_core", "sep_native"}
    script = "import sys, sep_testnet.hooks, sep_testnet.command; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert heavy & set(done.stdout.split()) == set()
