"""The manifest: what it may say, the shipped schema, and ranges of versions."""

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks import API_VERSION
from sep_hooks.api_range import api_range, version_numbers
from sep_hooks.capabilities import CAPABILITIES_OF, GROUPS, Capability, PluginKind, Support
from sep_hooks.manifest import Manifest, ManifestInvalid, manifest_schema, parse_manifest

WHOLE = """
schema = 1

[[plugin]]
name = "uniswap-v3"
kind = "venue"
api = ">=0.1,<2"
summary = "Pools"
[plugin.capabilities]
quote_exact_in = "full"
orderbook_stream = "unsupported"
[plugin.venue]
chains = [1, 10]
[plugin.permissions]
net = ["rpc"]
sign = ["swap"]
secrets = ["graph_api_key"]

[[plugin]]
name = "extras"
kind = "hooks"
api = ">=0.1"
verbs = ["extras"]
"""


def test_a_whole_manifest_is_read() -> None:
    venue, hooks = parse_manifest(WHOLE).plugin
    assert venue.kind is PluginKind.VENUE
    assert venue.capabilities == {
        Capability.QUOTE_EXACT_IN: Support.FULL,
        Capability.ORDERBOOK_STREAM: Support.UNSUPPORTED,
    }
    assert venue.venue is not None
    assert venue.venue.chains == (1, 10)
    assert venue.permissions.secrets == ("graph_api_key",)
    assert hooks.verbs == ("extras",)


def test_an_entry_is_found_by_kind_and_name() -> None:
    manifest = parse_manifest(WHOLE)
    assert manifest.entry(PluginKind.VENUE, "uniswap-v3") is manifest.plugin[0]
    assert manifest.entry(PluginKind.RISK, "uniswap-v3") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 1", "schema = 2", "schema"),
        ("schema = 1", "", "schema"),
        ('kind = "venue"', 'kind = "venu"', "plugin[0].kind"),
        ('name = "uniswap-v3"', 'name = "Uniswap"', "plugin[0].name"),
        ('name = "uniswap-v3"', "", "plugin[0].name"),
        ('api = ">=0.1,<2"', 'api = "~=1"', "no clause"),
        ('quote_exact_in = "full"', 'quote_exact_in = "yes"', "quote_exact_in"),
        ('quote_exact_in = "full"', 'quote_everything = "full"', "quote_everything"),
        ('quote_exact_in = "full"', 'charges = "full"', "a venue has no capability charges"),
        ('sign = ["swap"]', 'sign = ["transfer"]', "never needs one"),
        ('sign = ["swap"]', 'sign = ["everything"]', "sign"),
        ('net = ["rpc"]', 'files = ["/"]', "files"),
        ("chains = [1, 10]", "chains = [0]", "chains"),
        ('verbs = ["extras"]', 'verbs = ["Extras!"]', "verbs"),
        ('verbs = ["extras"]', 'colour = "red"', "colour"),
        ('kind = "hooks"', 'kind = "risk"', "only kind `hooks` adds verbs"),
        ('name = "extras"\nkind = "hooks"', 'name = "uniswap-v3"\nkind = "venue"', "twice"),
    ],
)
def test_what_a_manifest_may_not_say_is_named(old: str, new: str, said: str) -> None:
    assert old in WHOLE
    text = WHOLE.replace(old, new, 1)
    if "twice" in said:
        text = text.replace('verbs = ["extras"]\n', "")
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(text, source="acme/sep-plugin.toml")
    assert said in caught.value.message
    assert caught.value.message.startswith("acme/sep-plugin.toml")


@pytest.mark.parametrize("text", ["", "schema = 1", "schema = 1\nplugin = []", "[[plugin]", "\x00"])
def test_what_is_no_manifest_is_refused(text: str) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(text)


def test_the_shipped_schema_is_current() -> None:
    shipped = files("sep_hooks").joinpath("sep-plugin.schema.json").read_text(encoding="utf-8")
    assert shipped == manifest_schema(), "write it anew with sep_hooks.manifest.manifest_schema()"
    assert set(json.loads(shipped)["$defs"]) >= {"PluginManifest", "Permissions", "Capability", "Support"}


def test_each_kind_has_a_group_and_a_set_of_capabilities() -> None:
    assert set(GROUPS) == set(CAPABILITIES_OF) == set(PluginKind)
    named = [capability for group in CAPABILITIES_OF.values() for capability in group]
    assert set(named) == set(Capability)


def test_a_manifest_is_frozen() -> None:
    manifest = parse_manifest(WHOLE)
    assert isinstance(manifest, Manifest)
    with pytest.raises(ValueError, match="frozen"):
        manifest.plugin[0].name = "other"  # type: ignore[misc]


versions = st.tuples(*[st.integers(0, 30)] * 3).map(lambda parts: ".".join(map(str, parts)))


@given(version=versions, low=versions, high=versions)
def test_a_range_admits_exactly_what_lies_within(version: str, low: str, high: str) -> None:
    inside = version_numbers(low) <= version_numbers(version) < version_numbers(high)
    assert api_range(f">={low},<{high}").admits(version) is inside
    assert api_range(f"=={version}").admits(version)
    assert not api_range(f"!={version}").admits(version)
    assert api_range(f">{low}").admits(version) is not api_range(f"<={low}").admits(version)


@pytest.mark.parametrize("text", ["", ">=", "1", ">=1,", ">=1;<2", ">=1.2.3.4", ">= x", "=>1", ">=٣"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="clause"):
        api_range(text)


def test_this_contract_has_a_version() -> None:
    assert api_range(">=0.1,<1").admits(API_VERSION)
