"""All that the kernel asks of one chain."""

from collections.abc import Mapping, Sequence

from sep_hooks.chain import ChainPreset
from sep_hooks.context import Rpc, RpcFailed, RpcOutcome, RpcRequest
from sep_hooks.errors import CallReverted, RpcRejected, RpcUnavailable, SepError, UnknownBlock
from sep_hooks.types import (
    Address,
    Amount,
    AssetId,
    Block,
    BlockRef,
    BroadcastAnswer,
    Call,
    CallResult,
    FeeSuggestion,
    Json,
    Receipt,
    chain_of,
    evm_chain,
    native_asset,
    token_address,
)

from . import fees, parse
from .broadcast import Broadcaster
from .endpoints import EndpointRpc
from .errors import WrongChain
from .native import NativeAbi, keccak256
from .reads import ChainReads

BROADCAST_TIMEOUT_SECONDS = 10.0
VERIFY_TIMEOUT_SECONDS = 5.0
_BALANCE_OF = "balanceOf(address)"
_ALLOWANCE = "allowance(address,address)"


class ChainAccess:
    """One chain by its preset, over any `Rpc`. Every read without a block is of the latest one.

    Raises what `Rpc.call` raises; an answer of another shape is `RpcUnavailable`.
    """

    def __init__(self, preset: ChainPreset, rpc: Rpc | EndpointRpc) -> None:
        self.preset = preset
        self.rpc = rpc
        self.chain = evm_chain(preset.chain_id)
        self.abi = NativeAbi()
        self.reads = ChainReads(preset, rpc, keccak256)
        self._broadcaster = Broadcaster(preset, rpc, keccak256)

    async def verify(self) -> None:
        """Proves that every endpoint that answers serves this chain, and that one answers.

        Raises `WrongChain` or `RpcUnavailable`, naming the endpoint.
        """
        request = RpcRequest("eth_chainId")
        if isinstance(self.rpc, EndpointRpc):
            outcomes = await self.rpc.each(request, timeout_seconds=VERIFY_TIMEOUT_SECONDS)
        else:
            answer = await self.rpc.calls([request], timeout_seconds=VERIFY_TIMEOUT_SECONDS)
            outcomes = [(self.preset.name, outcome) for outcome in answer]
        failures: list[SepError] = []
        for endpoint, outcome in outcomes:
            if isinstance(outcome, RpcFailed):
                if isinstance(outcome.error, WrongChain):
                    raise outcome.error
                failures.append(outcome.error)
                continue
            found = parse.quantity(parse.parsed(outcome.result))
            if found != self.preset.chain_id:
                raise WrongChain(
                    f"{endpoint} serves chain {found}, configured for {self.preset.name} is chain"
                    f" {self.preset.chain_id}; nothing was sent to it",
                    pointer=f"chains.{self.preset.name}",
                    next_step="correct rpc or chain_id of this chain in sep.toml",
                )
        if len(failures) == len(outcomes):
            raise RpcUnavailable(
                f"chain {self.preset.name}: {'; '.join(failure.message for failure in failures)}",
                next_step="start the node or correct rpc of this chain in sep.toml",
            )

    async def head(self) -> Block:
        """The latest block."""
        return (await self.reads.latest()).block

    async def genesis(self) -> str:
        """The hash of block 0; empty where no endpoint has it."""
        header = await self.reads.by_number(0)
        return "" if header is None else header.block.hash

    async def block(self, at: BlockRef | int) -> Block:
        """A block by hash, or the canonical one of a number. Raises `UnknownBlock`."""
        if isinstance(at, int):
            header = await self.reads.by_number(at)
        else:
            header = await self.reads.by_hash(at.hash)
        if header is None:
            raise UnknownBlock(f"chain {self.preset.name} has no block {at}")
        return header.block

    async def nonce(self, owner: Address, at: str | BlockRef = "latest") -> int:
        """How many transactions of an account are in the chain: at `latest`, at `finalized` by the preset's
        rule, or at a block.
        """
        if at == "finalized":
            at = (await self.final_block()).ref
        request = (
            RpcRequest("eth_getTransactionCount", (owner,), at)
            if isinstance(at, BlockRef)
            else RpcRequest("eth_getTransactionCount", (owner, at))
        )
        return parse.quantity(parse.parsed(await self.rpc.call(request)))

    async def balances(
        self, owner: Address, assets: Sequence[AssetId], at: BlockRef | None = None
    ) -> Mapping[AssetId, Amount]:
        """What an account holds, native asset and tokens, all at one block."""
        at = at or (await self.head()).ref
        outcomes = await self.rpc.calls([self._balance_request(owner, asset, at) for asset in assets])
        amounts: dict[AssetId, Amount] = {}
        for asset, outcome in zip(assets, outcomes, strict=True):
            value = parse.parsed(_result(outcome))
            amounts[asset] = Amount(
                parse.quantity(value) if asset == self._native() else _word(parse.octets(value), asset)
            )
        return amounts

    async def allowance(
        self, asset: AssetId, owner: Address, spender: Address, at: BlockRef | None = None
    ) -> Amount:
        """What `spender` may take of an account's tokens."""
        data = self.abi.encode_call(_ALLOWANCE, (owner, spender))
        output = await self.call(Call(token_address(asset), data), at=at)
        return Amount(_word(output, asset))

    async def call(self, call: Call, sender: Address | None = None, at: BlockRef | None = None) -> bytes:
        """What a call answers, without a transaction. Raises `CallReverted`."""
        params = (_call_json(call, sender),)
        request = RpcRequest("eth_call", params, at) if at else RpcRequest("eth_call", (*params, "latest"))
        return parse.octets(parse.parsed(await self.rpc.call(request)))

    async def code(self, at: Address) -> bytes:
        """What stands at an address; empty where no contract does."""
        raw = await self.rpc.call(RpcRequest("eth_getCode", (at, "latest")))
        return parse.octets(parse.parsed(raw))

    async def simulate(self, calls: Sequence[Call], sender: Address) -> Sequence[CallResult]:
        """What these calls would do one after the other on top of the latest state.

        A call that reverts is a result; the later ones run on what it left.
        """
        body: Json = {
            "blockStateCalls": [{"calls": [_call_json(call, sender) for call in calls]}],
            "validation": False,
            "traceTransfers": False,
        }
        blocks = parse.sequence(
            parse.parsed(await self.rpc.call(RpcRequest("eth_simulateV1", (body, "latest"))))
        )
        results = [
            parse.call_result(item)
            for block in blocks
            for item in parse.sequence(parse.record(block).get("calls"))
        ]
        if len(results) != len(calls):
            raise parse.malformed(f"{len(calls)} simulated calls", len(results))
        return results

    async def fees(self) -> FeeSuggestion:
        """Fees for the next blocks, with the preset's floor for the tip."""
        percentiles: Json = list(fees.TIP_PERCENTILES)
        outcomes = await self.rpc.calls(
            [
                RpcRequest("eth_getBlockByNumber", ("latest", False)),
                RpcRequest("eth_feeHistory", (hex(fees.HISTORY_BLOCKS), "latest", percentiles)),
            ]
        )
        latest, history = (parse.parsed(_result(outcome)) for outcome in outcomes)
        return fees.suggestion(parse.header(latest), parse.record(history), self.preset.minimum_tip)

    async def broadcast(
        self, raw: bytes, *, timeout_seconds: float = BROADCAST_TIMEOUT_SECONDS
    ) -> Sequence[BroadcastAnswer]:
        """Sends signed bytes to every endpoint, once. Never raises for what an endpoint answers."""
        return await self._broadcaster.broadcast(raw, timeout_seconds)

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """A transaction's receipt; None is no evidence that there is none."""
        (receipt,) = await self.receipts([transaction_hash])
        return receipt

    async def receipts(self, transaction_hashes: Sequence[str]) -> Sequence[Receipt | None]:
        """The receipts of several transactions, in one batch."""
        outcomes = await self.rpc.calls(
            [RpcRequest("eth_getTransactionReceipt", (text,)) for text in transaction_hashes]
        )
        receipts: list[Receipt | None] = []
        for outcome in outcomes:
            value = parse.parsed(_result(outcome))
            receipts.append(None if value is None else parse.receipt(value))
        return receipts

    async def transaction_known(self, transaction_hash: str) -> bool:
        """Whether a node has this transaction, mined or waiting; False is no evidence of absence."""
        raw = await self.rpc.call(RpcRequest("eth_getTransactionByHash", (transaction_hash,)))
        return parse.parsed(raw) is not None

    async def is_waiting(self, transaction_hash: str) -> bool:
        """Whether a node's pool holds this transaction, and no block does."""
        raw = await self.rpc.call(RpcRequest("eth_getTransactionByHash", (transaction_hash,)))
        found = parse.parsed(raw)
        return found is not None and parse.record(found).get("blockHash") is None

    async def final_block(self) -> Block:
        """The highest block that is final by the preset's rule. Raises `UnknownBlock` where there is none yet."""
        finality = self.preset.finality
        if finality.rule == "depth":
            head = await self.reads.latest()
            return await self.block(max(0, head.block.number - finality.depth))
        try:
            raw = await self.rpc.call(RpcRequest("eth_getBlockByNumber", (finality.rule, False)))
        except RpcRejected as error:
            raise UnknownBlock(f"chain {self.preset.name} names no {finality.rule} block: {error}") from error
        value = parse.parsed(raw)
        if value is None:
            raise UnknownBlock(f"chain {self.preset.name} has no {finality.rule} block yet")
        return parse.header(value).block

    async def is_final(self, at: BlockRef) -> bool:
        """Whether this very block is in the chain and final by the preset's rule."""
        final = await self.final_block()
        if at.number > final.number:
            return False
        return (await self.block(at.number)).hash == at.hash

    def _native(self) -> AssetId:
        return native_asset(self.preset.chain_id)

    def _balance_request(self, owner: Address, asset: AssetId, at: BlockRef) -> RpcRequest:
        if chain_of(asset) != self.chain:
            raise ValueError(f"{asset} does not live on {self.chain}")
        if asset == self._native():
            return RpcRequest("eth_getBalance", (owner,), at)
        data = self.abi.encode_call(_BALANCE_OF, (owner,))
        return RpcRequest("eth_call", (_call_json(Call(token_address(asset), data), None),), at)


def _call_json(call: Call, sender: Address | None) -> Json:
    fields: dict[str, Json] = {"to": call.to, "data": "0x" + call.data.hex()}
    if sender is not None:
        fields["from"] = sender
    if call.value:
        fields["value"] = hex(call.value)
    return fields


def _result(outcome: RpcOutcome) -> bytes:
    if isinstance(outcome, RpcFailed):
        raise outcome.error
    return outcome.result


def _word(output: bytes, asset: AssetId) -> int:
    """A number that a token answers; an address without code answers nothing."""
    if len(output) < 32:
        raise CallReverted(f"{asset} answers no number: there is no token at this address", output=output)
    return int.from_bytes(output[:32])
