"""Checks an installed plugin the way it will be used, its code in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from sep_core.plugins.discovery import FoundPlugin
from sep_core.plugins.policy import BUILT_IN
from sep_core.plugins.reports import CheckLine

TIMEOUT_SECONDS: Final = 30.0
_KERNEL: Final = ("sep_core", "sep_native")
_LOAD: Final = """
import json, sys
from sep_core.plugins.discovery import discover
from sep_core.plugins.policy import Policy
from sep_core.plugins.registry import Registry
from sep_core.plugins.kinds import class_of
from sep_core.plugins.dispatch import new_manager, register
from sep_hooks.capabilities import PluginKind
from sep_hooks.errors import PluginError
kind, name, dist = sys.argv[1:]
registry = Registry(discover(), Policy.of([dist]))
try:
    if kind == "hooks":
        found = registry.discovery.find(PluginKind.HOOKS, name)
        wrong = register(new_manager(), registry.load_module(found))
        result = ["checked", wrong] if wrong else None
    else:
        registry.load(class_of(PluginKind(kind)), name)
        result = None
except PluginError as error:
    result = [error.stage, error.message]
print("SEP:" + json.dumps(result))
"""


def check_found(plugin: FoundPlugin) -> Sequence[CheckLine]:
    """Manifest and versions by reading; import, class and purity by trying in a fresh process."""
    from sep_hooks.testing.import_purity import FORBIDDEN_MODULES, measure_import

    label = f"{plugin.kind} {plugin.name}"
    if plugin.rejection is not None:
        return [CheckLine(label, plugin.rejection.stage.label, False, plugin.rejection.reason)]
    lines = [CheckLine(label, "manifest", True, f"{plugin.dist.name} {plugin.dist.version}")]
    failed = _load_elsewhere(plugin)
    lines.append(CheckLine(label, "import and class", not failed, failed or plugin.entry_point.value))
    if not failed:
        own = _KERNEL if plugin.dist.name == BUILT_IN else ()
        purity = measure_import(
            plugin.entry_point.module, forbidden=[one for one in FORBIDDEN_MODULES if one not in own]
        )
        detail = purity.error or "; ".join(purity.breaches) or f"{purity.cpu_seconds * 1000:.0f} ms of CPU"
        lines.append(CheckLine(label, "import purity", purity.ok, detail))
    return lines


def _load_elsewhere(plugin: FoundPlugin) -> str:
    """Why loading it in a fresh process failed; empty where it did not."""
    command = [sys.executable, "-P", "-c", _LOAD, plugin.kind.value, plugin.name, plugin.dist.name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        return f"does not come to an end within {TIMEOUT_SECONDS:g} s"
    answers = [line for line in done.stdout.splitlines() if line.startswith("SEP:")]
    if not answers:
        last = done.stderr.strip().splitlines()[-1:] or ["without a word"]
        return f"ended the process with code {done.returncode}: {last[0]}"
    result = json.loads(answers[-1].removeprefix("SEP:"))
    return "" if result is None else f"{result[0]}: {result[1]}"
