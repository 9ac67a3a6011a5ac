"""The command line of `sep executor`."""

import argparse
import sys
from collections.abc import Sequence

from sep_hooks.errors import SepError
from sep_hooks.types import Address, address

from .contract import FACTORY, Contract, contract
from .errors import ExecutorError
from .node import Node

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """Run `sep executor …` and give its exit code; an error is a sentence, never a traceback."""
    try:
        parsed = _parser().parse_args(list(arguments))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_USAGE
    try:
        owner = address(parsed.owner)
        made = contract()
        if parsed.verb == "address":
            _say(made.address(owner))
        elif parsed.verb == "check":
            _check(made, owner, Node(parsed.rpc))
        else:
            _deploy(made, owner, Node(parsed.rpc), parsed.unlocked)
    except SepError as error:
        sys.stderr.write(f"error: {error.message}\n")
        if error.next_step:
            sys.stderr.write(f"next:  {error.next_step}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        sys.stderr.write("stopped; what was sent is sent\n")
        return EXIT_FAILED
    return 0


def _check(made: Contract, owner: Address, node: Node) -> None:
    place = made.address(owner)
    code = node.code(place)
    if not code:
        raise ExecutorError(
            f"nothing stands at {place} on chain {node.chain_id()}",
            next_step=f"run `sep executor deploy {owner} --rpc …`",
        )
    if not made.is_of(owner, code):
        raise ExecutorError(
            f"what stands at {place} is not this contract of {owner}; nothing was allowed to it by this look",
            next_step="name no executor of this address in the configuration",
        )
    _say(f"{place} is the executor of {owner} on chain {node.chain_id()}")
    _say(f'name it in sep.toml, in the table of the account: executor = "{place}"')


def _deploy(made: Contract, owner: Address, node: Node, unlocked: str | None) -> None:
    chain_id = node.chain_id()
    if node.code(made.address(owner)):
        _check(made, owner, node)
        return
    if not node.code(FACTORY):
        raise ExecutorError(
            f"the deterministic deployment proxy does not stand at {FACTORY} on chain {chain_id}; nothing was sent",
            next_step="deploy the proxy first; its creating transaction is public and the same for every chain",
        )
    data = made.deployment(owner)
    if unlocked is None:
        gas = node.gas(owner, FACTORY, data)
        _say(
            f"send this transaction on chain {chain_id} from any account; the owner {owner} stands in the code:"
        )
        _say(f"to:   {FACTORY}")
        _say(f"gas:  {gas * 6 // 5}")
        _say(f"data: 0x{data.hex()}")
        _say(f"then: sep executor check {owner} --rpc …")
        return
    sender = address(unlocked)
    if sender == owner:
        raise ExecutorError(
            f"{owner} shall not deploy its own executor: its nonces belong to the engine that runs on it;"
            " nothing was sent",
            next_step="let another account of the node pay",
        )
    _say(f"sent: {node.send_unlocked(sender, FACTORY, data, node.gas(sender, FACTORY, data) * 6 // 5)}")
    _check(made, owner, node)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sep executor",
        description="An account's own contract that runs several trades in one transaction.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB", dest="verb")
    where = verbs.add_parser("address", help="where an account's executor stands, or would stand")
    check = verbs.add_parser("check", help="whether an account's executor stands on a chain, and is genuine")
    deploy = verbs.add_parser(
        "deploy",
        help="the transaction that creates an account's executor",
        description="Print the transaction that creates an account's executor, for any wallet to send; on a local"
        " node, let one of its own accounts send it. Doing so twice does nothing.",
    )
    for verb in (where, check, deploy):
        verb.add_argument("owner", metavar="ACCOUNT", help="the account that owns it")
    for verb in (check, deploy):
        verb.add_argument("--rpc", required=True, metavar="URL", help="the chain's node")
    deploy.add_argument(
        "--unlocked", metavar="ADDRESS", help="an account of a local node, other than the owner, that pays"
    )
    return parser


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
