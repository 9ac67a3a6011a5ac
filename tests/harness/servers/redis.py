"""A real Redis."""

from collections.abc import Sequence

from .process import ServerProcess, program


class RedisServer(ServerProcess):
    """A Redis without snapshots; `durable`: each write is in its append-only file before it is answered."""

    ready_words = "Ready to accept connections"

    def __init__(self, *, durable: bool = False) -> None:
        self._program = program("redis-server")
        super().__init__()
        self._durable = durable

    @property
    def url(self) -> str:
        """What a client connects to."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        """Redis on the loopback."""
        keep = ["--appendonly", "yes", "--appendfsync", "always"] if self._durable else ["--appendonly", "no"]
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        return [self._program, *place, "--save", "", *keep]
