"""Answers over real sockets, each in one piece."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.http_protocol import OneWriteProtocol, OneWriteTransport

BODY = b"x" * 300_000  # more than a socket takes at once


async def _application(scope: Scope, receive: Receive, send: Send) -> None:
    """The path's size as a body, in three parts when asked to stream."""
    body = BODY[: int(scope["path"].strip("/"))]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    if scope["query_string"] == b"stream":
        for part in (body[:10], body[10:20]):
            await send({"type": "http.response.body", "body": part, "more_body": True})
            await asyncio.sleep(0.01)
        body = body[20:]
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A server of this protocol on a free loopback port."""
    config = uvicorn.Config(_application, port=0, http=OneWriteProtocol, log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def _exchange(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    return answer


def _request(path: str, *, close: bool = True) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: a\r\nconnection: {'close' if close else 'keep-alive'}\r\n\r\n".encode()


@pytest.mark.parametrize("path", ["/0", "/100", "/300000", "/100?stream"])
async def test_an_answer_arrives_whole_before_the_connection_closes(port, path):
    """Short, long, empty and streamed bodies."""
    head, _, body = (await _exchange(port, _request(path))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == BODY[: int(path.strip("/").partition("?")[0])]


async def test_requests_sent_together_are_answered_in_order(port):
    """Pipelining: three answers, one connection."""
    answer = await _exchange(port, _request("/1", close=False) + _request("/2", close=False) + _request("/3"))
    assert [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200")[1:]] == [b"x", b"xx", b"xxx"]


class _Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.gone = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.gone

    def close(self) -> None:
        self.gone = True


async def test_head_and_body_are_one_write():
    """What is written in one turn of the loop goes out together, what is written later goes later."""
    inner = _Transport()
    transport = OneWriteTransport(inner, asyncio.get_running_loop())
    transport.write(b"head")
    transport.write(b"body")
    await asyncio.sleep(0)
    transport.write(b"more")
    await asyncio.sleep(0)
    assert inner.written == [b"headbody", b"more"]


async def test_closing_sends_what_is_kept_and_a_client_that_left_gets_nothing():
    """No byte is lost by closing; none is written to a closed socket."""
    inner, gone = _Transport(), _Transport()
    transport, late = (OneWriteTransport(made, asyncio.get_running_loop()) for made in (inner, gone))
    transport.write(b"last")
    transport.close()
    late.write(b"too late")
    gone.gone = True
    await asyncio.sleep(0)
    assert (inner.written, inner.gone, gone.written) == ([b"last"], True, [])
