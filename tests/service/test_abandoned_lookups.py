"""What nobody handled: look-ups that were given up are no errors, everything else is."""

import asyncio
import gc
import logging
import socket

import pytest
import uvloop

from service.abandoned_lookups import overlook_abandoned_lookups
from service.settings import Settings
from tests.service.conftest import running

FAILED = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


async def _abandon(error: Exception, *, task: bool) -> None:
    """A future, or a task, that ends in this error after everybody has left it."""

    async def fail() -> None:
        raise error

    loop = asyncio.get_running_loop()
    overlook_abandoned_lookups(loop)
    if task:
        abandoned: asyncio.Future[None] = loop.create_task(fail())
        await asyncio.wait({abandoned})
    else:
        abandoned = loop.create_future()
        abandoned.set_exception(error)
    del abandoned
    gc.collect()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_lookup_that_was_given_up_is_no_error(run, caplog):
    """A debug message is left."""
    caplog.set_level(logging.DEBUG)
    run(_abandon(FAILED, task=False))
    (record,) = [record for record in caplog.records if "given up" in record.message]
    assert record.levelno == logging.DEBUG
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("error", "task"), [(RuntimeError("ours"), False), (RuntimeError("ours"), True), (FAILED, True)]
)
def test_everything_else_is_told(error, task, caplog):
    """A mistake of ours; a task of ours that ends so was not looked after."""
    asyncio.run(_abandon(error, task=task))
    assert [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_the_application_overlooks_them(store):
    """From its start on."""
    async with running(Settings(store=store, llm="none")):
        handler = asyncio.get_running_loop().get_exception_handler()
    assert handler is not None
    assert handler.__module__ == "service.abandoned_lookups"
