"""The suite that every private relay passes.

Subclass `RelaySuite` with two fixtures that give opened relays: `taking`, whose service takes what it is given, and
`lost`, whose service gives no answer that can be understood, in one of the ways that it can happen.
"""

import hashlib

from sep_hooks.config import PluginConfig
from sep_hooks.relay import PrivateRelay, PrivateTransaction
from sep_hooks.types import AnswerKind

type AnyRelay = PrivateRelay[PluginConfig]


def private(note: str = "one", *, next_block: int = 101, last_block: int = 103) -> PrivateTransaction:
    """A transaction that a service of a test takes for one; its hash is as long as a real one."""
    raw = b"\x02" + note.encode()
    return PrivateTransaction(raw, "0x" + hashlib.sha3_256(raw).hexdigest(), next_block, last_block)


class RelaySuite:
    """It takes the same bytes as often as they come, and whatever happens to an answer, it is never a no."""

    async def test_r01_takes_a_transaction(self, taking: AnyRelay) -> None:
        """SEP-R01: a transaction is accepted under the relay's own name."""
        answer = await taking.send(private())
        assert (answer.endpoint, answer.kind) == (taking.context.instance, AnswerKind.ACCEPTED)

    async def test_r02_takes_the_same_bytes_for_later_blocks(self, taking: AnyRelay) -> None:
        """SEP-R02: offering the same bytes again is no error."""
        for later in range(0, 9, 3):
            again = private(next_block=101 + later, last_block=103 + later)
            assert (await taking.send(again)).kind in (AnswerKind.ACCEPTED, AnswerKind.KNOWN)

    async def test_r03_an_answer_that_is_lost_is_unclear(self, lost: AnyRelay) -> None:
        """SEP-R03: what is not plainly a yes leaves open whether the relay holds the bytes, and raises nothing."""
        answer = await lost.send(private())
        assert (answer.endpoint, answer.kind) == (lost.context.instance, AnswerKind.AMBIGUOUS)
        assert len(answer.text) <= 400

    async def test_r04_withdrawing_raises_nothing(self, taking: AnyRelay, lost: AnyRelay) -> None:
        """SEP-R04: neither for what it holds, nor for what it never heard of, nor where it does not answer."""
        one = private()
        await taking.send(one)
        for relay in (taking, taking, lost):
            await relay.withdraw(one.hash)

    async def test_r05_says_how_far_ahead_it_looks(self, taking: AnyRelay) -> None:
        """SEP-R05: at least to the next block."""
        assert taking.most_blocks >= 1
