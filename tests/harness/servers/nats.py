"""A real nats-server with JetStream."""

import shutil
from collections.abc import Sequence

from .process import ServerProcess, program


class NatsServer(ServerProcess):
    """One nats-server whose streams are files of its folder."""

    ready_words = "Server is ready"

    def __init__(self) -> None:
        self._program = program("nats-server")
        super().__init__()

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"nats://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        """nats-server on the loopback."""
        place = ["-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.folder / "jetstream")]
        return [self._program, "-js", *place]

    def wipe(self) -> None:
        """Kills it, and it comes back without any stream."""
        self.kill()
        shutil.rmtree(self.folder / "jetstream")
        self.start()
