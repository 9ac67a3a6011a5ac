"""A relay as a lane calls it: whatever it does wrong is an unclear answer, and ends nothing."""

from contextlib import suppress
from types import NoneType
from typing import Final

from sep_hooks.relay import PrivateTransaction
from sep_hooks.types import AnswerKind, BroadcastAnswer

from sep_core.plugins.failure import PluginFault
from sep_core.plugins.guard import Guard
from sep_core.runtime.installation import RelayPart

ANSWER_SECONDS: Final = 10.0


class GuardedRelay:
    """Implements execution's `RelayPort`. Whatever the plugin calls its answer, it stands under the relay's name."""

    def __init__(self, guard: Guard, part: RelayPart) -> None:
        self._guard = guard
        self._part = part
        self.name = part.instance
        self.most_blocks = part.most_blocks

    async def send(self, transaction: PrivateTransaction) -> BroadcastAnswer:
        """What the relay answers; `AMBIGUOUS` where the plugin fails."""
        try:
            said = await self._guard.call(
                self._part.plugin,
                "send",
                lambda: self._part.adapter.send(transaction),
                timeout_seconds=ANSWER_SECONDS,
                returns=BroadcastAnswer,
            )
        except PluginFault as fault:
            return BroadcastAnswer(self.name, AnswerKind.AMBIGUOUS, fault.error[:200])
        return BroadcastAnswer(self.name, said.kind, said.text)

    async def withdraw(self, transaction_hash: str) -> None:
        """Asks the relay to forget a transaction."""
        with suppress(PluginFault):
            await self._guard.call(
                self._part.plugin,
                "withdraw",
                lambda: self._part.adapter.withdraw(transaction_hash),
                timeout_seconds=ANSWER_SECONDS,
                returns=NoneType,
            )
