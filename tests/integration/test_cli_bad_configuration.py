"""A configuration that cannot be: every mistake with its place and the next step, before anything is made or sent."""

import re
from pathlib import Path

import pytest

from sep_core.adapters.signer_keystore import create_keystore

from .command import edited, refused, sep


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as `sep init` leaves it."""
    assert sep("init", ".", cwd=tmp_path).code == 0
    return tmp_path


@pytest.fixture
def signing(folder: Path) -> Path:
    """The same, with a key for the account of the strategy that lives outside."""
    (folder / "keys").mkdir(mode=0o700)
    address = create_keystore(folder / "keys" / "main.json", "right", scrypt_log_n=4)
    (folder / "password").write_text("right")
    (folder / "password").chmod(0o600)
    tables = (folder / "sep.toml").read_text().replace('"paper"', '"testnet"').split("\n\n")
    kept = [one for one in tables if not one.startswith(("[accounts.main]", "[strategies.rebalance]"))]
    account = next(number for number, one in enumerate(kept) if one.startswith("[accounts.second]"))
    kept[account] = SIGNING_ACCOUNT.format(address=address)
    (folder / "sep.toml").write_text("\n\n".join(kept))
    return folder


SIGNING_ACCOUNT = """\
[accounts.second]
chain = "simulated"
address = "{address}"
funding = ["USDC"]
signer = {{ use = "keystore", path = "keys/main.json", password = {{ file = "password" }} }}"""

MISTAKES = {
    "syntax": (("[plugins]", "[plugins"), ["sep.toml", "line 4"]),
    "unknown key": (("funding", "fundign"), ["accounts.main.fundign", "did you mean 'funding'?"]),
    "unknown section": (("[plugins]", "[plugin]"), ["plugin: is no known key", "did you mean 'plugins'?"]),
    "wrong type": (("decimals = 18", 'decimals = "many"'), ["assets.", ".decimals", "must be an integer"]),
    "unknown chain": (
        (
            '[venues.amm]\nuse = "simulated-amm"\nchain = "simulated"',
            '[venues.amm]\nuse = "simulated-amm"\nchain = "sim"',
        ),
        ["venues.amm.chain", "there is no [chains.sim]"],
    ),
    "unknown asset": (
        ('funding = ["USDC"]', 'funding = ["USDT"]'),
        ["accounts.main.funding", "did you mean"],
    ),
    "unknown mode": (('mode = "paper"', 'mode = "papre"'), ["mode", "did you mean 'paper'?"]),
    "live": (('mode = "paper"', 'mode = "live"'), ["mode", "live", "not available yet", "a signer outside"]),
    "no signer": (('mode = "paper"', 'mode = "testnet"'), ["accounts.main.signer", "is missing"]),
    "open host": (("[plugins]", '[api]\nhost = "0.0.0.0"\n\n[plugins]'), ["api.host", "loopback"]),
    "key of a plugin": (("numeraire", "numerair"), ["risk.limits.numerair", "did you mean 'numeraire'?"]),
    "missing plugin": (
        ("sep-risk-limits", "sep-risk-limit"),
        ["plugins.enabled", "did you mean 'sep-risk-limits'?"],
    ),
    "plugin not enabled": (
        ('"sep-risk-limits", ', ""),
        ["sep-risk-limits is installed but not enabled", "add "],
    ),
    "no such implementation": (
        ('use = "simulated"', 'use = "simulate"'),
        ["chain called 'simulate'", "simulated"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_by_its_place(folder: Path, name: str) -> None:
    """A14: at once, by an exit code. By `check`; nothing is made."""
    change, words = MISTAKES[name]
    edited(folder / "sep.toml", change)
    refused(sep("check", "--offline", cwd=folder), 3, *words)
    assert [one.name for one in folder.iterdir()] == ["sep.toml"]


@pytest.mark.parametrize("verb", ["run", "serve", "status", "doctor"])
def test_every_verb_says_the_same(folder: Path, verb: str) -> None:
    """The engine does not start, nothing is read."""
    edited(folder / "sep.toml", ("funding", "fundign"))
    refused(sep(verb, cwd=folder), 3, "accounts.main.fundign", "did you mean 'funding'?")
    assert not (folder / "sep-data").exists()


def test_all_mistakes_are_told_at_once(folder: Path) -> None:
    """One look, one list."""
    edited(folder / "sep.toml", ("funding", "fundign"), ("decimals = 18", "decimals = 1000"))
    refused(sep("check", cwd=folder), 3, "2 mistakes", "accounts.main.fundign", ".decimals")


def test_without_a_configuration_the_next_step_is_init(tmp_path: Path) -> None:
    """For every verb that needs one."""
    for verb in (["check"], ["run"], ["status"], ["submit", "-"]):
        refused(sep(*verb, cwd=tmp_path), 3, "sep.toml: no such file", "sep init")
    refused(sep("check", "--config", "there.toml", cwd=tmp_path), 3, "there.toml: no such file")
    refused(sep("check", cwd=tmp_path, environ={"SEP_CONFIG": "that.toml"}), 3, "that.toml: no such file")
    refused(sep("check", "--config", ".", cwd=tmp_path), 3, "cannot be read", "directory")


def test_init_asks_nothing_without_a_terminal_and_overwrites_nothing(tmp_path: Path) -> None:
    """A16, A18: the second time it refuses, and the file stays as its owner left it."""
    assert sep("init", "one", cwd=tmp_path).code == 0
    file = tmp_path / "one" / "sep.toml"
    file.write_text("# mine\n")
    refused(sep("init", "one", cwd=tmp_path), 3, "sep.toml exists and stays")
    assert file.read_text() == "# mine\n"
    said = sep("init", "two", "--chain", "ethereum", "--json", cwd=tmp_path)
    assert said.code == 0
    assert said.json["file"] == "two/sep.toml"
    assert sep("check", "--offline", "--config", "two/sep.toml", cwd=tmp_path).code == 0
    refused(sep("init", "three", "--chain", "polygon", cwd=tmp_path), 2, "polygon", "simulated")
    (tmp_path / "four").write_text("a file")
    refused(sep("init", "four", cwd=tmp_path), 4, "four")


def test_a_key_that_opens_is_used_and_a_wrong_one_named(signing: Path) -> None:
    """The password, the key's file, its rights: each is told apart, none is shown."""
    checked = sep("check", cwd=signing)
    assert checked.code == 0, checked
    assert "account second: key opens and fits the address" in checked.out

    key, password = signing / "keys" / "main.json", signing / "password"
    password.write_text("hunter2-canary")
    answer = sep("check", cwd=signing)
    refused(answer, 3, "password does not open", "main.json")
    assert "hunter2-canary" not in answer.err
    refused(sep("run", cwd=signing), 3, "password does not open")
    password.write_text("right")

    key.chmod(0o644)
    refused(sep("check", cwd=signing), 3, "main.json", "0644", f"chmod 600 {key.resolve()}")
    key.chmod(0o600)
    password.chmod(0o644)
    refused(sep("check", cwd=signing), 3, "accounts.second.signer.password", "0644", "chmod 600")
    password.unlink()
    refused(sep("check", cwd=signing), 3, "accounts.second.signer.password")
    password.write_text("right")
    password.chmod(0o600)
    key.rename(key.with_suffix(".away"))
    refused(sep("check", cwd=signing), 3, "main.json")


def test_a_key_of_another_account_is_refused(signing: Path) -> None:
    """An account signs with its own key or not at all."""
    own = re.search('address = "(.*)"\nfunding', (signing / "sep.toml").read_text())
    assert own is not None
    edited(signing / "sep.toml", (own[1], "0x00000000000000000000000000000000000000aa"))
    refused(sep("check", cwd=signing), 3, "0x00000000000000000000000000000000000000aa")
