"""Sends bodies to a server over a few connections, each waiting for its answer. Imports nothing of ours.

`_client.py PORT TOKEN FILE`: a body on each line. Says `ready`, waits for a line, says `done`.
"""

import asyncio
import sys
from pathlib import Path

CONNECTIONS = 8


async def run(port: int, token: str, contents: list[bytes]) -> None:
    """All of it."""
    links = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
    print("ready", flush=True)
    sys.stdin.readline()
    head = (
        f"POST /v1/intents HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        "content-type: application/json\r\ncontent-length: "
    ).encode()

    async def some(number: int) -> None:
        reader, writer = links[number]
        for content in contents[number::CONNECTIONS]:
            writer.write(head + b"%d\r\n\r\n" % len(content) + content)
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 202"), answer
            length = next(one for one in answer.lower().split(b"\r\n") if one.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))

    await asyncio.gather(*(some(number) for number in range(CONNECTIONS)))
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_bytes().splitlines()))
