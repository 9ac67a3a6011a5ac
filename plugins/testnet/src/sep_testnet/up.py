"""`sep testnet up`: chains in the foreground, a folder to use them with, nothing left behind."""

import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from .artifacts import load_artifacts
from .blocks import hold_base_fee, make_blocks, mine_block
from .box import BoxChain, held_box
from .box_files import API_HOST, API_PORT, BoxKey, box_files, new_key
from .chains import CHAIN_NAMES, check_chain_plugin
from .encoding import encode_call
from .node import NodeOptions
from .open import open_testnet
from .testnet import Testnet

FUNDED_WEI = 10 * 10**18
FUNDED_USDC = 100_000 * 10**6

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What was asked for; port 0 is any free one."""

    folder: Path
    chain_ids: tuple[int, ...]
    port: int
    fresh: bool


def run_up(options: UpOptions, say: Say) -> None:
    """Run the chains until SIGINT, SIGTERM or SIGHUP. Raises `TestnetError` or `TestnetUnavailable`."""
    for chain_id in options.chain_ids:
        check_chain_plugin(chain_id)
    with ExitStack() as stack:
        stop = stack.enter_context(_stop_on_signals())
        box = stack.enter_context(held_box(options.folder, fresh=options.fresh))
        with stop.interruptible():
            artifacts = load_artifacts(say)
        key = new_key()
        testnets = []
        for position, chain_id in enumerate(options.chain_ids):
            port = options.port + position if options.port else 0
            node_options = NodeOptions(chain_id, port=port, slots_in_an_epoch=1, mines_by_itself=False)
            opened = open_testnet(node_options, artifacts=artifacts, progress=say)
            testnets.append(stack.enter_context(opened))
            _fund(testnets[-1], key)
        chains = [
            BoxChain(CHAIN_NAMES[testnet.chain_id], testnet.url, testnet.node.pid, testnet.deployment)
            for testnet in testnets
        ]
        if not stop.event.is_set():
            moved = box.fill(box_files(chains, key), chains)
            if moved is not None:
                say(f"moved the earlier box into {moved}")
            _announce(options.folder, chains, key, say)
            make_blocks([testnet.node for testnet in testnets], stop.event)
    say("stopped; nothing is left running")


def _fund(testnet: Testnet, key: BoxKey) -> None:
    """Bring the chain into the present and give the account something to spend."""
    testnet.rpc.call("anvil_removeBlockTimestampInterval")
    hold_base_fee(testnet.node)
    testnet.set_ether(key.address, FUNDED_WEI)
    deployment = testnet.deployment
    mint = encode_call("mint(address,uint256)", key.address, FUNDED_USDC)
    transaction = testnet.submit(deployment.deployer, deployment.usdc, mint)
    mine_block(testnet.node)
    testnet.receipt(transaction)


def _announce(folder: Path, chains: list[BoxChain], key: BoxKey, say: Say) -> None:
    config = shlex.quote(str(folder / "sep.toml"))
    token = shlex.quote(str(folder / "sep-data" / "api-token"))
    body = shlex.quote(f"@{folder / 'intent.json'}")
    for chain in chains:
        say(f"chain {chain.deployment.chain_id} ({chain.name}) at {chain.rpc}, a block each second")
    say(f"account main, {key.address}, holds 10 ETH and 100,000 USDC")
    say("ready")
    say("next, in another terminal:")
    say(f"  sep serve --config {config}")
    say(
        f'  curl -sS http://{API_HOST}:{API_PORT}/intents/submit -H "Authorization: Bearer $(cat {token})"'
        f" -H 'Content-Type: application/json' --data {body}"
    )
    say(f"  sep verify --config {config}")
    say("Ctrl-C here stops the chain.")


class _Stop:
    """Turns signals into an event; only while interruptible do they break off what is running."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self._interruptible = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a signal raise `KeyboardInterrupt` in this block, which holds nothing that must be stopped."""
        self._interruptible = True
        try:
            yield
        finally:
            self._interruptible = False

    def handle(self, _signal: int, _frame: FrameType | None) -> None:
        """Note a signal."""
        self.event.set()
        if self._interruptible:
            raise KeyboardInterrupt


@contextmanager
def _stop_on_signals() -> Iterator[_Stop]:
    stop = _Stop()
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    former = {number: signal.signal(number, stop.handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
