"""Log lines are JSON, one a line."""

import asyncio
import json
import logging
import sys

from service.logs import JsonFormatter, request_id


def _line(message: str, *arguments: object, exc_info: object = None) -> dict[str, str]:
    record = logging.LogRecord("service", logging.WARNING, "", 0, message, arguments, exc_info)  # type: ignore[arg-type]
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return dict(json.loads(text))


async def test_a_line_carries_the_id_of_its_own_request_only():
    """Two requests at once do not mix; outside of a request there is none."""

    async def answer(name: str) -> str:
        request_id.set(name)
        await asyncio.sleep(0)
        return _line("working")["request_id"]

    assert list(await asyncio.gather(answer("one"), answer("two"))) == ["one", "two"]
    assert "request_id" not in _line("idle")


def test_a_message_cannot_forge_a_second_line():
    """Line breaks inside it are escaped."""
    line = _line("title %s", 'x\n{"level": "info"}')
    assert line["message"] == 'title x\n{"level": "info"}'
    assert line["level"] == "warning"
    assert line["logger"] == "service"


def test_an_exception_brings_its_trace():
    """In the log, where it belongs."""
    try:
        raise ValueError("why")
    except ValueError:
        line = _line("failed", exc_info=sys.exc_info())
    assert line["trace"].endswith("ValueError: why")
