"""Name look-ups that nobody waits for any more.

uvloop leaves the look-up behind when a connection is given up while its server's name is looked up, and the event loop
then tells of its failure as an error that nobody handled (MagicStack/uvloop#590). It is none: whoever gave up has said
so. With a Redis that is gone together with its name, as a stopped container is, that was one every second.
"""

import asyncio
import logging
import socket
from typing import Any

log = logging.getLogger(__name__)


def overlook_abandoned_lookups(loop: asyncio.AbstractEventLoop) -> None:
    """From now on their failures are debug messages; everything else that nobody handled is told as before."""
    loop.set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    future, error = context.get("future"), context.get("exception")
    if isinstance(error, socket.gaierror) and future is not None and not isinstance(future, asyncio.Task):
        log.debug("a name look-up that was given up failed: %s", error)
    else:
        loop.default_exception_handler(context)
