"""The configuration: what is accepted, and what is said about everything else."""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sep_hooks.errors import ConfigurationError
from sep_hooks.types import Asset, IntentType, erc20

from sep_core.runtime.settings import (
    InvalidSettings,
    Mode,
    Settings,
    load_settings,
    resolve_assets,
    settings_of,
    strategy_id,
)

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
EXAMPLE = f"""
mode = "paper"
[plugins]
enabled = ["sep-chain-evm", "sep-venue-uniswap-v3", "sep-risk-limits", "sep-strategy-momentum"]
[chains.ethereum]
use = "ethereum"
rpc = [{{ env = "ETHEREUM_RPC_URL" }}]
[venues.base-uni]
use = "uniswap-v3"
chain = "ethereum"
[accounts.main]
chain = "ethereum"
address = "{WETH}"
funding = ["USDC"]
signer = {{ use = "keystore", path = "keys/main.json", password = {{ file = "secrets/main" }} }}
[risk.limits]
use = "limits"
numeraire = "USDC"
max_notional = "50000000000"
[assets.USDC]
chain = "ethereum"
address = "{USDC}"
decimals = 6
[strategies.momentum]
use = "momentum"
account = "main"
window = 0.1
[strategies.quickstart]
use = "external"
id = "c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d"
account = "main"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sep.toml"
    path.write_text(EXAMPLE)
    return path


def load(file: Path, text: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    if text is not None:
        file.write_text(text)
    return load_settings(file, environ or {})


def mistakes(file: Path, old: str, new: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The mistakes by pointer after one change of the example."""
    assert old in EXAMPLE
    with pytest.raises(InvalidSettings) as caught:
        load(file, EXAMPLE.replace(old, new, 1), environ)
    assert str(file) in str(caught.value)
    return {one.pointer: one.text for one in caught.value.mistakes}


def test_the_example_is_read_whole(file: Path) -> None:
    settings = load(file)
    assert settings.mode is Mode.PAPER
    assert settings.store.path == file.parent / "sep-data"
    assert settings.plugins_enabled[0] == "sep-chain-evm"
    assert settings.chains["ethereum"].rest == {"rpc": [{"env": "ETHEREUM_RPC_URL"}]}
    assert settings.venues["base-uni"].chain == "ethereum"
    account = settings.accounts["main"]
    assert account.address == WETH.lower()
    assert account.signer is not None
    assert account.signer.use == "keystore"
    assert set(account.signer.rest) == {"path", "password"}
    assert settings.risk["limits"].rest["max_notional"] == "50000000000"
    assert settings.strategies["momentum"].rest == {"window": Decimal("0.1")}
    quickstart = settings.strategies["quickstart"]
    assert quickstart.external
    assert settings.strategy_by_id(UUID("c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d")) is quickstart
    assert settings.strategies["momentum"].id == strategy_id("momentum") != strategy_id("other")


def test_settings_cannot_be_changed(file: Path) -> None:
    settings = load(file)
    with pytest.raises(AttributeError):
        settings.mode = Mode.TESTNET  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.chains["other"] = settings.chains["ethereum"]  # type: ignore[index]


def test_without_a_file_everything_has_a_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(None, {})
    assert (settings.mode, settings.store.use) == (Mode.PAPER, "sqlite")
    assert settings.store.path == tmp_path.resolve() / "sep-data"
    assert settings.api.host == "127.0.0.1"
    bounds = settings.intents.bounds[IntentType.ACQUIRE]
    assert bounds.max_slippage == (Decimal("0.001"), Decimal("0.1"))
    assert bounds.time_window_ms == (60_000, 3_600_000)


def test_symbols_become_assets_once_the_chain_has_told_its_number(file: Path) -> None:
    settings = load(file)
    assert resolve_assets(settings, {"ethereum": 1}) == {"USDC": Asset(erc20(1, USDC), "USDC", 6)}
    assert resolve_assets(settings, {}) == {}


def test_bounds_of_a_type_build_on_the_default(file: Path) -> None:
    text = EXAMPLE + (
        "[intents.bounds.default]\nmax_slippage = [0.0001, 0.05]\n"
        "[intents.bounds.LIQUIDATE]\ntime_window_ms = [1000, 60000]\n"
    )
    bounds = load(file, text).intents.bounds
    assert bounds[IntentType.ACQUIRE].max_slippage == (Decimal("0.0001"), Decimal("0.05"))
    assert bounds[IntentType.LIQUIDATE].max_slippage == (Decimal("0.0001"), Decimal("0.05"))
    assert bounds[IntentType.LIQUIDATE].time_window_ms == (1000, 60000)
    assert bounds[IntentType.LIQUIDATE].source == "intents.bounds.LIQUIDATE"


def test_what_one_endpoint_lacks_is_never_evidence(file: Path) -> None:
    """`rpc_quorum` belongs to the kernel: the chain's own plugin never sees it."""
    table = '[chains.sim]\nuse = "simulated"\n'
    chain = load(file, f"{table}rpc_quorum = 3\n").chains["sim"]
    assert (chain.rpc_quorum, "rpc_quorum" in chain.rest) == (3, False)
    assert load(file, table).chains["sim"].rpc_quorum == 2
    for wrong in ("1", "0", "17", '"all"', "true"):
        with pytest.raises(InvalidSettings) as refused:
            load(file, f"{table}rpc_quorum = {wrong}\n")
        assert [one.pointer for one in refused.value.mistakes] == ["chains.sim.rpc_quorum"]


def test_a_chain_has_one_relay_at_most(file: Path) -> None:
    chain = '[chains.sim]\nuse = "simulated"\n'
    relay = '[relays.{}]\nuse = "flashbots"\nchain = "{}"\nurl = "https://relay.example"\n'.format
    made = load(file, chain + relay("dark", "sim")).relays["dark"]
    assert (made.use, made.chain, dict(made.rest)) == ("flashbots", "sim", {"url": "https://relay.example"})
    for tables, said in (
        (relay("dark", "sim") + relay("light", "sim"), "a chain has one relay"),
        (relay("dark", "other"), "relays.dark.chain"),
    ):
        with pytest.raises(InvalidSettings) as refused:
            load(file, chain + tables)
        (mistake,) = refused.value.mistakes
        assert mistake.pointer in ("relays.dark.chain", "relays.light.chain")
        assert said in str(refused.value)


def test_attempts_have_a_default_and_bounds(file: Path) -> None:
    assert load(file, "[intents]\nmax_attempts = 1\n").intents.max_attempts == 1
    assert load(file, "").intents.max_attempts == 5
    for wrong in ("0", "101", '"many"', "true"):
        with pytest.raises(InvalidSettings) as refused:
            load(file, f"[intents]\nmax_attempts = {wrong}\n")
        assert [one.pointer for one in refused.value.mistakes] == ["intents.max_attempts"]


@pytest.mark.parametrize(
    ("old", "new", "pointer", "said"),
    [
        ('mode = "paper"', 'mode = "papre"', "mode", "did you mean 'paper'"),
        ('mode = "paper"', 'mode = "live"', "mode", "sep-plugins.lock"),
        ('mode = "paper"', "mode = 1", "mode", "is 1"),
        ('mode = "paper"', 'mod = "paper"', "mod", "did you mean 'mode'"),
        ('chain = "ethereum"\n[acc', 'chain = "etherum"\n[acc', "venues.base-uni.chain", "did you mean"),
        ('chain = "ethereum"\n[acc', "[acc", "venues.base-uni.chain", "is missing"),
        ('use = "uniswap-v3"\n', "", "venues.base-uni.use", "is missing"),
        ("[venues.base-uni]", "[venues.Base]", "venues.Base", "names match"),
        ('funding = ["USDC"]', 'funding = ["USDT"]', "accounts.main.funding", "did you mean 'USDC'"),
        ('funding = ["USDC"]', 'funding = "USDC"', "accounts.main.funding", "list of strings"),
        ('funding = ["USDC"]', 'fundign = ["USDC"]', "accounts.main.fundign", "did you mean 'funding'"),
        (f'address = "{WETH}"', 'address = "0x12"', "accounts.main.address", "40 hex digits"),
        (f'address = "{USDC}"', f'address = "{USDC[:-1]}9"', "assets.USDC.address", "checksum"),
        ("decimals = 6", "decimals = 256", "assets.USDC.decimals", "from 0 to 255"),
        ("decimals = 6", "decimals = 6.0", "assets.USDC.decimals", "integer"),
        ("decimals = 6", "decimals = true", "assets.USDC.decimals", "is true"),
        ('account = "main"\nwindow', 'account = "mian"\nwindow', "strategies.momentum.account", "'main'"),
        ('id = "c7b6', 'id = "xxxx', "strategies.quickstart.id", "UUID"),
        ('id = "c7b6a5e4-3d2c-1b0a-9f8e-7d6c5b4a3e2d"\n', "", "strategies.quickstart.id", "is missing"),
        ('id = "c7b6', 'color = 1\nid = "c7b6', "strategies.quickstart.color", "no known key"),
        ("[plugins]", "[plugin]", "plugin", "did you mean 'plugins'"),
        ('"sep-risk-limits"', '"sep_chain.EVM"', "plugins.enabled", "two spellings"),
        ('"sep-risk-limits"', '"-"', "plugins.enabled", "no name of a distribution"),
        ("[chains.ethereum]", "chains = 3\n[chain.ethereum]", "chains", "must be a table"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_key_with_what_is_allowed(
    file: Path, old: str, new: str, pointer: str, said: str
) -> None:
    if new.startswith("chains = 3"):
        text = "chains = 3\n" + EXAMPLE.replace("[chains.ethereum]", "[other.ethereum]")
        with pytest.raises(InvalidSettings) as caught:
            load(file, text)
        found = {one.pointer: one.text for one in caught.value.mistakes}
    else:
        found = mistakes(file, old, new)
    assert pointer in found, found
    assert said in found[pointer]


def test_several_mistakes_are_reported_together(file: Path) -> None:
    text = EXAMPLE.replace("decimals = 6", "decimals = -1").replace('mode = "paper"', 'mode = "x"')
    with pytest.raises(InvalidSettings) as caught:
        load(file, text + "[api]\nhost = '0.0.0.0'\nport = 0.5\n")
    assert [one.pointer for one in caught.value.mistakes] == [
        "mode", "assets.USDC.decimals", "api.port", "api.host",
    ]  # fmt: skip
    assert "4 mistakes" in str(caught.value)


def test_two_strategies_may_not_share_an_id(file: Path) -> None:
    text = (
        EXAMPLE
        + '[strategies.copy]\nuse = "external"\nid = "C7B6A5E4-3d2c-1b0a-9f8e-7d6c5b4a3e2d"\naccount = "main"\n'
    )
    with pytest.raises(InvalidSettings, match="also the id of 'quickstart'"):
        load(file, text)


def test_funding_must_be_on_the_accounts_own_chain(file: Path) -> None:
    text = EXAMPLE + (
        f'[chains.base]\nuse = "base"\n[assets.OTHER]\nchain = "base"\naddress = "{USDC.lower()}"\ndecimals = 6\n'
    )
    with pytest.raises(
        InvalidSettings, match=r"accounts\.main\.funding: lists OTHER, which is on chain 'base'"
    ):
        load(file, text.replace('["USDC"]', '["OTHER"]'))


def test_testnet_needs_a_signer_where_a_strategy_acts(file: Path) -> None:
    signer = EXAMPLE[EXAMPLE.index("signer = ") : EXAMPLE.index("[risk")]
    text = EXAMPLE.replace('mode = "paper"', 'mode = "testnet"')
    assert load(file, text).mode is Mode.TESTNET
    with pytest.raises(InvalidSettings, match=r"accounts\.main\.signer: is missing"):
        load(file, text.replace(signer, ""))
    assert load(file, EXAMPLE.replace(signer, "")).accounts["main"].signer is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_the_api_binds_to_loopback_only(file: Path, host: str) -> None:
    with pytest.raises(InvalidSettings, match="loopback"):
        load(file, EXAMPLE + f'[api]\nhost = "{host}"\n')


def test_broken_files_are_named_with_the_place(file: Path, tmp_path: Path) -> None:
    for text, said in [
        ('mode = "paper\n', "line 1, column"),
        ("[a]\nb = \n", "line 2, column"),
        ("[a]\n[a]\n", "line 2, column"),
        ("mode = 'a'\nmode = 'b'\n", "line 2, column"),
    ]:
        with pytest.raises(ConfigurationError, match=said) as caught:
            load(file, text)
        assert str(file) in str(caught.value)
    file.write_bytes(b"mode = '\xff'")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_settings(file, {})
    with pytest.raises(ConfigurationError, match="no such file") as missing:
        load_settings(tmp_path / "none.toml", {})
    assert "sep init" in str(missing.value)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings(tmp_path, {})


def test_the_environment_lies_over_the_file(file: Path) -> None:
    environ = {
        "SEP_MODE": "testnet",
        "SEP_API__PORT": "9001",
        "SEP_STORE__PATH": "elsewhere",
        "SEP_VENUES__BASE_UNI__CHAIN": "ethereum",
        "SEP_VENUES__BASE_UNI__POOLS": '["0xAb"]',
        "SEP_RISK__LIMITS__MAX_NOTIONAL": "7",
        "SEP_ACCOUNTS__MAIN__SIGNER__PASSWORD__ENV": "KEY_PASSWORD",
        "SEP_ASSETS__USDC__DECIMALS": "8",
        "SEP_CONFIG": "not ours",
        "PATH": "/bin",
    }
    settings = load(file, environ=environ)
    assert settings.mode is Mode.TESTNET
    assert settings.api.port == 9001
    assert settings.store.path == file.parent / "elsewhere"
    assert settings.venues["base-uni"].rest == {"pools": ["0xAb"]}
    assert settings.risk["limits"].rest["max_notional"] == "7"
    signer = settings.accounts["main"].signer
    assert signer is not None
    assert signer.rest["password"] == {"env": "KEY_PASSWORD"}
    assert settings.assets["USDC"].decimals == 8


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SEP_VENUS__UNI__CHAIN", "x", "names no section"),
        ("SEP_MODE__X", "x", "holds a value, not a table"),
        ("SEP_VENUES____CHAIN", "x", "empty part"),
        ("SEP_PLUGINS__ENABLED", '["a"', "is not TOML"),
        ("SEP_VENUES__BASE_UNI__POOLS__X__Y", "1", ""),
    ],
)
def test_mistakes_in_the_environment_name_the_variable(file: Path, name: str, value: str, said: str) -> None:
    if not said:
        assert load(file, environ={name: value}).venues["base-uni"].rest == {"pools": {"x": {"y": "1"}}}
        return
    with pytest.raises(InvalidSettings, match=said) as caught:
        load(file, environ={name: value})
    assert caught.value.mistakes[0].pointer == name


def test_an_override_that_could_mean_two_keys_is_refused(file: Path) -> None:
    text = EXAMPLE + '[venues.base_uni]\nuse = "uniswap-v3"\nchain = "ethereum"\n'
    with pytest.raises(InvalidSettings, match="could mean any of base-uni, base_uni"):
        load(file, text, {"SEP_VENUES__BASE_UNI__CHAIN": "x"})


@given(
    st.recursive(
        st.one_of(st.booleans(), st.integers(), st.text(max_size=5), st.decimals(allow_nan=False)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    ["mode", "store", "chains", "venues", "accounts", "risk", "assets", "strategies", "intents",
                     "api", "bounds", "default", "use", "chain", "address", "id", "signer", "enabled", "port",
                     "plugins", "max_slippage", "a", "Ä"]
                ),
                inner, max_size=4,
            ),
        ),
        max_leaves=20,
    ).filter(lambda value: isinstance(value, dict))
)  # fmt: skip
def test_no_content_raises_anything_but_a_configuration_error(tables: dict[str, object]) -> None:
    with suppress(InvalidSettings):
        settings_of(tables, source="test", folder=Path("/"))  # type: ignore[arg-type]
