"""`sep init`: a folder to start from."""

import shlex
import sys
from pathlib import Path

import click
from sep_hooks.errors import ConfigurationError

from sep_core.cli.options import json_option
from sep_core.cli.output import emit_json

CHAINS = ("simulated", "ethereum")

_SIMULATED = """\
# SEP: a strategy keeps two assets at a weight, on a chain that is simulated in this process. Nothing here is real.
mode = "paper"                      # paper: everything but signing and sending | testnet

[plugins]
enabled = ["sep-risk-limits", "sep-strategy-rebalance"]

[chains.simulated]
use = "simulated"
seed = {seed}

[venues.amm]
use = "simulated-amm"
chain = "simulated"

[accounts.main]
chain = "simulated"
address = "{owner}"
funding = ["USDC"]

[accounts.second]
chain = "simulated"
address = "{second}"
funding = ["USDC"]

{assets}[risk.limits]
use = "limits"
numeraire = "USDC"
max_notional = "50000000000"        # base units of the numeraire: 50,000 USDC

[strategies.rebalance]
use = "rebalance"
account = "main"
base = "WETH"
quote = "USDC"
weight = "0.5"
band = "0.05"

[strategies.mine]                   # lives outside the process and speaks HTTP
use = "external"
id = "{strategy}"
account = "second"
"""

_ETHEREUM = """\
# SEP on Ethereum, in paper mode: everything but signing and sending.
mode = "paper"                      # paper: everything but signing and sending | testnet

[plugins]
enabled = ["sep-chain-evm", "sep-venue-uniswap-v3", "sep-risk-limits"]

[chains.ethereum]
use = "ethereum"
rpc = ["{rpc}"]

[venues.uniswap-v3]
use = "uniswap-v3"
chain = "ethereum"
factory = "0x1F98431c8aD98523631AE4a59f267346ea31F984"
router = "0x68b3465833fb72A70ecDF485E0e4C7bD8665Fc45"
quoter = "0x61fFE014bA17989E743c5F6cB21bF9697530B21e"
tick_lens = "0xbfd8137f7d1516D3ea5cA83523914859ec47F573"
pools = ["0x88e6A0c2dDD26FEEb64F039a2c41296FcB3f5640", "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8"]

[accounts.main]
chain = "ethereum"
address = "{owner}"
funding = ["USDC"]

[assets.USDC]
chain = "ethereum"
address = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
decimals = 6

[assets.WETH]
chain = "ethereum"
address = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
decimals = 18

[risk.limits]
use = "limits"
numeraire = "USDC"
max_notional = "50000000000"        # base units of the numeraire: 50,000 USDC

[strategies.mine]                   # lives outside the process and speaks HTTP
use = "external"
id = "{strategy}"
account = "main"
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--chain", type=click.Choice(CHAINS), help="Which chain to begin with. Default: simulated.")
@click.option("--rpc", help="For ethereum: the address of a node. Default: http://127.0.0.1:8545.")
@click.option("--address", help="For ethereum: the account to look through. Default: one that owns nothing.")
@json_option
def init(folder: Path, chain: str | None, rpc: str | None, address: str | None, as_json: bool) -> int:
    """Make FOLDER with a sep.toml. Asks at most three questions at a terminal, none without; never overwrites."""
    file = folder / "sep.toml"
    if file.exists():
        raise ConfigurationError(
            f"{file} exists and stays as it is", next_step="name another folder, or edit it"
        )
    if chain is None and _asks():
        chain = click.prompt("Which chain", type=click.Choice(CHAINS), default=CHAINS[0])
    chain = chain or CHAINS[0]
    if chain == "ethereum" and _asks():
        rpc = rpc or click.prompt("Address of a node", default="http://127.0.0.1:8545")
        address = address or click.prompt("Account to look through", default="0x" + "00" * 19 + "01")
    text, command = _content(
        folder, chain, rpc or "http://127.0.0.1:8545", address or "0x" + "00" * 19 + "01"
    )
    folder.mkdir(parents=True, exist_ok=True)
    with file.open("x", encoding="utf-8") as stream:
        stream.write(text)
    if as_json:
        emit_json({"file": str(file), "command": command})
    else:
        click.echo(f"wrote {file}   the same without questions: {command}")
        click.echo(
            f"next  cd {folder} && sep check && sep run"
            if str(folder) != "."
            else "next  sep check && sep run"
        )
    return 0


def _asks() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _content(folder: Path, chain: str, rpc: str, address: str) -> tuple[str, str]:
    from uuid import uuid4

    command = f"sep init {shlex.quote(str(folder))} --chain {chain}"
    if chain == "ethereum":
        text = _ETHEREUM.format(rpc=rpc, owner=address, strategy=uuid4())
        return text, f"{command} --rpc {shlex.quote(rpc)} --address {address}"
    from sep_core.cli.simulated import assets_text, demo_owners

    seed = 7
    owner, second, *_ = demo_owners(seed)
    text = _SIMULATED.format(
        seed=seed, owner=owner, second=second, assets=assets_text(seed), strategy=uuid4()
    )
    return text, command
