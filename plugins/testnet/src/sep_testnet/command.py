"""The command line of `sep testnet`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sep_hooks.errors import SepError

from .chains import CHAIN_NAMES
from .up import UpOptions, run_up

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """Run `sep testnet …` and give its exit code; an error is a sentence, never a traceback."""
    try:
        parsed = _parser().parse_args(list(arguments))
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else EXIT_USAGE
    chain_ids = tuple(dict.fromkeys(parsed.chain or [1]))
    options = UpOptions(Path(parsed.dir), chain_ids, parsed.port, parsed.fresh)
    try:
        run_up(options, _say)
    except SepError as error:
        sys.stderr.write(f"error: {error.message}\n")
        if error.next_step:
            sys.stderr.write(f"next:  {error.next_step}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        _say("stopped; nothing is left running")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sep testnet", description="Local Ethereum nodes with genuine Uniswap contracts."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    up = verbs.add_parser(
        "up",
        help="start local chains in the foreground and write a configuration for them",
        description="Start local chains in the foreground, a block each second, and write into DIR what"
        " `sep serve --config DIR/sep.toml` needs. Ctrl-C stops them. Everything on them is play money.",
    )
    up.add_argument("dir", metavar="DIR", help="the folder to write into: new, empty, or an earlier box")
    up.add_argument(
        "--chain",
        type=int,
        action="append",
        choices=sorted(CHAIN_NAMES),
        metavar="ID",
        help=f"a chain id, may be repeated (default 1; known: {', '.join(map(str, sorted(CHAIN_NAMES)))})",
    )
    up.add_argument(
        "--port",
        type=_port,
        default=0,
        help="the first chain's port, the next chains take the ones after it (default 0: any free one)",
    )
    up.add_argument(
        "--fresh", action="store_true", help="move what an earlier box left in DIR aside, into DIR/old-N"
    )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError(f"{port} is not between 0 and 65535")
    return port


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
