"""Real servers for tests: each a process of its own, on its own port, in a folder that goes with it."""

from .nats import NatsServer
from .postgres import POSTGRES, TIMESCALE, PostgresServer
from .process import ServerAbsent, ServerProcess
from .redis import RedisServer

__all__ = [
    "POSTGRES",
    "TIMESCALE",
    "NatsServer",
    "PostgresServer",
    "RedisServer",
    "ServerAbsent",
    "ServerProcess",
]
