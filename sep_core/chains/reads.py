"""Headers and logs of a chain, each by hash where it matters."""

from collections.abc import Callable, Sequence

from sep_hooks.chain import ChainPreset
from sep_hooks.context import Rpc, RpcFailed, RpcOutcome, RpcRequest
from sep_hooks.errors import RpcRejected, UnknownBlock
from sep_hooks.types import Block, BlockLogs

from . import parse
from .bloom import bloom_of
from .errors import LogsIncomplete
from .header import Header
from .tracker import Look

_ATTEMPTS = 2


class ChainReads:
    """Reads of blocks; `keccak256` checks logs against the header's bloom where the chain has one."""

    def __init__(self, preset: ChainPreset, rpc: Rpc, keccak256: Callable[[bytes], bytes]) -> None:
        self.preset = preset
        self.rpc = rpc
        self._keccak256 = keccak256

    async def latest(self) -> Header:
        """The header that the node calls latest."""
        return _present(await self._headers([_by_tag("latest")]), "latest")

    async def by_hash(self, block_hash: str) -> Header | None:
        """A header by hash; None where the node does not know it."""
        (found,) = await self._headers([_by_hash(block_hash)])
        return found

    async def by_number(self, number: int) -> Header | None:
        """The canonical header of this number; None where there is none yet."""
        (found,) = await self._headers([_by_tag(hex(number))])
        return found

    async def by_numbers(self, first: int, last: int) -> Sequence[Header]:
        """The canonical headers `first` to `last`, without those that the node does not know."""
        found = await self._headers([_by_tag(hex(number)) for number in range(first, last + 1)])
        return [header for header in found if header is not None]

    async def look(self) -> Look:
        """Latest, safe and finalized by the preset's rule; the first block where a tag has no answer yet."""
        finality = self.preset.finality
        if finality.rule == "depth":
            latest = await self.latest()
            deep = await self.by_number(max(0, latest.block.number - finality.depth))
            ref = (deep or await self.first()).block.ref
            return Look(latest.block, ref, ref)
        tags = ["latest", "safe", "finalized" if finality.rule == "finalized" else "safe"]
        outcomes = await self.rpc.calls([_by_tag(tag) for tag in tags])
        found = _present([_header(outcomes[0])], "latest")
        safe, finalized = (_tagged(outcome) for outcome in outcomes[1:])
        if safe is None or finalized is None:
            start = await self.first()
            safe, finalized = safe or finalized or start, finalized or start
        return Look(found.block, safe.block.ref, finalized.block.ref)

    async def first(self) -> Header:
        """The chain's first block."""
        return _present([await self.by_number(0)], "number 0")

    async def logs(self, blocks: Sequence[Block]) -> Sequence[BlockLogs]:
        """All logs of these blocks, by hash, checked against each header's bloom.

        Raises `UnknownBlock` where a block is gone and `LogsIncomplete` where answers stay wanting.
        """
        found: dict[str, BlockLogs] = {}
        for attempt in range(_ATTEMPTS):
            wanted = [block for block in blocks if block.hash not in found]
            requests = [
                request
                for block in wanted
                for request in (_by_hash(block.hash), RpcRequest("eth_getLogs", ({"blockHash": block.hash},)))
            ]
            outcomes = await self.rpc.calls(requests)
            for block, head, body in zip(wanted, outcomes[::2], outcomes[1::2], strict=True):
                logs = self._complete(block, head, body, last=attempt == _ATTEMPTS - 1)
                if logs is not None:
                    found[block.hash] = logs
        return [found[block.hash] for block in blocks]

    def _complete(self, block: Block, head: RpcOutcome, body: RpcOutcome, *, last: bool) -> BlockLogs | None:
        header = _header(head)
        if header is None:
            raise UnknownBlock(f"block {block.number} {block.hash} is gone")
        logs = parse.logs(parse.parsed(_result(body)))
        if header.logs_bloom is None or bloom_of(logs, self._keccak256) == header.logs_bloom:
            return BlockLogs(block, logs)
        if last:
            raise LogsIncomplete(
                f"block {block.number} {block.hash}: {len(logs)} logs do not make the header's bloom",
                next_step="use an endpoint that serves whole blocks",
            )
        return None

    async def _headers(self, requests: Sequence[RpcRequest]) -> Sequence[Header | None]:
        return [_header(outcome) for outcome in await self.rpc.calls(requests)]


def _by_tag(tag: str) -> RpcRequest:
    return RpcRequest("eth_getBlockByNumber", (tag, False))


def _by_hash(block_hash: str) -> RpcRequest:
    return RpcRequest("eth_getBlockByHash", (block_hash, False))


def _result(outcome: RpcOutcome) -> bytes:
    if isinstance(outcome, RpcFailed):
        raise outcome.error
    return outcome.result


def _header(outcome: RpcOutcome) -> Header | None:
    value = parse.parsed(_result(outcome))
    return None if value is None else parse.header(value)


def _tagged(outcome: RpcOutcome) -> Header | None:
    """The header of a tag; a young chain answers null or an error of its own."""
    if isinstance(outcome, RpcFailed) and isinstance(outcome.error, UnknownBlock | RpcRejected):
        return None
    return _header(outcome)


def _present(found: Sequence[Header | None], what: str) -> Header:
    (header,) = found
    if header is None:
        raise UnknownBlock(f"the node has no block {what}")
    return header
