"""The error tree that kernel, native core and plugins share.

A message says what was found, where the money is, and what to do next.
"""

from typing import ClassVar


class SepError(Exception):
    """Anything that SEP raises on purpose."""

    code: ClassVar[str] = "sep_error"
    retryable: ClassVar[bool] = False
    ambiguous: ClassVar[bool] = False

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} -> {self.next_step}" if self.next_step else self.message


class Retryable(SepError):
    """Nothing happened; the same call may go through later."""

    code = "retryable"
    retryable = True


class Ambiguous(SepError):
    """Something may have happened; only evidence can tell."""

    code = "ambiguous"
    ambiguous = True


class Permanent(SepError):
    """The same call can never go through."""

    code = "permanent"


class ConfigurationError(Permanent):
    """A configuration file names something that cannot be; `pointer` says where."""

    code = "configuration"

    def __init__(self, message: str, *, pointer: str = "", next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.pointer = pointer


class InvalidAsset(Permanent):
    """A text is no CAIP-19 asset, or an address fails its checksum."""

    code = "invalid_asset"


class InvalidAmount(Permanent):
    """A text or number is no amount in base units."""

    code = "invalid_amount"


class RpcUnavailable(Retryable):
    """No endpoint answered; the call had no effect."""

    code = "rpc_unavailable"


class RpcLimited(Retryable):
    """An endpoint asks to wait `retry_after_seconds`."""

    code = "rpc_limited"

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after_seconds = retry_after_seconds


class RpcRejected(Permanent):
    """An endpoint answered a JSON-RPC error; `rpc_code` and `data` are its own."""

    code = "rpc_rejected"

    def __init__(self, message: str, *, rpc_code: int, data: str | None = None, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.rpc_code = rpc_code
        self.data = data


class UnknownBlock(Retryable):
    """An endpoint does not know the block that was asked for."""

    code = "unknown_block"


class CallReverted(Permanent):
    """A read or simulated call reverted; `output` is the revert data."""

    code = "call_reverted"

    def __init__(self, message: str, *, output: bytes = b"", next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.output = output


class VenueError(Retryable):
    """A venue could not answer; it leaves the set of candidates."""

    code = "venue_error"


class SignerRefused(Permanent):
    """A signer's own policy refuses to sign; nothing was signed."""

    code = "signer_refused"


class CheckTooOld(SignerRefused):
    """The engine's own checks are too old, or a breaker has opened since; new ones may let the step pass."""

    code = "check_too_old"


class NoRoute(Permanent):
    """No path of markets leads from what may be spent to what is wanted."""

    code = "no_route"


class NeedTicks(Retryable):
    """A concentrated-liquidity state is loaded too narrowly to answer this size."""

    code = "need_ticks"


class InsufficientLiquidity(Permanent):
    """A market holds less than was asked of it."""

    code = "insufficient_liquidity"


class NativeFault(Permanent):
    """The native core met a bug of its own and stopped this call, not the process."""

    code = "native_fault"


class PluginError(Permanent):
    """A plugin cannot be used; `plugin` names it, `stage` says how far it came."""

    code = "plugin_error"

    def __init__(self, message: str, *, plugin: str, stage: str, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.plugin = plugin
        self.stage = stage
