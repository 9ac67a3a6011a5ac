"""A copy of the log in NATS JetStream: stream `SEP_<store id>`, whose sequence numbers are the log's positions.

Each message says which sequence must stand before it, so a second publisher, a lost answer or a replay changes nothing:
the server refuses what does not follow. An acknowledgement is no durability (the server syncs its files every two
minutes by default); the log is the record, and what a server forgets is published again from it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import UUID

import orjson
from pydantic import Field, SecretStr
from sep_hooks.bus import EventBus
from sep_hooks.config import PluginConfig
from sep_hooks.mirror import MirrorHead, MirrorOutOfPlace, MirrorUnavailable
from sep_hooks.store import CaughtUp, LogBroken, NotInLog, Recorded

from sep_core.events.envelope import recorded

ANSWER_SECONDS: Final = 5.0
FETCHED: Final = 500
PREFIX: Final = "SEP_"
_WRONG_SEQUENCE: Final = 10071
_FORGET_CONSUMER_SECONDS: Final = 300.0


class NatsConfig(PluginConfig):
    """`[buses.NAME]`: `servers` are URLs that may hold a password; `credentials` is a file that NATS made."""

    servers: tuple[SecretStr, ...] = Field(min_length=1)
    credentials: Path | None = None
    replicas: int = Field(default=1, ge=1, le=5)


class NatsBus(EventBus[NatsConfig]):
    """JetStream as a bus. Subjects are `sep.<store id>.<type of event>`, so that consumers may choose by type."""

    Config: ClassVar[type[PluginConfig]] = NatsConfig

    _client: Any = None

    async def open(self) -> None:
        """Connects; a connection that breaks is not mended but made again by the next call."""
        async with self._answering("connect"):
            await self._connected()

    async def logs(self) -> Sequence[UUID]:
        """The logs whose streams the server has."""
        async with self._answering("list its streams") as client:
            found: list[UUID] = []
            offset = 0
            while True:
                page = await client.jsm().streams_info(offset=offset)
                names = [str(one.config.name) for one in page]
                found += [store for name in names if (store := _store_of(name)) is not None]
                offset += len(page)
                if not page:
                    return found

    async def last(self, store_id: UUID) -> MirrorHead | None:
        """The last message of the log's stream, which is made where it is missing."""
        async with self._answering("tell its last message") as client:
            from nats.js.errors import NotFoundError

            manager, name = client.jsm(), _stream_name(store_id)
            try:
                state = (await manager.stream_info(name)).state
            except NotFoundError:
                await manager.add_stream(self._stream(store_id))
                return None
            if state.last_seq == 0:
                return None
            message = await manager.get_msg(name, seq=state.last_seq)
            return MirrorHead(state.last_seq, message.data or b"")

    async def publish(self, store_id: UUID, events: Sequence[Recorded]) -> None:
        """Publishes the first event, then the others without waiting in between; the server answers in their order.

        Were the first sent with the others, those behind a refused one would be taken where they happen to follow.
        The client's own `publish_async` loses refusals (nats-py 2.16.0), so the answers are collected here.
        """
        async with self._answering("take events") as client:
            inbox, expected_stream = client.new_inbox(), _stream_name(store_id)
            answers = await client.subscribe(inbox)
            try:
                for part in (events[:1], events[1:]):
                    for event in part:
                        follows = {
                            "Nats-Expected-Stream": expected_stream,
                            "Nats-Expected-Last-Sequence": str(event.pos - 1),
                        }
                        await client.publish(f"sep.{store_id}.{event.type}", event.record, inbox, follows)
                    for event in part:
                        self._check_taken(event, await answers.next_msg(timeout=ANSWER_SECONDS))
            finally:
                await answers.unsubscribe()

    def _check_taken(self, event: Recorded, answer: Any) -> None:
        if not answer.data:
            raise MirrorUnavailable(f"bus {self.context.instance}: no stream answers for {answer.subject}")
        said = orjson.loads(answer.data)
        refusal = said.get("error")
        if refusal is not None and refusal.get("err_code") == _WRONG_SEQUENCE:
            raise MirrorOutOfPlace(
                f"bus {self.context.instance}: position {event.pos} does not follow: {refusal['description']}"
            )
        if refusal is not None:
            raise MirrorUnavailable(
                f"bus {self.context.instance} refuses position {event.pos}: {refusal.get('description')}",
                next_step="see to the limits of the NATS servers",
            )
        if said["seq"] != event.pos:
            raise LogBroken(
                f"bus {self.context.instance} took position {event.pos} as {said['seq']}",
                pos=event.pos,
                next_step="delete the stream; it is made again from the log",
            )

    async def follow(self, store_id: UUID, *, after: int) -> AsyncGenerator[Recorded | CaughtUp]:
        """The stream in order, by pulls; see `EventBus.follow`."""
        last, announced, pull = after, -1, None
        while True:
            messages: Sequence[Any] = ()
            async with self._answering("give events") as client:
                if pull is None:
                    await self._check_reach(client, store_id, last)
                    pull = await self._pull(client, store_id, last)
                # Nothing came: the client says so by an error of its own, or by asyncio's where it was cut.
                with suppress(TimeoutError):
                    messages = await pull.fetch(FETCHED, timeout=0.25)
            pending = 0
            for message in messages:
                pos, pending = message.metadata.sequence.stream, message.metadata.num_pending
                if pos != last + 1:
                    raise LogBroken(f"position {last + 1} should follow, the bus gave {pos}", pos=last + 1)
                event = recorded(message.data)
                if event.pos != pos or event.store_id != store_id:
                    raise LogBroken(
                        f"the bus has position {event.pos} of log {event.store_id} as {pos}", pos=pos
                    )
                last = pos
                yield event
            if pending == 0 and announced != last:
                announced = last
                yield CaughtUp(last)

    async def close(self) -> None:
        """Closes the connection."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # what it still wanted to say is of no use any more
                await asyncio.wait_for(client.close(), 1.0)

    async def _check_reach(self, client: Any, store_id: UUID, after: int) -> None:
        from nats.js.errors import NotFoundError

        try:
            state = (await client.jsm().stream_info(_stream_name(store_id))).state
        except NotFoundError as error:
            raise NotInLog(
                f"bus {self.context.instance} has no log {store_id}",
                next_step="run `sep mirror` beside the log",
            ) from error
        if after > state.last_seq:
            raise NotInLog(f"the bus ends at position {state.last_seq}, {after} was asked for")
        if state.first_seq > after + 1:
            raise LogBroken(f"the bus begins at position {state.first_seq}", pos=after + 1)

    async def _pull(self, client: Any, store_id: UUID, after: int) -> Any:
        from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

        config = ConsumerConfig(
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=AckPolicy.NONE,
            inactive_threshold=_FORGET_CONSUMER_SECONDS,
        )
        subject, stream = f"sep.{store_id}.>", client.jetstream(timeout=ANSWER_SECONDS)
        return await stream.pull_subscribe(subject, stream=_stream_name(store_id), config=config)

    def _stream(self, store_id: UUID) -> Any:
        from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig

        return StreamConfig(
            name=_stream_name(store_id),
            subjects=[f"sep.{store_id}.>"],
            retention=RetentionPolicy.LIMITS,
            # A full stream refuses what is new: what consumers have not read must not vanish under them.
            discard=DiscardPolicy.NEW,
            storage=StorageType.FILE,
            num_replicas=self.config.replicas,
            deny_delete=True,
            deny_purge=True,
        )

    @asynccontextmanager
    async def _answering(self, what: str) -> AsyncIterator[Any]:
        """The connection for one call; one that did not answer is not used again."""
        from nats.errors import Error

        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                yield await self._connected()
        except (Error, TimeoutError, OSError) as error:
            await self.close()
            why = str(error) or type(error).__name__
            raise MirrorUnavailable(
                f"bus {self.context.instance} does not {what}: {why}", next_step="see to the NATS servers"
            ) from error

    async def _connected(self) -> Any:
        if self._client is None or not self._client.is_connected:
            import nats

            self._client = await nats.connect(
                servers=[one.get_secret_value() for one in self.config.servers],
                name="sep",
                user_credentials=None if self.config.credentials is None else str(self.config.credentials),
                allow_reconnect=False,
                reconnect_time_wait=0.05,
                max_reconnect_attempts=1,
                connect_timeout=2,
                error_cb=_hush,
            )
        return self._client


async def _hush(_: Exception) -> None:
    # The library would print it; the call that it belongs to raises it.
    return


def _stream_name(store_id: UUID) -> str:
    return f"{PREFIX}{store_id}"


def _store_of(name: str) -> UUID | None:
    if not name.startswith(PREFIX):
        return None
    try:
        return UUID(name.removeprefix(PREFIX))
    except ValueError:
        return None
