"""An ASGI application behind real sockets, for what a transport in memory cannot show: clients or servers who leave."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from service.http_protocol import OneWriteProtocol


@asynccontextmanager
async def live(application: Any, *, port: int = 0, lifespan: bool = True) -> AsyncIterator[str]:
    """Its address on loopback while it runs in this event loop; at the end, requests under way are cut."""
    config = uvicorn.Config(
        application,
        port=port,
        http=OneWriteProtocol,
        log_config=None,
        lifespan="on" if lifespan else "off",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the server did not start"
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True  # not force_exit: it would leave the lifespan to the garbage collector
        await serving


@contextmanager
def live_in_thread(application: Any) -> Iterator[str]:
    """Its address on loopback while it runs in a thread of its own: for callers who wait without an event loop."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, http=OneWriteProtocol, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
