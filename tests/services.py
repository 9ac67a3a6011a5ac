"""Fixtures: real servers for a session, each started when it is first asked for; absent ones skip, visibly."""

from collections.abc import Iterator

import pytest

from .harness.servers import POSTGRES, TIMESCALE, NatsServer, PostgresServer, RedisServer, ServerAbsent


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """PostgreSQL 18; tests make databases of their own in it and do not stop it."""
    try:
        server = PostgresServer(POSTGRES)
    except ServerAbsent as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def timescale_server() -> Iterator[PostgresServer]:
    """PostgreSQL 17 with TimescaleDB's Apache level; tests make databases of their own in it and do not stop it."""
    try:
        server = PostgresServer(TIMESCALE)
    except ServerAbsent as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """An empty Redis that a test may kill and start again."""
    try:
        server = RedisServer()
    except ServerAbsent as error:
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture
def nats_server() -> Iterator[NatsServer]:
    """An empty nats-server with JetStream that a test may kill and start again."""
    try:
        server = NatsServer()
    except ServerAbsent as error:
        pytest.skip(str(error))
    with server:
        yield server
