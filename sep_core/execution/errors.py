"""What the nonce lane refuses; each refusal guards an invariant and leaves lane and chain as they were."""

from sep_hooks.errors import Permanent
from sep_hooks.store import Fenced, LogBroken, StoreClosed, StoreFailed, StoreUnavailable

_OF_THE_STORE = (Fenced, LogBroken, StoreClosed, StoreFailed, StoreUnavailable)


def is_refusal(error: Permanent) -> bool:
    """Whether a record was refused for what it says, with log and chain as they were; else the store has failed."""
    return not isinstance(error, _OF_THE_STORE)


class LaneError(Permanent):
    """An observation or a signature that the lane cannot take in; nothing was recorded."""

    code = "lane_error"


class LaneUnknown(LaneError):
    """The account was never opened in this log."""

    code = "lane_unknown"


class LaneFrozen(LaneError):
    """Nothing may be signed for the account until an operator has looked."""

    code = "lane_frozen"


class ReleaseRefused(LaneError):
    """A frozen account cannot be let go yet: something of it is open, or its chain is not settled about it."""

    code = "release_refused"


class SecondPayload(LaneError):
    """Another payload belongs to this nonce already: one nonce carries one step."""

    code = "second_payload"


class NonceGap(LaneError):
    """A signature does not stand at the lane's next nonce."""

    code = "nonce_gap"


class NonceBound(LaneError):
    """The intent is bound to a nonce that is not final, or its step took effect already."""

    code = "nonce_bound"


class PayloadMismatch(LaneError):
    """A transaction does not carry the step that it is said to carry."""

    code = "payload_mismatch"


class SignatureMismatch(LaneError):
    """A signer's bytes are not its account's signature of the transaction that they are said to be."""

    code = "signature_mismatch"


class ImpossibleReceipt(LaneError):
    """A receipt says more gas, or a higher price, than the signed bytes allow: it is not of this transaction."""

    code = "impossible_receipt"


class UnknownEffect(LaneError):
    """An observation names a nonce or a hash that this lane never signed."""

    code = "unknown_effect"


class SignedElsewhere(LaneError):
    """The signer remembers signatures of another log, which the chain could still execute."""

    code = "signed_elsewhere"


class ChainBehindLog(LaneError):
    """The chain stands before what the log has as final: it was replaced, or its endpoint lags."""

    code = "chain_behind_log"


class FinalWithoutReceipt(LaneError):
    """Finality was reported for a block in which the lane holds no receipt."""

    code = "final_without_receipt"


class ContradictsFinality(LaneError):
    """An observation contradicts what is final."""

    code = "contradicts_finality"
