"""Facts about the log itself; stream `log:keys`."""

from sep_core.events.registry import Fact, fact


@fact("KeyRotated")
class KeyRotated(Fact):
    """Another key signs the log from the checkpoint that holds this event on.

    `old` and `new` are verifier keys as C2SP writes them; both sign (base64) that `new` goes on where `old` has signed
    the root (hex) of the first `size` events. See `events.rotation`.
    """

    old: str
    new: str
    size: int
    root: str
    signed_by_old: str
    signed_by_new: str
