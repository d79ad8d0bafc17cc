"""Requests one URL repeatedly over several connections; each waits for its answer. Prints the times as JSON.

`python -m tests.bench.load <url> <connections> <seconds> [cookie]`; a separate program, so that it does not
compute in the measured process. `python -m tests.bench.load static <port>` answers a constant, to measure the client.
"""

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + b'{"answer": "x"}'
_WARMING_SECONDS = 0.5


async def ask(url: str, connections: int, seconds: float, cookie: str) -> dict[str, object]:
    """Returns the seconds of each request after a warm-up, and how many failed."""
    parts = urlsplit(url)
    path = url.partition(parts.netloc)[2]
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nCookie: {cookie}\r\n\r\n".encode()
    begin = time.perf_counter() + _WARMING_SECONDS
    end = begin + seconds
    options = [_keep_asking(parts.hostname or "", parts.port or 80, request, begin, end) for _ in range(connections)]
    lists = await asyncio.gather(*options)
    took = sorted(seconds for one, _ in lists for seconds in one)
    return {"took": took, "failed": sum(failed for _, failed in lists)}


async def _keep_asking(host: str, port: int, request: bytes, begin: float, end: float) -> tuple[list[float], int]:
    took, failed = [], 0
    reader, writer = await asyncio.open_connection(host, port)
    while (now := time.perf_counter()) < end:
        writer.write(request)
        is_good, stays = await _read_answer(reader)
        if now >= begin:
            took.append(time.perf_counter() - now)
            failed += not is_good
        if not stays:
            writer.close()
            reader, writer = await asyncio.open_connection(host, port)
    writer.close()
    return took, failed


async def _read_answer(reader: asyncio.StreamReader) -> tuple[bool, bool]:
    """Whether the answer is a 200, and whether the connection stays open for the next."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return head.startswith(b"http/1.1 200"), b"connection: close" not in head


async def _serve(port: int) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "static":
        asyncio.run(_serve(int(sys.argv[2])))
    else:
        url, connections, seconds, *cookies = sys.argv[1:]
        print(json.dumps(asyncio.run(ask(url, int(connections), float(seconds), "".join(cookies)))))
