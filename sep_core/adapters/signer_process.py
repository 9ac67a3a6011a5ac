"""Has transactions signed by `sep-signer`, a process of its own: no key comes near the engine."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar
from uuid import UUID

import orjson
from sep_hooks.config import PluginConfig
from sep_hooks.context import SignerContext
from sep_hooks.errors import Ambiguous, CheckTooOld, Retryable, SignerRefused
from sep_hooks.signer import SignedEntry, Signer, SignRequest
from sep_hooks.signer_wire import LINE_LIMIT_BYTES, entry_of, request_json, signed_of
from sep_hooks.types import Address, Json, SignedTransaction, address

ANSWER_SECONDS = 20.0

_CHECK_AGAIN = frozenset({"stale_check", "breaker_epoch"})


class SignerGone(Ambiguous):
    """The signer's process gave no answer; it may have signed, and gives the same bytes when asked again."""

    code = "signer_gone"


class SignerAbsent(Retryable):
    """No signer answers at the start of an engine; nothing was asked for."""

    code = "signer_absent"


class ProcessConfig(PluginConfig):
    """`socket` is where `sep-signer` answers; `account` what it calls the account, by default as the engine does."""

    socket: Path
    account: str | None = None


class ProcessSigner(Signer[ProcessConfig]):
    """Every exchange has a connection of its own: a signer that comes back is found again at once."""

    Config: ClassVar[type[PluginConfig]] = ProcessConfig

    def __init__(self, config: ProcessConfig, context: SignerContext) -> None:
        super().__init__(config, context)
        self._account = config.account or context.instance

    async def open(self) -> Address:
        """See `Signer.open`. Raises `SignerAbsent` where no signer answers."""
        try:
            answer = await self._ask("open")
        except SignerGone as error:
            raise SignerAbsent(error.message, next_step="start it: sep-signer run") from error
        return address(str(_object(answer)["address"]))

    async def sign(self, request: SignRequest) -> SignedTransaction:
        """See `Signer.sign`. Raises `SignerGone` where the answer is lost."""
        return signed_of(_object(await self._ask("sign", request=request_json(request))))

    async def list_signed(self) -> Sequence[SignedEntry]:
        """See `Signer.list_signed`."""
        answer = await self._ask("list_signed")
        if not isinstance(answer, list):
            raise TypeError("the signer's answer is no list")
        return [entry_of(one) for one in answer]

    async def advance_epoch(self, store_id: UUID, epoch: int, breaker_epoch: int = 0) -> None:
        """See `Signer.advance_epoch`."""
        await self._ask("advance_epoch", store_id=str(store_id), epoch=epoch, breaker_epoch=breaker_epoch)

    async def _ask(self, verb: str, **more: Json) -> Json:
        body = orjson.dumps({"do": verb, "account": self._account, **more}) + b"\n"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_unix_connection(
                    self.config.socket, limit=LINE_LIMIT_BYTES
                )
                try:
                    writer.write(body)
                    await writer.drain()
                    line = await reader.readline()
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, ValueError) as error:
            raise self._gone(str(error) or type(error).__name__) from error
        if not line.endswith(b"\n"):
            raise self._gone("the connection ended before the answer")
        answer = _object(orjson.loads(line))
        if "refused" in answer:
            refused = _object(answer["refused"])
            kind = CheckTooOld if refused["reason"] in _CHECK_AGAIN else SignerRefused
            raise kind(str(refused["message"]), next_step=str(refused["next_step"]))
        return answer["ok"]

    def _gone(self, why: str) -> SignerGone:
        return SignerGone(
            f"no answer from the signer at {self.config.socket}: {why}; what it signed it remembers",
            next_step="see to it: sep-signer status",
        )


def _object(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise TypeError("the signer's answer is no JSON object")
    return value
