"""A relay over JSON-RPC whose requests are signed: `X-Flashbots-Signature` is `address:signature`, the signature of
EIP-191 over the 66 characters of `0x` and the Keccak-256 hash of the body.
"""

import json
from typing import TYPE_CHECKING, ClassVar, Final

from sep_hooks.config import PluginConfig
from sep_hooks.context import PluginContext
from sep_hooks.relay import PrivateRelay, PrivateTransaction
from sep_hooks.types import BroadcastAnswer, Json

from sep_relay_flashbots.answers import TEXT_LIMIT, meaning, together
from sep_relay_flashbots.config import FlashbotsConfig

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from eth_account.signers.local import LocalAccount

HEADER: Final = "X-Flashbots-Signature"
ANSWER_SECONDS: Final = 5.0
_LONGEST_ANSWER: Final = 1 << 20


class Flashbots(PrivateRelay[FlashbotsConfig]):
    """Asks for a transaction to be included, never for more: no fast mode, no fallback to a public pool."""

    Config: ClassVar[type[PluginConfig]] = FlashbotsConfig

    def __init__(self, config: FlashbotsConfig, context: PluginContext) -> None:
        super().__init__(config, context)
        self._session: ClientSession | None = None
        self._key: LocalAccount | None = None

    @property
    def most_blocks(self) -> int:
        """See `PrivateRelay.most_blocks`."""
        return self.config.blocks

    async def open(self) -> None:
        """See `PrivateRelay.open`."""
        from aiohttp import ClientSession, ClientTimeout
        from eth_account import Account

        self._key = Account.from_key(self.config.auth_key.get_secret_value())
        self._session = ClientSession(timeout=ClientTimeout(total=ANSWER_SECONDS))

    async def send(self, transaction: PrivateTransaction) -> BroadcastAnswer:
        """See `PrivateRelay.send`."""
        raw = "0x" + transaction.raw.hex()
        if self.config.method == "bundle":
            asked: list[Json] = [
                {"txs": [raw], "blockNumber": hex(block)}
                for block in range(transaction.next_block, transaction.last_block + 1)
            ]
            answers = [meaning(await self._ask("eth_sendBundle", one), transaction.hash) for one in asked]
            return BroadcastAnswer(self.context.instance, *together(answers))
        wanted: Json = {
            "tx": raw,
            "maxBlockNumber": hex(transaction.last_block),
            "preferences": {"fast": False, "privacy": {"hints": list(self.config.hints)}},
        }
        answer = await self._ask("eth_sendPrivateTransaction", wanted)
        return BroadcastAnswer(self.context.instance, *meaning(answer, transaction.hash))

    async def withdraw(self, transaction_hash: str) -> None:
        """See `PrivateRelay.withdraw`. A bundle ends with its block, there is nothing to take back."""
        if self.config.method == "bundle":
            return
        answer = await self._ask("eth_cancelPrivateTransaction", {"txHash": transaction_hash})
        if not isinstance(answer, dict) or answer.get("result") is not True:
            self.context.log.warning(
                "relay.not_withdrawn", hash=transaction_hash, answer=str(answer)[:TEXT_LIMIT]
            )

    async def close(self) -> None:
        """See `PrivateRelay.close`."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, method: str, parameter: Json) -> Json:
        """The relay's whole answer; what keeps it from coming is an answer without a result."""
        from aiohttp import ClientError

        if self._session is None or self._key is None:
            raise RuntimeError("the relay was not opened")
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": [parameter]}).encode()
        headers = {"Content-Type": "application/json", HEADER: signature(self._key, body)}
        try:
            async with self._session.post(
                self.config.url.get_secret_value(), data=body, headers=headers, allow_redirects=False
            ) as response:
                answer: Json = json.loads(await response.content.read(_LONGEST_ANSWER))
                return answer
        except (ClientError, TimeoutError, ValueError, RecursionError) as error:
            return {"error": {"message": f"no answer: {type(error).__name__}"}}


def signature(key: "LocalAccount", body: bytes) -> str:
    """The header that proves who sends a body."""
    from eth_account.messages import encode_defunct
    from eth_utils.crypto import keccak

    text = "0x" + keccak(body).hex()
    return f"{key.address}:0x{key.sign_message(encode_defunct(text=text)).signature.hex()}"
