"""Facts about runs of the kernel; stream `kernel`."""

from sep_core.events.registry import Fact, fact


@fact("KernelStarted")
class KernelStarted(Fact):
    """An engine opened the log for writing under a new epoch."""

    epoch: int
    version: str
    mode: str
    config_digest: str


@fact("KernelStopped")
class KernelStopped(Fact):
    """The engine stopped on purpose."""

    reason: str
