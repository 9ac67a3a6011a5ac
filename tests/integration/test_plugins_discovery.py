"""Discovery, policy and loading, on distributions that lie on disk as an installer leaves them."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sep_hooks.capabilities import PluginKind
from sep_hooks.errors import PluginError
from sep_hooks.risk import RiskRule
from sep_hooks.testing.dists import manifest_text, write_dist
from sep_hooks.venue import VenueAdapter

from sep_core.plugins.discovery import discover
from sep_core.plugins.loader import PluginImportFailed
from sep_core.plugins.policy import Policy
from sep_core.plugins.registry import Registry
from sep_core.plugins.reports import check_plugins, list_plugins, plugin_info

RULE = """
    from sep_hooks.config import PluginConfig
    from sep_hooks.risk import RiskRule

    class Rule(RiskRule[PluginConfig]):
        Config = PluginConfig
        version = "1"

        def assess(self, plan, view, stage):
            return ()
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the search path; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def rule_dist(site: Path, dist: str, name: str, code: str = RULE, *, manifest: str | None = None) -> str:
    """Installs a risk rule; answers its package."""
    package = dist.replace("-", "_")
    write_dist(
        site,
        dist,
        entry_points={"sep_core.risk": {name: f"{package}:Rule"}},
        files={
            f"{package}/__init__.py": code,
            f"{package}/sep-plugin.toml": manifest_text("risk", name) if manifest is None else manifest,
        },
    )
    importlib.invalidate_caches()
    return package


def registry(*enabled: str) -> Registry:
    return Registry(discover(), Policy.of(enabled))


def rejection(name: str, *enabled: str) -> PluginError:
    with pytest.raises(PluginError) as caught:
        registry(*enabled).load(RiskRule, name)
    return caught.value


def test_an_enabled_plugin_is_loaded_with_its_provenance(site: Path) -> None:
    info = site / "acme_rule-1.0.dist-info"
    rule_dist(site, "acme-rule", "acme")
    loaded = registry("ACME_rule").load(RiskRule, "acme")
    assert issubclass(loaded.cls, RiskRule)
    assert (loaded.dist.name, loaded.version, loaded.dist.editable) == ("acme-rule", "1.0", False)
    first = loaded.dist.record_sha256
    assert first is not None
    record = info / "RECORD"
    record.write_text(record.read_text() + "acme_rule/more.py,,\n")
    assert registry("acme-rule").load(RiskRule, "acme").dist.record_sha256 != first


def test_nothing_is_imported_that_is_not_enabled(site: Path) -> None:
    package = rule_dist(site, "acme-rule", "acme", "raise SystemExit('imported')")
    found = list_plugins(discover(), Policy.of([]))
    row = next(row for row in found.rows if row.name == "acme")
    assert (row.status, row.stage) == ("disabled", "allowed")
    error = rejection("acme")
    assert error.stage == "allowed"
    assert "acme-rule" in error.next_step
    assert package not in sys.modules


def test_a_name_that_two_distributions_register_belongs_to_neither(site: Path) -> None:
    packages = [rule_dist(site, "acme-one", "twice")]
    rule_dist(site, "acme-between", "between")
    packages.append(rule_dist(site, "acme-two", "twice"))
    both = registry("acme-one", "acme-between")
    with pytest.raises(PluginError, match=r"acme-one 1.0 and acme-two 1.0") as caught:
        both.require()
    assert caught.value.stage == "discovered"
    assert "acme-one" in rejection("twice", "acme-one", "acme-two").message
    assert not set(packages) & set(sys.modules)
    assert both.load(RiskRule, "between").name == "between"


def test_a_clash_between_distributions_that_nobody_uses_stops_nothing(site: Path) -> None:
    rule_dist(site, "acme-one", "twice")
    rule_dist(site, "acme-two", "twice")
    registry().require()


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("assert False, 'no'", "AssertionError: no"),
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("raise BaseException('deep')", "BaseException: deep"),
        ("class Bad(Exception):\n    def __str__(self): raise ValueError\nraise Bad", "Bad: (its text"),
        ("x = 1", "AttributeError"),
    ],
)
def test_whatever_an_import_raises_rejects_that_plugin_alone(site: Path, code: str, named: str) -> None:
    rule_dist(site, "acme-bad", "bad", code)
    rule_dist(site, "acme-good", "good")
    both = registry("acme-bad", "acme-good")
    with pytest.raises(PluginImportFailed) as caught:
        both.load(RiskRule, "bad")
    assert named in caught.value.message
    assert caught.value.dist == "acme-bad"
    assert both.load(RiskRule, "good").name == "good"
    assert [(plugin.name, why.stage.label) for plugin, why in both.rejected] == [("bad", "imported")]


def test_a_keyboard_interrupt_at_import_is_not_swallowed(site: Path) -> None:
    rule_dist(site, "acme-bad", "bad", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        registry("acme-bad").load(RiskRule, "bad")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("class Rule: pass", "not a subclass"),
        ("Rule = 5", "not a subclass"),
        ("from sep_hooks.risk import RiskRule as Rule", "leaves abstract: assess"),
        (RULE.replace("Config = PluginConfig", "Config = dict"), "no class `Config`"),
        (RULE.replace("        Config = PluginConfig\n", ""), "no class `Config`"),
    ],
)
def test_a_class_of_the_wrong_make_is_rejected(site: Path, code: str, why: str) -> None:
    rule_dist(site, "acme-rule", "acme", code)
    error = rejection("acme", "acme-rule")
    assert error.stage == "checked"
    assert why in error.message


@pytest.mark.parametrize(
    ("manifest", "stage", "why"),
    [
        ("schema = 1\n[[plugin]\n", "manifest", "no TOML"),
        (manifest_text("risk", "other"), "manifest", "no table for the risk 'acme'"),
        (manifest_text("venue", "acme"), "manifest", "no table for the risk 'acme'"),
        (manifest_text("risk", "acme", more="colour = 1"), "manifest", "colour"),
        (manifest_text("risk", "acme", api=">=7"), "api", ">=7"),
        (manifest_text("risk", "acme", api="latest"), "manifest", "no clause"),
        (manifest_text("risk", "acme", more='[plugin.capabilities]\nfly = "full"'), "manifest", "fly"),
        ("schema = 2\n", "manifest", "schema"),
    ],
)
def test_a_wrong_manifest_is_rejected_before_any_import(
    site: Path, manifest: str, stage: str, why: str
) -> None:
    package = rule_dist(site, "acme-rule", "acme", manifest=manifest)
    error = rejection("acme", "acme-rule")
    assert error.stage == stage
    assert why in error.message
    assert package not in sys.modules


def test_a_package_without_a_manifest_is_rejected(site: Path) -> None:
    package = rule_dist(site, "acme-rule", "acme")
    (site / package / "sep-plugin.toml").unlink()
    assert "has no sep-plugin.toml" in rejection("acme", "acme-rule").message


def test_namespace_packages_and_single_modules_are_refused(site: Path) -> None:
    rule_dist(site, "acme-space", "space")
    (site / "acme_space" / "__init__.py").unlink()
    write_dist(
        site, "acme-single", entry_points={"sep_core.risk": {"single": "acme_single:Rule"}},
        files={"acme_single.py": RULE},
    )  # fmt: skip
    importlib.invalidate_caches()
    assert "namespace package" in rejection("space", "acme-space").message
    assert "single module" in rejection("single", "acme-single").message


def test_a_package_that_shadows_the_installed_one_is_noticed(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule_dist(site, "acme-rule", "acme")
    planted = tmp_path / "planted" / "acme_rule"
    planted.mkdir(parents=True)
    (planted / "__init__.py").write_text("raise SystemExit('planted')")
    (planted / "sep-plugin.toml").write_text(manifest_text("risk", "acme"))
    monkeypatch.syspath_prepend(str(tmp_path / "planted"))
    error = rejection("acme", "acme-rule")
    assert str(planted) in error.message
    assert "acme_rule" not in sys.modules


def test_a_planted_cache_of_stevedore_is_never_read(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rule_dist(site, "acme-rule", "acme")

    class Recording(list[str]):
        active = True

    recording = Recording()

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if recording.active and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)
    try:
        assert registry("acme-rule").load(RiskRule, "acme").cls.__module__ == "acme_rule"
    finally:
        recording.active = False
    assert opened
    assert not [path for path in opened if "python-entrypoints" in path]


def test_unknown_names_are_answered_with_the_nearest(site: Path) -> None:
    rule_dist(site, "acme-rule", "limiter")
    assert "'limiter'" in rejection("limitter", "acme-rule").next_step
    with pytest.raises(PluginError, match="acme-ruler") as caught:
        registry("acme-ruler").require()
    assert "acme-rule" in caught.value.next_step


def test_kinds_are_apart(site: Path) -> None:
    rule_dist(site, "acme-rule", "acme")
    with pytest.raises(PluginError, match="no installed plugin is a venue called 'acme'"):
        registry("acme-rule").load(VenueAdapter, "acme")


def test_info_tells_what_the_manifest_says_without_importing(site: Path) -> None:
    more = '[plugin.capabilities]\ncharges = "full"\n[plugin.permissions]\nnet = ["http"]\n'
    package = rule_dist(site, "acme-rule", "acme", manifest=manifest_text("risk", "acme", more=more))
    (info,) = plugin_info(discover(), Policy.of(["acme-rule"]), "acme_rule")
    assert info.capabilities == {"charges": "full"}
    assert info.permissions["net"] == ("http",)
    assert info.row.status == "enabled"
    assert package not in sys.modules


def test_every_plugin_of_our_own_has_a_valid_manifest() -> None:
    ours = [one for one in discover().plugins if one.dist.name.startswith("sep-")]
    assert {one.kind for one in ours} == set(PluginKind)
    assert [one.rejection for one in ours if one.rejection is not None] == []


@pytest.mark.parametrize(
    ("code", "check", "detail"),
    [
        (RULE, "import purity", "CPU"),
        ("import socket\n_S = socket.socket()\n_S.close()\n", "import purity", "opens a socket"),
        ("import threading\nthreading.Thread(target=int).start()\n", "import purity", "starts a thread"),
        ("import subprocess, sys\nsubprocess.run([sys.executable, '-V'])\n", "import purity", "process"),
        ("import sep_core\n", "import purity", "imports sep_core"),
        ("open('/dev/null', 'w').close()\n", "import purity", "writes the file"),
        ("import os\nos._exit(7)\n", "import and class", "code 7"),
    ],
)
def test_check_tries_a_plugin_in_another_process(
    site: Path, monkeypatch: pytest.MonkeyPatch, code: str, check: str, detail: str
) -> None:
    rule_dist(site, "acme-rule", "acme", RULE if code is RULE else code + __import__("textwrap").dedent(RULE))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *sys.path]))
    report = check_plugins(discover(), "acme-rule")
    line = next(line for line in report.lines if line.check == check)
    assert line.ok is (code is RULE)
    assert detail in line.detail
    assert report.ok is (code is RULE)
    assert "acme_rule" not in sys.modules


def test_a_fresh_process_finds_the_same(site: Path) -> None:
    rule_dist(site, "acme-rule", "acme")
    script = (
        "import sys\n"
        "from sep_core.plugins.discovery import discover\n"
        "from sep_core.plugins.policy import Policy\n"
        "from sep_core.plugins.reports import list_plugins\n"
        "print(sorted(row.name for row in list_plugins(discover(), Policy.of([])).rows))\n"
        "assert not [name for name in sys.modules if name.startswith(('acme', 'sep_venue', 'sep_risk'))]\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "'acme'" in done.stdout
